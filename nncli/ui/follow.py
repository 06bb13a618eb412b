"""Follow: the rows of a log that came since the last look."""

from __future__ import annotations

import contextlib
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nncli.core.files import open_file
from nncli.runs.rows import flat
from nncli.runs.untrusted import from_json, mapping, number, text

AT_ONCE = 2**20
"""Bytes that are read for one answer; who follows asks again for the rest."""

MOST_COLUMNS = 2000
MOST_CELLS = 2**18
"""Numbers, and gaps, in one answer: every column has a place for each row."""

_PLACE = re.compile(r"([0-9a-f]{1,16})-([0-9a-f]{1,16})")


@dataclass
class Piece:
    """Some rows of a log, as columns of numbers.

    Attributes:
        columns: The numbers by name (``train.loss``); None where a row has none.
        count: How many rows there are.
        labels: What layers are called, by name, where rows say so.
        place: Where the next piece begins, to be handed to ``follow``.
        anew: The rows before these are no longer part of the log.
        more: There is more to be read at once.
    """

    columns: dict[str, list[float | None]] = field(default_factory=dict)
    count: int = 0
    labels: dict[str, str] = field(default_factory=dict)
    place: str = ""
    anew: bool = True
    more: bool = False

    def add(self, row: dict[str, Any]) -> bool:
        """Take in the numbers of a row; lists and texts are left out.

        Returns:
            False, with nothing taken in, where there is no room for it.
        """
        numbers = {
            name: number(value)
            for name, value in flat(row).items()
            if value is None or number(value) is not None
        }
        new = [name for name in numbers if name not in self.columns]
        new = new[: MOST_COLUMNS - len(self.columns)]
        cells = (len(self.columns) + len(new)) * (self.count + 1)
        if self.count and cells > MOST_CELLS:
            return False
        for name, layer in mapping(row.get("layers")).items():
            if label := text(mapping(layer).get("label")):
                self.labels[name] = label
        self.columns |= {name: [] for name in new}
        for name in numbers.keys() & self.columns.keys():
            column = self.columns[name]
            column += [None] * (self.count - len(column))
            column.append(numbers[name])
        self.count += 1
        return True

    def finish(self) -> None:
        """Give all columns the same length."""
        for column in self.columns.values():
            column += [None] * (self.count - len(column))


def is_place(text: str) -> bool:
    """Whether a text may be the place of a piece."""
    return not text or _PLACE.fullmatch(text) is not None


def follow(path: Path, place: str = "", limit: int = AT_ONCE) -> Piece:
    """Read the rows behind a place, at most ``limit`` bytes and ``MOST_CELLS`` numbers.

    A resumed run writes its log anew: then the piece begins at the first row. A line
    that is no row is left out; one that is torn is waited for.

    Args:
        path: For example ``runs/spiral-1/metrics.jsonl``; it may be missing.
        place: What the piece before it said; "" for the beginning.
        limit: Bytes.

    Raises:
        OSError: The file cannot be read.
    """
    piece = Piece()
    try:
        file = open_file(path)
    except FileNotFoundError:
        return piece
    with file:
        found = os.fstat(file.fileno())
        begin = _begin(place, found)
        piece.anew = begin is None
        file.seek(begin or 0)
        data = file.read(limit)
    end = begin or 0
    for line in data[: data.rfind(b"\n") + 1].splitlines(keepends=True):
        with contextlib.suppress(ValueError):
            if not piece.add(mapping(from_json(line))):
                break
        end += len(line)
    piece.finish()
    piece.place = f"{found.st_ino:x}-{end:x}"
    piece.more = end > (begin or 0) and end < found.st_size
    return piece


def _begin(place: str, found: os.stat_result) -> int | None:
    """Return where a place is in a file; None where it is of another file."""
    match = _PLACE.fullmatch(place)
    if not match:
        return None
    inode, offset = (int(digits, 16) for digits in match.groups())
    return offset if inode == found.st_ino and offset <= found.st_size else None
