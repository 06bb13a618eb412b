"""Rows: the log of evaluations, as JSON lines and as a table beside them."""

from __future__ import annotations

import csv
import io
import itertools
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nncli.core.atomic import write_bytes
from nncli.core.errors import RunError
from nncli.core.files import append_text, naming, open_file
from nncli.core.text import spreadsheet_text
from nncli.runs.late import LateLines
from nncli.runs.untrusted import from_json, mapping

MAX_ROW_BYTES = 2**20

TAIL = 2**14
"""Bytes at the end of a log that are looked at first for its last row."""


class RowLog:
    """The rows of a run.

    The JSON lines are what is read back. The table holds the same, a column for each
    number, and is written anew where it does not follow from them.

    Args:
        path: For example ``runs/spiral-1/metrics.jsonl``.
        table: For example ``runs/spiral-1/metrics.csv``.
    """

    def __init__(self, path: Path, table: Path) -> None:
        self.path = path
        self.table = table
        self._columns: dict[str, None] | None = None
        self._lines = LateLines(table)

    def append(self, row: dict[str, Any]) -> None:
        """Add one evaluation.

        Raises:
            OSError: With the path of the file.
        """
        append_text(self.path, json.dumps(row, allow_nan=False) + "\n")
        cells = flat(row)
        if self._columns is None or not cells.keys() <= self._columns.keys():
            self._write_table()
            return
        self._lines.add(_line([cells.get(name) for name in self._columns]))

    def finish_table(self) -> None:
        """Write to the table what is not in it yet."""
        self._lines.finish()

    def sync(self) -> None:
        """Make sure that all rows survive a loss of power."""
        self.finish_table()
        if self.path.exists():
            with naming(self.path), open_file(self.path) as file:
                os.fsync(file.fileno())

    def keep(self, count: int) -> None:
        """Drop the rows that were written after a checkpoint.

        Raises:
            RunError: There are fewer rows than the checkpoint knows of.
        """
        lines = [line for _, line in itertools.islice(read_rows(self.path), count)]
        if len(lines) < count:
            raise RunError(
                f"{self.path}: expected at least the {count} rows that the "
                f"checkpoint was saved after, got {len(lines)}."
            )
        write_bytes(self.path, b"".join(lines))
        self._write_table()

    def _write_table(self) -> None:
        """Write the table of all rows; of no rows there is none."""
        self._lines.forget()
        rows = [flat(row) for row, _ in read_rows(self.path)]
        self._columns = {name: None for row in rows for name in row} if rows else None
        if self._columns is None:
            self.table.unlink(missing_ok=True)
            return
        lines = [_line([spreadsheet_text(name) for name in self._columns])]
        lines += [_line([row.get(name) for name in self._columns]) for row in rows]
        write_bytes(self.table, "".join(lines).encode(errors="backslashreplace"))


def read_rows(path: Path) -> Iterator[tuple[dict[str, Any], bytes]]:
    """Yield rows and their lines, up to the first that is not whole."""
    if not path.exists():
        return
    with open_file(path) as file:
        while line := file.readline(MAX_ROW_BYTES):
            try:
                row = from_json(line)
            except ValueError:
                row = None
            # The last line of a run that was killed may be torn.
            if not isinstance(row, dict) or not line.endswith(b"\n"):
                return
            yield row, line


def last_row(path: Path) -> dict[str, Any]:
    """Return the last whole row of a log; nothing where there is none.

    Raises:
        OSError: It cannot be read.
    """
    if not path.exists():
        return {}
    with open_file(path) as file:
        size = file.seek(0, os.SEEK_END)
        # The rows before it may be very many.
        for length in (TAIL, 2 * MAX_ROW_BYTES):
            begin = file.seek(max(0, size - length))
            if row := _last_of(file.read(length), whole=not begin):
                return row
    return {}


def _last_of(text: bytes, *, whole: bool) -> dict[str, Any]:
    """Return the last whole row in a piece of a log, which may begin inside a row."""
    # The last line of a run that was killed may be torn.
    lines = text.split(b"\n")[:-1]
    for line in reversed(lines if whole else lines[1:]):
        try:
            return mapping(from_json(line))
        except ValueError:
            continue
    return {}


def flat(row: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return a row with names like ``train.loss``, instead of mappings inside it."""
    cells: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, dict):
            cells |= flat(value, f"{prefix}{name}.")
        else:
            cells[prefix + name] = value
    return cells


def _line(cells: list[Any]) -> str:
    """Write a line of CSV; numbers read back to the same bits, None is empty."""
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(map(_cell, cells))
    return line.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, str):
        return spreadsheet_text(value)
    if isinstance(value, bool | list):
        return json.dumps(value)
    return value
