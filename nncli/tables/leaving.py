"""Why a column is left out of a table."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from nncli.core.arrays import Array
from nncli.tables.column import MAX_WORDS, ColumnReader
from nncli.tables.tally import are_all_different, text_reason

SKIPPED = "as the config says"
CONSTANT = "holds the same value in every row"


def reason_to_leave(reader: ColumnReader, values: Callable[[], Iterable[Array]]) -> str:
    """Return why a column that was read is left out; "" if it is not.

    A column of which somebody said what it is, or that it is to be kept, is not.

    Args:
        reader: Of the column.
        values: Returns its values, some at a time.
    """
    if reader.firm or reader.kept:
        return ""
    tally = reader.tally
    if reader.full:
        return f"more than {MAX_WORDS:,} different texts"
    if tally.empty:
        return "holds nothing"
    if tally.constant:
        return CONSTANT
    if reader.kind == "category":
        return text_reason(tuple(reader.words), tally.rows - tally.missing)
    if reader.kind == "number" and tally.may_number_rows(reader.name):
        return "numbers the rows" if are_all_different(values(), tally) else ""
    return ""
