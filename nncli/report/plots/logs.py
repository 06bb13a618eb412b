"""Logs: columns of a run's rows, as numbers that can be drawn."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nncli.core.arrays import Array
from nncli.runs.rows import read_rows
from nncli.runs.untrusted import mapping, number

MOST_POINTS = 1_000
"""Points of a line: more are not told apart on 1,200 pixels."""

WIDE = 50.0
"""How many times the least value the largest is from where on logarithms are shown."""

MOST_ROWS = 50_000
"""Rows of a log that are kept at most, evenly spaced."""

Row = dict[str, Any]


def some_rows(path: Path, step: int | None = None) -> list[Row]:
    """Return the whole rows of a log; of more than are kept some, and the last.

    Args:
        path: The log; where it cannot be read, there are no rows.
        step: Whose row is among them.
    """
    rows: list[tuple[int, Row]] = []
    every, marked = 1, -1

    def stays(place: int) -> bool:
        return place % every == 0 or place == marked

    try:
        for place, (row, _) in enumerate(read_rows(path)):
            if rows and not stays(rows[-1][0]):
                rows.pop()
            if len(rows) == MOST_ROWS:
                every *= 2
                rows = [each for each in rows if stays(each[0])]
            if marked < 0 and step is not None and row.get("step") == step:
                marked = place
            rows.append((place, row))
    except OSError:
        pass
    return [row for _, row in rows]


def column(rows: Sequence[Row], *path: str) -> Array:
    """Return (n,) numbers at a place of each row; NaN where there is none."""
    found = []
    for row in rows:
        value: Any = row
        for name in path:
            value = mapping(value).get(name)
        known = number(value)
        found.append(np.nan if known is None else known)
    return np.array(found, np.float64)


def axis(rows: Sequence[Row]) -> tuple[str, Array]:
    """Return what rows are drawn over, and where: epochs, or steps within them."""
    epochs = column(rows, "epoch")
    if len(epochs) and np.isfinite(epochs).all() and (np.diff(epochs) > 0).all():
        return "epoch", epochs
    return "step", column(rows, "step")


def suits_log(*lines: Array) -> bool:
    """Whether values are above 0 and so far apart that small ones would be a line."""
    values = np.concatenate([*lines, np.empty(0)])
    values = values[np.isfinite(values)]
    if not len(values) or values.min() <= 0:
        return False
    return bool(values.max() > WIDE * values.min())


def in_bins(values: Array) -> tuple[Array, Array, Array]:
    """Return places, medians and largest values of at most some bins of a line.

    Returns:
        Where the middle of each bin is in the line, and both values, NaN for none.
    """
    bins = np.array_split(np.arange(len(values)), min(len(values), MOST_POINTS // 2))
    places = np.array([each[len(each) // 2] for each in bins])
    known = [values[each][np.isfinite(values[each])] for each in bins]
    medians = [np.median(each) if len(each) else np.nan for each in known]
    largest = [each.max() if len(each) else np.nan for each in known]
    return places, np.array(medians), np.array(largest)
