"""Canvas: a chart of characters."""

from __future__ import annotations

import numpy as np
from rich.text import Text

from nncli.core.arrays import Array
from nncli.core.text import printable, shortened


class Canvas:
    """Cells of a chart, with numbers at its left and below it.

    Args:
        x: Range from left to right.
        y: Range from bottom to top.
        width: Columns in all.
        log: Whether y holds logarithms, of which the numbers are told.
    """

    height = 14

    def __init__(
        self,
        x: tuple[float, float],
        y: tuple[float, float],
        width: int,
        *,
        log: bool = False,
    ) -> None:
        self.x, self.y = _widened(*x), _widened(*y)
        ends = [10**value if log else value for value in self.y]
        middle = sum(self.y) / 2
        ticks = ends[1], 10**middle if log else middle, ends[0]
        self.ticks = [_figure(tick) for tick in ticks]
        self.margin = max(map(len, self.ticks)) + 1
        self.width = max(width - self.margin - 1, 8)
        self.cells = np.full((self.height, self.width), " ", object)
        self.styles = np.full((self.height, self.width), "", object)

    def put(self, x: Array, y: Array, mark: str, style: str) -> None:
        """Write a mark at places; those outside are left out."""
        i = np.rint(_share(y, self.y) * (self.height - 1))
        j = np.rint(_share(x, self.x) * (self.width - 1))
        inside = (i >= 0) & (i < self.height) & (j >= 0) & (j < self.width)
        rows = self.height - 1 - i[inside].astype(int)
        columns = j[inside].astype(int)
        self.cells[rows, columns] = mark
        self.styles[rows, columns] = style

    def join(self, x: Array, y: Array, mark: str, style: str) -> None:
        """Write marks along the line through points; one that is no number cuts it."""
        known = np.isfinite(x) & np.isfinite(y)
        for here, there in zip(range(len(x) - 1), range(1, len(x)), strict=True):
            if known[here] and known[there]:
                across = _share(x[[here, there]], self.x) * self.width
                up = _share(y[[here, there]], self.y) * self.height
                steps = int(2 * max(abs(np.diff(across)), abs(np.diff(up)))[0]) + 2
                way = np.linspace(0, 1, min(steps, 500))
                ends = x[here], x[there], y[here], y[there]
                xs = ends[0] + way * (ends[1] - ends[0])
                self.put(xs, ends[2] + way * (ends[3] - ends[2]), mark, style)
        self.put(x[known], y[known], mark, style)

    def lines(self, x_label: str) -> list[Text]:
        """Return the chart with its numbers."""
        places = {0: 0, self.height // 2: 1, self.height - 1: 2}
        found = []
        for row in range(self.height):
            tick = self.ticks[places[row]] if row in places else ""
            line = Text(f"{tick:>{self.margin - 1}} │")
            for cell, style in zip(self.cells[row], self.styles[row], strict=True):
                line.append(cell, style or None)
            line.rstrip()
            found.append(line)
        indent = " " * (self.margin - 1)
        found.append(Text(f"{indent} └{'─' * self.width}"))
        left, right = map(_figure, self.x)
        room = self.width - len(left) - len(right) - 2
        middle = shortened(printable(x_label), room) if room > 2 else ""
        middle = middle.center(max(room, 0))
        numbers = f"{indent}  {left} {middle} {right}"
        if room < 0:
            # Wider than the chart: below the numbers beside it, too.
            numbers = f"{left} {right}".rjust(self.margin + 1 + self.width)
        found.append(Text(numbers.rstrip()))
        return found


def _figure(value: float) -> str:
    """Write a number with three digits, and one of thousands with all it has."""
    return f"{value:.0f}" if 1000 <= abs(value) < 1e6 else f"{value:.3g}"


def _widened(low: float, high: float) -> tuple[float, float]:
    """Return a range that is one: around a single value."""
    if high > low:
        return low, high
    half = abs(low) / 2 or 0.5
    return low - half, low + half


def _share(values: Array, ends: tuple[float, float]) -> Array:
    """Return how far values are from the first end to the second; NaN is −1."""
    shares: Array = (values - ends[0]) / (ends[1] - ends[0])
    return np.nan_to_num(shares, nan=-1.0)
