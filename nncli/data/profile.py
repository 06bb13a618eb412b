"""Profile: what the columns of a table hold, counted in one pass."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from nncli.core.arrays import Array
from nncli.data.table import Table
from nncli.tables.raw import Kind, RawColumn, RawTable
from nncli.tables.typed import spelled, spelled_booleans, spelled_dates

MOST = 1000
"""Different values that are counted one by one, of a column that is no category."""


@dataclass(frozen=True)
class Profile:
    """What one column holds.

    Attributes:
        name: Of the column.
        kind: Of its cells.
        rows: How many cells it has.
        missing: How many of them hold nothing.
        distinct: How many different values there are; None for more than MOST.
        counts: How often each occurs, the most frequent first, as texts; empty where
            ``distinct`` is None.
        low: The smallest number, or seconds of the first date.
        high: The largest, or the last.
        mean: Of the values that are there.
        whole: All of them are integers.
    """

    name: str
    kind: Kind
    rows: int
    missing: int
    distinct: int | None
    counts: tuple[tuple[str, int], ...]
    low: float
    high: float
    mean: float
    whole: bool

    @property
    def present(self) -> int:
        """How many cells hold something."""
        return self.rows - self.missing

    @property
    def ends(self) -> tuple[str, str] | None:
        """The smallest and the largest value as texts; None where none is there."""
        if not self.present or self.kind not in ("number", "date"):
            return None
        low, high = spell(self.kind, np.array([self.low, self.high]))
        return low, high


def profiles_of(table: RawTable, index: Array | None = None) -> list[Profile]:
    """Count what each column of a table holds.

    Args:
        table: Of any size: it is read block by block.
        index: Which rows; None for all.
    """
    counters = [_Counter(column) for column in table.columns]
    for cells in cells_of(table, index):
        for place, counter in enumerate(counters):
            counter.add(cells[:, place])
    return [counter.profile() for counter in counters]


def profile_of(column: RawColumn, cells: Iterable[Array]) -> Profile:
    """Count what one column holds.

    Args:
        column: Which one.
        cells: Its cells, some at a time.
    """
    counter = _Counter(column)
    for some in cells:
        counter.add(some)
    return counter.profile()


def cells_of(table: RawTable, index: Array | None = None) -> Iterator[Array]:
    """Yield (n, R) cells of a table, some rows at a time."""
    for (block,) in Table(table.values).blocks("x", index=index):
        yield block


def spell(kind: Kind, values: Array) -> list[str]:
    """Write numbers, booleans or dates as texts; numbers with up to six digits."""
    if kind == "date":
        return spelled_dates(np.floor(values))
    if kind == "boolean":
        return spelled_booleans(values)
    if bool((values == np.floor(values)).all() and (np.abs(values) < 1e15).all()):
        return spelled(values)
    return [f"{value:.6g}" for value in values.tolist()]


class _Counter:
    """Counts one column, block by block."""

    def __init__(self, column: RawColumn) -> None:
        self.column = column
        self.rows = self.missing = 0
        self.low, self.high, self.total, self.whole = np.inf, -np.inf, 0.0, True
        self.words = np.zeros(len(column.words), int)
        self.values, self.times = np.empty(0), np.empty(0, int)
        self.many = False

    def add(self, cells: Array) -> None:
        there = cells[~np.isnan(cells)]
        self.rows += len(cells)
        self.missing += len(cells) - len(there)
        if self.column.kind == "category":
            self.words += np.bincount(there.astype(np.intp), minlength=len(self.words))
            return
        if not len(there):
            return
        self.low = min(self.low, float(there.min()))
        self.high = max(self.high, float(there.max()))
        self.total += float(there.sum())
        self.whole = self.whole and bool((there == np.floor(there)).all())
        if not self.many:
            self._count(there)

    def _count(self, there: Array) -> None:
        values, times = np.unique(there, return_counts=True)
        every = np.concatenate([self.values, values])
        self.values, place = np.unique(every, return_inverse=True)
        both = np.concatenate([self.times, times])
        self.times = np.bincount(place, both, len(self.values)).astype(int)
        self.many = len(self.values) > MOST

    def profile(self) -> Profile:
        column, texts = self.column, list(self.column.words)
        times = self.words
        if column.kind != "category":
            times = np.empty(0, int) if self.many else self.times
            texts = [] if self.many else spell(column.kind, self.values)
        order = np.argsort(-times, kind="stable")
        counts = [(texts[i], int(times[i])) for i in order if times[i]]
        present = self.rows - self.missing
        return Profile(
            column.name,
            column.kind,
            self.rows,
            self.missing,
            None if self.many else len(counts),
            tuple(counts),
            self.low,
            self.high,
            self.total / max(present, 1),
            self.whole,
        )
