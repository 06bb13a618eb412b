"""How a file of text is laid out: its delimiter, and whether its first row is names."""

from __future__ import annotations

import contextlib
import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain

from nncli.core.errors import DataError
from nncli.core.text import show
from nncli.tables.faults import broken, long_cells
from nncli.tables.reading import MAX_COLUMNS, NUMBER, Reading

SAMPLE = 1 << 18
DELIMITERS = (",", "\t", ";", "|")
_NAMES = {",": "a comma", "\t": "a tab", ";": "a semicolon", "|": "a bar"}
_COMMA = re.compile(r"[+-]?\d*,\d+([eE][+-]?\d+)?")
_POINT = re.compile(r"[+-]?\d*\.\d+([eE][+-]?\d+)?")
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}")
_YEAR = re.compile("1[5-9][0-9]{2}|2[01][0-9]{2}")


@dataclass(frozen=True)
class Layout:
    """What was found at the beginning of a file.

    Attributes:
        delimiter: The character between two cells.
        decimal: The decimal sign.
        header: Whether the first row holds names.
        names: Of the columns; ``0``, ``1``, ... where the file has none.
        lines: How many lines the names take, empty lines before them counted.
    """

    delimiter: str
    decimal: str
    header: bool
    names: tuple[str, ...]
    lines: int

    def settled(self, reading: Reading) -> Reading:
        """Return a reading with the decimal sign that was found."""
        return replace(reading, decimal=self.decimal)


def layout_of(
    text: str, reading: Reading, name: str, known: Sequence[str] = ()
) -> Layout:
    """Look at the beginning of a file.

    Args:
        text: Whole rows.
        reading: What is known.
        name: What messages call the file.
        known: Names of columns of which this file has more rows.

    Raises:
        DataError: There is nothing in it, or names are missing, double, too many.
    """
    delimiter = reading.delimiter or _likeliest(text, name.removesuffix(".gz"))
    rows, lines = _sample(text, delimiter)
    if not rows:
        raise broken(csv.Error("field larger than a row"), f"{name}:1")
    cells = [cell.strip() for cell in rows[0]]
    header = reading.header
    if header is None:
        header = cells == list(known) or _is_header(cells, rows[1:], reading)
    if len(cells) > MAX_COLUMNS:
        raise DataError(
            f"{name}:{lines[0]}: expected at most {MAX_COLUMNS:,} columns, got "
            f"{len(cells):,}."
        )
    where = f"{name}:{lines[0]}"
    cells = _checked(cells, where) if header else _places(len(cells))
    if len(cells) == 1 and reading.delimiter is not None:
        _check_delimiter(rows[0][0], reading.delimiter, where)
    decimal = reading.decimal or _decimal(rows, delimiter)
    return Layout(delimiter, decimal, header, tuple(cells), lines[0] if header else 0)


def _sample(text: str, delimiter: str) -> tuple[list[list[str]], list[int]]:
    """Return the first rows, and the number of the line at which each ends."""
    reader = csv.reader(io.StringIO(text, newline="\n"), delimiter=delimiter)
    rows, lines = [], []
    size = 0
    # What is wrong in later rows is said where they are read, with the line.
    with long_cells(), contextlib.suppress(csv.Error):
        for row in reader:
            if row:
                rows.append(row)
                lines.append(reader.line_num)
                size += sum(map(len, row)) + len(row)
            if size > SAMPLE:
                break
    return rows, lines


def _likeliest(text: str, name: str) -> str:
    """Return the delimiter that splits the most rows as it splits the first."""
    if name.lower().endswith((".tsv", ".tab")):
        return "\t"
    scores = {}
    for delimiter in DELIMITERS:
        rows, _ = _sample(text[:SAMPLE], delimiter)
        # The last row of a sample may be cut.
        rows = rows[: max(1, len(rows) - 1)]
        width = len(rows[0]) if rows else 1
        alike = sum(len(row) == width for row in rows)
        if width > 1:
            scores[delimiter] = (alike / len(rows), width)
    return max(scores, key=lambda each: scores[each]) if scores else ","


def _is_header(cells: list[str], rows: list[list[str]], reading: Reading) -> bool:
    """Tell names from a first row of values: names are no numbers.

    Columns that hold numbers below decide. Where none does, the first row is names.
    Years that go up by one, and 0, 1, 2, ... are names too.
    """
    empty = reading.missing
    numeric = []
    for place, cell in enumerate(cells):
        below = [row[place].strip() for row in rows if len(row) == len(cells)]
        below = [each for each in below if each not in empty]
        if below and all(NUMBER.fullmatch(each) for each in below):
            numeric.append(cell)
    if not rows:
        return not all(NUMBER.fullmatch(cell) or cell in empty for cell in cells)
    if not numeric:
        return not (len(cells) == 1 and NUMBER.fullmatch(cells[0]))
    if not all(NUMBER.fullmatch(cell) or cell in empty for cell in numeric):
        return True
    return _are_years(numeric) or (len(cells) > 2 and cells == _places(len(cells)))


def _decimal(rows: list[list[str]], delimiter: str) -> str:
    """Return a comma where numbers have one, none has a point, and no doubt is left.

    1,234 alone may be a number of thousands.
    """
    if delimiter == ",":
        return "."
    cells = [cell.strip() for cell in chain.from_iterable(rows)]
    commas = [cell for cell in cells if _COMMA.fullmatch(cell)]
    sure = any(not _THOUSANDS.fullmatch(cell) for cell in commas)
    return "," if sure and not any(map(_POINT.fullmatch, cells)) else "."


def _are_years(cells: list[str]) -> bool:
    """Tell whether cells are years, one after the other."""
    if len(cells) < 2 or not all(map(_YEAR.fullmatch, cells)):
        return False
    first = int(cells[0])
    return cells == [str(first + place) for place in range(len(cells))]


def _places(number: int) -> list[str]:
    return [str(place) for place in range(number)]


def _checked(cells: list[str], where: str) -> list[str]:
    """Return names, none of them empty or double.

    The first may be empty: pandas writes the numbers of rows below it.
    """
    if not cells[0] and len(cells) > 1 and "index" not in cells:
        cells = ["index", *cells[1:]]
    seen = set()
    for place, name in enumerate(cells):
        if not name:
            raise DataError(
                f"{where}: expected a name for each column, got none for column "
                f"{place + 1} of {len(cells)}. Name it, or say header: false if the "
                "file has no names."
            )
        if name in seen:
            raise DataError(
                f"{where}: expected each column once, got {show(name)} twice. Rename "
                "one of them."
            )
        seen.add(name)
    return cells


def _check_delimiter(first: str, given: str, where: str) -> None:
    other = next((each for each in DELIMITERS if each in first), None)
    if other is not None and other != given:
        raise DataError(
            f"{where}: expected cells between {given!r}, got one column whose first "
            f"row holds {_NAMES[other]}. Say delimiter: {other!r}, or leave it out."
        )
