"""CSV of plain numbers: columns by name, read by NumPy."""

from __future__ import annotations

import csv
import gzip
import io
import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from nncli.core.arrays import Array
from nncli.core.errors import DataError
from nncli.core.files import open_file

MAX_COLUMNS = 100_000


class Columns:
    """The columns of a CSV file, as texts until they are asked for as numbers.

    Args:
        source: What messages call the file.
        names: Of the columns, in order.
        rows: The cells.
        first: Number of the line of the first row.
    """

    def __init__(
        self, source: str, names: list[str], rows: list[list[str]], first: int
    ) -> None:
        self.source = source
        self.names = names
        self._cells = dict(zip(names, zip(*rows, strict=True), strict=True))
        self._first = first

    def numbers(self, name: str) -> Array:
        """Return a column as float64.

        Raises:
            DataError: A cell holds something else; the first one is named.
        """
        cells = self._cells[name]
        try:
            return np.array(cells, np.float64)
        except ValueError:
            wrong = [(i, cell) for i, cell in enumerate(cells) if not _is_number(cell)]
            row, cell = wrong[0]
            raise DataError(
                f"{self.source}:{self._first + row}: column {name!r}: expected a "
                f"number, got {cell!r} ({len(wrong):,} of {len(cells):,} rows hold no "
                "number). Drop the column, or write its values as numbers."
            ) from None

    def values(self, name: str) -> Array:
        """Return a column as numbers, or as texts where it holds some."""
        cells = self._cells[name]
        try:
            return np.array(cells, np.float64)
        except ValueError:
            return np.array(cells)


def read_csv(path: Path | None, delimiter: str = ",") -> tuple[list[str], Columns]:
    """Read a CSV file; a first line with a text in it names the columns.

    Args:
        path: The file, gzip where it ends in ``.gz``; None for standard input.
        delimiter: What stands between two values.

    Returns:
        The names (``0``, ``1``, ... where the file has none) and the columns.

    Raises:
        DataError: It is missing or no table.
    """
    source = "stdin" if path is None else str(path)
    try:
        if path is None:
            return _parse(sys.stdin, source, delimiter)
        with (
            open_file(path) as opened,
            gzip.open(opened) if path.suffix == ".gz" else opened as plain,
            io.TextIOWrapper(plain, "utf-8-sig", newline="") as file,
        ):
            return _parse(file, source, delimiter)
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{source}: expected a CSV file, got: {error}.") from None


def _parse(
    lines: Iterable[str], source: str, delimiter: str
) -> tuple[list[str], Columns]:
    rows = [row for row in csv.reader(lines, delimiter=delimiter) if row]
    if not rows:
        raise DataError(f"{source}: expected rows, got an empty file.")
    titled = not all(map(_is_number, rows[0]))
    names = [name.strip() for name in rows[0]] if titled else []
    if titled:
        rows = rows[1:]
    else:
        names = [str(place) for place in range(len(rows[0]))]
    if len(names) > MAX_COLUMNS:
        raise DataError(f"{source}: expected at most {MAX_COLUMNS:,} columns.")
    double = next((name for name in names if names.count(name) > 1), None)
    if double is not None:
        raise DataError(f"{source}: expected each column once, got {double!r} twice.")
    if not rows:
        raise DataError(f"{source}: expected rows below the names, got none.")
    first = 2 if titled else 1
    for number, row in enumerate(rows, start=first):
        if len(row) != len(names):
            raise DataError(
                f"{source}:{number}: expected {len(names)} values, got {len(row)}."
            )
    return names, Columns(source, names, rows, first)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
