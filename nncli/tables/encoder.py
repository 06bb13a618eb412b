"""Encoder: what was learned of the columns of a table, and how rows become inputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from nncli.core.arrays import Array
from nncli.tables.raw import RawColumn, RawTable

Cycle = Literal["year", "week", "day"]

PERIODS: dict[Cycle, float] = {"year": 31_556_952.0, "week": 604_800.0, "day": 86_400.0}
"""Seconds of the cycles that dates are given in; a year is the mean Gregorian one."""

UNSEEN, MISSING, FIRST_WORD = 0, 1, 2
"""Rows of an embedding: rare and unseen categories, missing cells, then the words."""


@dataclass(frozen=True)
class Number:
    """A number, or a boolean as 0 and 1: (f(v) − center) / scale.

    Attributes:
        name: Of the column.
        kind: Of its cells.
        fill: What stands for a missing cell.
        indicator: Whether one more input says that the cell is missing.
        log: f(v) = sign(v)·ln(1 + |v|), else f(v) = v.
        quantiles: f(v) = share of training values below v, between these; empty for
            none.
        center: What becomes 0.
        scale: What becomes 1 beside it.
    """

    name: str
    kind: Literal["number", "boolean"]
    fill: float
    indicator: bool = False
    log: bool = False
    quantiles: tuple[float, ...] = ()
    center: float = 0.0
    scale: float = 1.0

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the inputs that it becomes."""
        return (self.name, *([f"{self.name} is missing"] if self.indicator else []))

    def curve(self, values: Array) -> Array:
        """Return f of (n,) values."""
        if self.quantiles:
            return np.interp(
                values, self.quantiles, np.linspace(0, 1, len(self.quantiles))
            )
        return signed_log(values) if self.log else values


@dataclass(frozen=True)
class Category:
    """A category: one input for each word, or the row of an embedding.

    Attributes:
        name: Of the column.
        kind: Of its cells.
        words: Those that training rows hold often enough, in alphabetical order.
        other: Whether training rows hold rare ones, which have one input together;
            without it those and unseen ones are zeros in all inputs.
        missing: Whether training rows miss some, which has an input of its own.
        dimensions: Of the embedding; 0 where words have an input each.
    """

    name: str
    kind: Literal["category"]
    words: tuple[str, ...]
    other: bool = False
    missing: bool = False
    dimensions: int = 0

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the inputs that it becomes."""
        if self.dimensions:
            return (self.name,)
        more = ["(other)"] * self.other + ["(missing)"] * self.missing
        return tuple(f"{self.name}={word}" for word in (*self.words, *more))

    def places(self, words: Sequence[str]) -> Array:
        """Return, of each word of another table and of a missing cell, what it becomes.

        Returns:
            (words + 1,) places among the inputs, −1 for zeros in all of them; or rows
            of the embedding.
        """
        known = {word: place for place, word in enumerate(self.words)}
        if self.dimensions:
            found = [known.get(word, UNSEEN - FIRST_WORD) for word in words]
            return np.array([*(place + FIRST_WORD for place in found), MISSING])
        count = len(known)
        other = count if self.other else -1
        missing = count + self.other if self.missing else -1
        return np.array([*(known.get(word, other) for word in words), missing])


@dataclass(frozen=True)
class Date:
    """A date: its time, (t − center) / scale, and its place in cycles.

    Attributes:
        name: Of the column.
        kind: Of its cells.
        fill: The time that stands for a missing one.
        center: The time that becomes 0, in seconds since 1970.
        scale: Seconds that become 1.
        cycles: Names in ``PERIODS``: sine and cosine of 2πt / period for each.
        indicator: Whether one more input says that the cell is missing.
        format: How it is written, in strftime's letters; None for ISO 8601.
    """

    name: str
    kind: Literal["date"]
    fill: float
    center: float
    scale: float
    cycles: tuple[Cycle, ...] = ()
    indicator: bool = False
    format: str | None = None

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the inputs that it becomes."""
        waves = [f"{f} of the {c}" for c in self.cycles for f in ("sine", "cosine")]
        more = [*waves, *(["is missing"] if self.indicator else [])]
        return (self.name, *(f"{self.name} {name}" for name in more))


Fitted = Number | Category | Date


@dataclass(frozen=True)
class Encoder:
    """Columns of a table as inputs of a network, as the training part taught.

    The inputs are those of each column in turn; codes of embeddings come last.

    Attributes:
        columns: What was learned of each column.
    """

    columns: tuple[Fitted, ...]

    @cached_property
    def ordered(self) -> tuple[Fitted, ...]:
        """The columns in the order of their inputs: embedded ones last."""
        return tuple(sorted(self.columns, key=is_embedded))

    @cached_property
    def features(self) -> tuple[str, ...]:
        """Names of the inputs, in order."""
        return tuple(name for column in self.ordered for name in column.features)

    @cached_property
    def embedded(self) -> tuple[tuple[int, int], ...]:
        """(rows, dimensions) of the embedding of each column that has one."""
        return tuple(
            (len(column.words) + FIRST_WORD, column.dimensions)
            for column in self.ordered
            if isinstance(column, Category) and column.dimensions
        )

    @property
    def wanted(self) -> tuple[RawColumn, ...]:
        """The columns that a table must have, by name and in order."""
        return tuple(
            RawColumn(column.name, column.kind, getattr(column, "words", ()))
            for column in self.columns
        )

    @property
    def formats(self) -> dict[str, str]:
        """How dates are written, by column, where it is not ISO 8601."""
        return {
            column.name: column.format
            for column in self.columns
            if isinstance(column, Date) and column.format is not None
        }

    def of(self, table: RawTable) -> Encoding:
        """Return how rows of a table, which has all the columns, become inputs."""
        return Encoding(self, table)


def signed_log(values: Array) -> Array:
    """Return sign(v)·ln(1 + |v|)."""
    return np.sign(values) * np.log1p(np.abs(values))


def is_embedded(column: Fitted) -> bool:
    """Whether a column becomes the row of an embedding."""
    return isinstance(column, Category) and bool(column.dimensions)


class Encoding:
    """An encoder beside the columns of one table.

    Args:
        encoder: What was learned.
        table: Has all its columns, anywhere and in any order.
    """

    def __init__(self, encoder: Encoder, table: RawTable) -> None:
        places = {column.name: i for i, column in enumerate(table.columns)}
        numbers: list[tuple[Number, int]] = []
        self._categories: list[tuple[int, slice, Array, bool]] = []
        self._dates: list[tuple[int, int, Date]] = []
        at, indicators = 0, []
        self._to: list[int] = []
        for column in encoder.ordered:
            place = places[column.name]
            if isinstance(column, Number):
                if column.indicator:
                    indicators.append((len(numbers), at + 1))
                numbers.append((column, place))
                self._to.append(at)
            elif isinstance(column, Category):
                codes = column.places(table.columns[place].words)
                to = slice(at, at + len(column.features))
                self._categories.append((place, to, codes, bool(column.dimensions)))
            else:
                self._dates.append((place, at, column))
            at += len(column.features)
        self._from = [place for _, place in numbers]
        self._curves = [
            (i, column)
            for i, (column, _) in enumerate(numbers)
            if column.log or column.quantiles
        ]
        self._fill = np.array([column.fill for column, _ in numbers])
        self._center = np.array([column.center for column, _ in numbers])
        self._scale = np.array([column.scale for column, _ in numbers])
        self._indicators = indicators

    def apply(self, cells: Array, out: Array) -> None:
        """Write the inputs of some rows.

        Args:
            cells: (n, R) as the table holds them.
            out: (n, F) of any floating-point type.
        """
        if self._from:
            self._numbers(cells[:, self._from], out)
        for place, at, date in self._dates:
            _dated(cells[:, place], date, out[:, at:])
        rows = np.arange(len(cells))
        for place, to, codes, embedded in self._categories:
            column = cells[:, place]
            words = np.where(np.isnan(column), len(codes) - 1, column).astype(np.intp)
            found = codes[words]
            if embedded:
                out[:, to.start] = found
            else:
                out[:, to] = 0
                known = found >= 0
                out[rows[known], to.start + found[known]] = 1

    def _numbers(self, values: Array, out: Array) -> None:
        missing = np.isnan(values)
        np.copyto(values, self._fill, where=missing)
        for i, column in self._curves:
            values[:, i] = column.curve(values[:, i])
        np.subtract(values, self._center, out=values)
        np.divide(values, self._scale, out=values)
        out[:, self._to] = values
        for i, at in self._indicators:
            out[:, at] = missing[:, i]


def _dated(seconds: Array, date: Date, out: Array) -> None:
    missing = np.isnan(seconds)
    seconds = np.where(missing, date.fill, seconds)
    out[:, 0] = (seconds - date.center) / date.scale
    for i, name in enumerate(date.cycles):
        angle = seconds * (2 * np.pi / PERIODS[name])
        out[:, 2 * i + 1] = np.where(missing, 0, np.sin(angle))
        out[:, 2 * i + 2] = np.where(missing, 0, np.cos(angle))
    if date.indicator:
        out[:, 2 * len(date.cycles) + 1] = missing
