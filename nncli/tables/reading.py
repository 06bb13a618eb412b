"""Reading: how the texts of a file of columns are to be understood."""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Literal

from nncli.core.errors import ArgumentError
from nncli.tables.raw import Kind

KindOrSkip = Kind | Literal["skip"]
Kinds = Mapping[str, KindOrSkip | None]
"""What is known of columns by name; None for what is to be inferred."""

MISSING = (
    *("", "NA", "N/A", "n/a", "<NA>", "#N/A", "NaN", "nan", "-nan", "-NaN"),
    *("null", "NULL", "None", "?"),
)
"""Cells that hold nothing, unless a reading says otherwise."""

MAX_COLUMNS = 100_000

NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?")
"""What looks like a number, whatever its decimal sign."""


@dataclass(frozen=True)
class Reading:
    """How a file of texts is read; None for what is inferred from it.

    Spaces around a cell never count.

    Args:
        delimiter: The character between two cells: ``,``, ``;``, a tab, ``|``, ...
        encoding: Name of the encoding: ``utf-8``, ``latin-1``, ``utf-16``, ...
        decimal: Decimal sign of numbers: ``.`` or ``,``; a point where nothing says
            otherwise.
        missing_values: Cells that hold nothing; the empty cell always does.
        header: Whether the first row holds the names of the columns.
    """

    delimiter: str | None = None
    encoding: str | None = None
    decimal: str | None = None
    missing_values: tuple[str, ...] | None = None
    header: bool | None = None

    def __post_init__(self) -> None:
        one = self.delimiter
        if one is not None and (len(one) != 1 or not one.isascii() or one in '\r\n"'):
            raise ArgumentError(
                "delimiter: expected one character that is no quote and ends no line, "
                f"got {one!r}."
            )
        if self.decimal not in (None, ".", ","):
            raise ArgumentError(f'decimal: expected "." or ",", got {self.decimal!r}.')
        if one == self.decimal == ",":
            raise ArgumentError(
                'decimal: expected "." where the delimiter is a comma, got ",".'
            )
        if self.encoding is not None:
            self._check_encoding(self.encoding)

    @staticmethod
    def _check_encoding(name: str) -> None:
        try:
            "".encode(name)
            codecs.getincrementaldecoder(name)
        except (LookupError, ValueError):
            raise ArgumentError(
                "encoding: expected the name of a text encoding (utf-8, latin-1, "
                f"cp1252, utf-16), got {name!r}."
            ) from None

    @property
    def missing(self) -> tuple[str, ...]:
        """Cells that hold nothing, the empty one among them."""
        if self.missing_values is None:
            return MISSING
        return tuple(dict.fromkeys(["", *map(str.strip, self.missing_values)]))

    @property
    def comma(self) -> bool:
        """Whether numbers have a decimal comma."""
        return self.decimal == ","

    @property
    def has_numbers(self) -> bool:
        """Whether a number (−9) stands for a missing cell."""
        return any(NUMBER.fullmatch(cell) for cell in self.missing)

    def key(self) -> dict[str, object]:
        """What of the reading decides which table comes out."""
        return {**asdict(self), "missing_values": self.missing}
