"""What is wrong with a row of text, in words."""

from __future__ import annotations

import contextlib
import csv
from collections.abc import Iterator, Sequence

from nncli.core.errors import DataError
from nncli.core.text import count, show

MAX_CELL = 1 << 20
"""Characters of the longest cell."""


@contextlib.contextmanager
def long_cells() -> Iterator[None]:
    """Let Python's reader take cells up to our limit inside the block."""
    before = csv.field_size_limit(MAX_CELL)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def ragged(
    row: list[str], names: Sequence[str], delimiter: str, where: str
) -> DataError:
    """Say that a row has more cells than there are columns, or fewer."""
    if len(row) > len(names):
        extra = f"the cell {show(row[len(names)].strip())} is one too many"
    else:
        extra = f"column {show(names[len(row)])} is missing"
    return DataError(
        f"{where}: expected {count(len(names), 'cell')} between "
        f"{delimiter!r}, got {len(row):,}: {extra}. Put a cell that holds the "
        "delimiter in quotes."
    )


def broken(error: csv.Error, where: str) -> DataError:
    """Say what Python's reader found wrong with a row."""
    if "field larger" in str(error):
        text = f"cells of at most {MAX_CELL:,} characters, got a longer one. Is a quote"
        return DataError(f"{where}: expected {text} not closed?")
    if "end of data" in str(error):
        return DataError(
            f"{where}: expected a closing quote, got the end of the file. Close the "
            "quote that opens in this row, or double it if it is part of the text."
        )
    if "expected after" in str(error):
        return DataError(
            f"{where}: expected the delimiter after a closing quote, got more text. "
            "Double quotes that are part of a text."
        )
    return DataError(f"{where}: expected a row of cells, got: {error}.")
