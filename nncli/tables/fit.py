"""Fit: what the training rows of a table teach about its columns."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from nncli.core.arrays import Array
from nncli.core.errors import DataError
from nncli.core.moments import Moments
from nncli.tables.encoder import (
    PERIODS,
    Category,
    Cycle,
    Date,
    Encoder,
    Fitted,
    Number,
    signed_log,
)
from nncli.tables.raw import RawColumn
from nncli.tables.settings import Column, Scaling

SAMPLE = 2**18
"""Training rows that medians and quantiles are taken of, at most, evenly spaced."""

QUANTILES = 1000
"""Values that a quantile scaling is kept as, at most."""


def fit(
    columns: Sequence[RawColumn],
    settings: Mapping[str, Column],
    scaling: Scaling,
    blocks: Iterable[Array],
    sample: Array,
) -> Encoder:
    """Learn how columns become inputs, in one pass over the training rows.

    Args:
        columns: Those that are inputs.
        settings: What the config says of some of them, by name.
        scaling: Of the columns that it says nothing of.
        blocks: (n, R) their cells in the training rows, some rows at a time.
        sample: (m, R) the cells of at most SAMPLE of these rows.

    Raises:
        DataError: A setting does not fit the type of its column.
    """
    told = [settings.get(column.name, Column()) for column in columns]
    for column, setting in zip(columns, told, strict=True):
        fault = setting.fault(column.kind)
        if fault:
            raise DataError(f"column {column.name!r}: {fault}")
    scalings = [setting.scaling or scaling for setting in told]
    seen = _Seen(columns, [name == "log" for name in scalings])
    for block in blocks:
        seen.add(block)
    fitted: list[Fitted] = []
    for i, (column, setting) in enumerate(zip(columns, told, strict=True)):
        if column.kind == "category":
            fitted.append(_category(column, setting, seen.words[i]))
            continue
        missing = bool(seen.missing[i])
        indicator = missing if setting.indicator is None else setting.indicator
        values = sample[:, i][~np.isnan(sample[:, i])]
        if column.kind == "date":
            found = _date(column, indicator, seen, i, values)
            fitted.append(replace(found, format=setting.format))
            continue
        fill = setting.missing
        if isinstance(fill, str):
            fill = _middle(values) if fill == "median" else _mean(values)
        fitted.append(_number(column, fill, indicator, scalings[i], seen, i, values))
    return Encoder(tuple(fitted))


class _Seen:
    """Counts, moments and extremes of the columns, and of words how often each is.

    Args:
        columns: What the blocks hold.
        logs: Of which columns ln(1 + |v|) with v's sign is scaled.
    """

    def __init__(self, columns: Sequence[RawColumn], logs: Sequence[bool]) -> None:
        size = len(columns)
        self.logs = np.flatnonzero(logs)
        self.missing = np.zeros(size, int)
        self.moments = Moments()
        self.least, self.largest = np.full(size, np.inf), np.full(size, -np.inf)
        self.whole_days = np.ones(size, bool)
        # One place more for cells that are missing.
        self.words = {
            i: np.zeros(len(column.words) + 1, int)
            for i, column in enumerate(columns)
            if column.kind == "category"
        }
        self.dates = [i for i, column in enumerate(columns) if column.kind == "date"]

    def add(self, cells: Array) -> None:
        """Count another block of (n, R) cells."""
        absent = np.isnan(cells)
        self.missing += absent.sum(axis=0)
        for i, words in self.words.items():
            codes = np.where(absent[:, i], len(words) - 1, cells[:, i])
            words += np.bincount(codes.astype(np.intp), minlength=len(words))
        for i in self.dates:
            days = cells[:, i][~absent[:, i]] % PERIODS["day"]
            self.whole_days[i] &= not days.any()
        values = cells
        if self.logs.size:
            values = cells.copy()
            values[:, self.logs] = signed_log(cells[:, self.logs])
        self.moments.add(values, absent)
        least = np.where(absent, np.inf, values).min(axis=0)
        largest = np.where(absent, -np.inf, values).max(axis=0)
        self.least = np.minimum(self.least, least)
        self.largest = np.maximum(self.largest, largest)


def _number(
    column: RawColumn,
    fill: float,
    indicator: bool,
    scaling: Scaling,
    seen: _Seen,
    i: int,
    values: Array,
) -> Number:
    center, scale, quantiles = 0.0, 1.0, ()
    if not values.size or scaling == "none":
        pass
    elif scaling in ("standard", "log"):
        center, scale = float(seen.moments.mean[i]), float(seen.moments.deviation[i])
    elif scaling == "min_max":
        center = float(seen.least[i])
        scale = float(seen.largest[i]) - center
    elif scaling == "robust":
        low, center, high = map(float, np.quantile(values, (0.25, 0.5, 0.75)))
        scale = high - low
    else:
        shares = np.linspace(0, 1, min(QUANTILES, values.size))
        quantiles = tuple(np.quantile(values, shares).tolist())
    return Number(
        column.name,
        "boolean" if column.kind == "boolean" else "number",
        float(fill),
        indicator,
        scaling == "log",
        quantiles,
        center,
        scale if scale > 0 else 1.0,
    )


def dimensions_of(words: int) -> int:
    """Return how many numbers stand for each of so many categories.

    fastai's rule of thumb, found by trying many tables.
    """
    return min(600, round(1.6 * math.pow(words + 2, 0.56)))


def _category(column: RawColumn, setting: Column, counts: Array) -> Category:
    *found, missing = counts.tolist()
    times = dict(zip(column.words, found, strict=True))
    words = sorted(word for word, count in times.items() if count >= setting.rare)
    words = [word for word in words if times[word]]
    other = any(0 < count < setting.rare for count in found)
    dimensions = 0
    if len(words) > setting.one_hot:
        dimensions = dimensions_of(len(words))
    return Category(
        column.name, "category", tuple(words), other, missing > 0, dimensions
    )


def _date(
    column: RawColumn, indicator: bool, seen: _Seen, i: int, values: Array
) -> Date:
    span = float(seen.largest[i] - seen.least[i]) if values.size else 0.0
    cycles: list[Cycle] = []
    # A cycle that training rows saw little of says no more than the time itself.
    if span >= PERIODS["year"] / 2:
        cycles.append("year")
    if span >= PERIODS["week"] / 2:
        cycles.append("week")
    if not seen.whole_days[i]:
        cycles.append("day")
    return Date(
        column.name,
        "date",
        _middle(values),
        float(seen.moments.mean[i]),
        float(seen.moments.deviation[i]),
        tuple(cycles),
        indicator,
    )


def _middle(values: Array) -> float:
    return float(np.median(values)) if values.size else 0.0


def _mean(values: Array) -> float:
    return float(values.mean()) if values.size else 0.0
