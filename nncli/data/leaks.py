"""Leaks: rows that several parts share, and columns that tell the target alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from nncli.core.arrays import Array
from nncli.data.base import Rows
from nncli.data.profile import cells_of
from nncli.data.table import Table
from nncli.tables.fit import SAMPLE
from nncli.tables.raw import RawTable

SURE = 0.99
"""Share of rows whose class a single column must tell."""

REST = 0.1
"""Share of the majority's errors that it may leave."""

CORRELATED, EXPLAINED = 0.999, 0.998
"""Size of the correlation of two numbers, and share of a number's variance."""

EACH = 10
"""Rows that there must be for each different value."""

VALUES, BINS = 256, 64
"""Numbers of more different values are looked at in so many bins."""

CELLS = 2**18
"""Of a table of values against classes, at most."""


@dataclass(frozen=True)
class Telling:
    """A column that tells the target by itself.

    Attributes:
        column: Its name.
        score: How well, from 0 to 1.
        how: What the score is.
    """

    column: str
    score: float
    how: str


def telling(
    table: RawTable, inputs: Sequence[str], target: str, *, classes: bool
) -> list[Telling]:
    """Find columns of which the target nearly follows, in one pass over a table.

    Args:
        table: The columns.
        inputs: Which of them are looked at.
        target: Name of the target's column.
        classes: Whether it holds classes, rather than numbers.
    """
    y = table.names.index(target)
    places = [table.names.index(name) for name in inputs]
    sample = _sample(table)
    goals = np.unique(sample[:, y][~np.isnan(sample[:, y])])
    if len(goals) < 2:
        return []
    kinds = [table.columns[place].kind for place in places]
    judges: list[_Classes | _Groups | _Line] = []
    for place, kind in zip(places, kinds, strict=True):
        binned = kind == "category" or classes
        goal = sample[:, y] if classes else None
        bins = _Bins.of(table, place, sample[:, place], goal) if binned else None
        if classes and bins and bins.count * (len(goals) + 1) <= CELLS:
            judges.append(_Classes(place, bins, goals))
        elif not classes and bins:
            judges.append(_Groups(place, bins))
        elif not classes and kind != "category":
            judges.append(_Line(place))
    for cells in cells_of(table):
        there = cells[~np.isnan(cells[:, y])]
        for judge in judges:
            judge.add(there[:, judge.place], there[:, y])
    found = []
    for judge in judges:
        score = judge.score()
        if score is not None:
            found.append(Telling(table.names[judge.place], score, judge.how))
    return found


def shared_rows(
    rows: Rows, parts: Mapping[str, Array | None], columns: Sequence[int] | None = None
) -> tuple[dict[str, int], dict[tuple[str, str], int]]:
    """Count rows whose inputs occur more than once.

    Args:
        rows: Of any kind.
        parts: Places of each part's rows; None for all.
        columns: Which elements of flat inputs are compared; None for all.

    Returns:
        By part, its rows that repeat another one of it; by two parts, the rows of the
        second one that the first one has too.
    """
    hashes = {
        name: _hashes(rows, index, columns)
        for name, index in parts.items()
        if rows.fields["x"].shape or columns
    }
    inside = {name: len(each) - len(np.unique(each)) for name, each in hashes.items()}
    between = {
        (a, b): int(np.isin(hashes[b], hashes[a]).sum())
        for a, b in combinations(hashes, 2)
    }
    return inside, between


def _hashes(rows: Rows, index: Array | None, columns: Sequence[int] | None) -> Array:
    made = []
    for (block,) in rows.blocks("x", index=index):
        flat = block.reshape(len(block), -1)
        made.append(_hash(flat if columns is None else flat[:, list(columns)]))
    return np.concatenate(made) if made else np.empty(0, np.uint64)


def _hash(block: Array) -> Array:
    """Return 64 bits for each row: a sum of mixed bits by odd factors, mixed again.

    Mixing by shifts and factors: Steele, Lea and Flood 2014 (SplitMix).
    """
    values = block.astype(np.float64) + 0.0
    bits = np.where(np.isnan(values), np.nan, values).view(np.uint64)
    draw = np.random.default_rng(0).integers
    factors = draw(2**63, size=bits.shape[1], dtype=np.uint64) * 2 + 1
    total: Array = ((bits ^ (bits >> np.uint64(32))) * factors).sum(axis=1)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        total = (total ^ (total >> np.uint64(shift))) * np.uint64(factor)
    return total


def _sample(table: RawTable) -> Array:
    rows = Table(table.values)
    return rows.read("x", np.arange(len(rows))[:: max(1, -(-len(rows) // SAMPLE))])


@dataclass(frozen=True)
class _Bins:
    """Which of a few groups a cell belongs to: by its word, or between which edges.

    Attributes:
        edges: Between the groups of numbers; None for words.
        count: How many groups there are, one for missing cells among them.
    """

    edges: Array | None
    count: int

    @classmethod
    def of(
        cls, table: RawTable, place: int, sample: Array, goal: Array | None
    ) -> _Bins | None:
        """Return groups of enough rows each; None where there are none.

        Args:
            table: Where the column is.
            place: Which one it is.
            sample: Some of its cells.
            goal: The classes of their rows; None where the target is a number.
        """
        column, rows = table.columns[place], len(table.values)
        if column.kind == "category":
            count = len(column.words)
            return cls(None, count + 1) if count * EACH <= rows else None
        values = np.unique(sample[~np.isnan(sample)])
        most = min(BINS, rows // EACH)
        if len(values) < 2 or most < 2:
            return None
        changes = None if goal is None else _changes(sample, goal)
        if changes is not None:
            edges = changes
        elif len(values) > min(VALUES, rows // EACH):
            shares = np.linspace(0, 1, most + 1)[1:-1]
            edges = np.unique(np.quantile(sample[~np.isnan(sample)], shares))
        else:
            edges = (values[1:] + values[:-1]) / 2
        return cls(edges, len(edges) + 2)

    def place(self, cells: Array) -> Array:
        """Return the group of each cell."""
        groups = cells if self.edges is None else np.searchsorted(self.edges, cells)
        found: Array = np.where(np.isnan(cells), self.count - 1, groups).astype(np.intp)
        return found


def _changes(sample: Array, goal: Array) -> Array | None:
    """Return between which values classes change, if each lies together, or nearly."""
    there = ~np.isnan(sample) & ~np.isnan(goal)
    values, classes = sample[there], goal[there]
    order = np.lexsort((classes, values))
    values, classes = values[order], classes[order]
    at = np.flatnonzero(classes[1:] != classes[:-1])
    if not 0 < len(at) <= 2 * (len(np.unique(classes)) - 1):
        return None
    return np.unique((values[at] + values[at + 1]) / 2)


class _Classes:
    """Counts classes for each group: the most frequent one is what it tells."""

    how = "share of rows whose class it tells"

    def __init__(self, place: int, bins: _Bins, goals: Array) -> None:
        self.place, self._bins, self._goals = place, bins, goals
        self._counts = np.zeros((bins.count, len(goals) + 1), int)

    def add(self, cells: Array, y: Array) -> None:
        where = np.searchsorted(self._goals, y).clip(0, len(self._goals) - 1)
        # Rare classes that the sample missed are one class together.
        where = np.where(self._goals[where] == y, where, len(self._goals))
        np.add.at(self._counts, (self._bins.place(cells), where), 1)

    def score(self) -> float | None:
        rows = self._counts.sum()
        wrong = rows - self._counts.max(axis=1).sum()
        guessed = rows - self._counts.sum(axis=0).max()
        told = float(1 - wrong / max(rows, 1))
        return told if told > SURE and wrong <= REST * guessed else None


class _Groups:
    """Compares the variance of a number between groups with that inside them."""

    how = "share of the target's variance that it explains"

    def __init__(self, place: int, bins: _Bins) -> None:
        self.place, self._bins = place, bins
        self._sums = np.zeros((3, bins.count))
        self._origin: float | None = None

    def add(self, cells: Array, y: Array) -> None:
        if self._origin is None and len(y):
            self._origin = float(y[0])
        groups, near = self._bins.place(cells), y - (self._origin or 0.0)
        for row, values in enumerate((np.ones(len(near)), near, near**2)):
            self._sums[row] += np.bincount(groups, values, self._bins.count)

    def score(self) -> float | None:
        rows, total, squares = self._sums
        whole = squares.sum() - total.sum() ** 2 / max(rows.sum(), 1)
        inside = (squares - total**2 / np.maximum(rows, 1)).sum()
        told = float(1 - inside / whole) if whole > 0 else 0.0
        return told if told > EXPLAINED else None


class _Line:
    """The correlation of two numbers, over the rows that have both."""

    how = "size of its correlation with the target"

    def __init__(self, place: int) -> None:
        self.place = place
        self._origin: Array | None = None
        self._rows = 0
        self._sums, self._products = np.zeros(2), np.zeros((2, 2))

    def add(self, cells: Array, y: Array) -> None:
        pairs = np.stack([cells, y])[:, ~np.isnan(cells)]
        if not pairs.size:
            return
        if self._origin is None:
            self._origin = pairs[:, :1].copy()
        pairs = pairs - self._origin
        self._rows += pairs.shape[1]
        self._sums += pairs.sum(axis=1)
        self._products += pairs @ pairs.T

    def score(self) -> float | None:
        if self._rows < EACH:
            return None
        means = self._sums / self._rows
        spread = self._products / self._rows - np.outer(means, means)
        size = spread[0, 0] * spread[1, 1]
        told = abs(float(spread[0, 1] / np.sqrt(size))) if size > 0 else 0.0
        return min(told, 1.0) if told > CORRELATED else None
