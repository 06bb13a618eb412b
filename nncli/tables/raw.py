"""RawTable: the columns of a table as numbers that nothing was learned for yet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from nncli.core.arrays import Array
from nncli.core.errors import DataError
from nncli.core.text import nearest

Kind = Literal["number", "boolean", "category", "date"]


@dataclass(frozen=True)
class RawColumn:
    """What one column of a table holds.

    Attributes:
        name: As the file or the frame has it.
        kind: How its cells are read.
        words: Of a category: the text that each code stands for.
    """

    name: str
    kind: Kind
    words: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class RawTable:
    """Columns as they were read, before anything is fitted.

    Attributes:
        source: What messages call it: a path, ``stdin`` or ``rows``.
        columns: Of ``values``, in order.
        values: (N, R) float64, in memory or memory-mapped: numbers as they are; 0 and 1
            of a boolean; of a category the place of its word; of a date the seconds
            since 1970 (UTC). NaN where a cell is missing.
        left_out: Columns that were not read, by name, and why.
        facts: What was found about the file: delimiter, encoding, ...
        sha256: Digest of content and reading; "" where it was not computed.
    """

    source: str
    columns: tuple[RawColumn, ...]
    values: Array
    left_out: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    sha256: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(column.name for column in self.columns)


def check_there(like: Sequence[RawColumn], names: Sequence[str], source: str) -> None:
    """Refuse rows that lack a column a model was trained on.

    Raises:
        DataError: The first such column is named, and how many more there are.
    """
    there = frozenset(names)
    missing = [column.name for column in like if column.name not in there]
    if missing:
        more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
        raise DataError(
            f"{source}: expected a column {missing[0]!r}{more}, as the model was "
            f"trained on. {nearest(missing[0], list(names))}"
        )
