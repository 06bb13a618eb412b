"""Differences: slopes of a scalar that is computed again and again, in float64."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Literal

import numpy as np

from nncli.autograd.replay import Replay
from nncli.autograd.tape import no_grad, record
from nncli.autograd.tensor import Tensor
from nncli.core.arrays import Array, xp

TOLERANCE = 1e-6
STEP = 1e-5
FLOOR = 1e-3
SAME = 1e-7
"""By how much two slopes may differ that are the same, relative to them."""
EPSILON = float(np.finfo(np.float64).eps)

Missing = Literal["kink", "too sharp"]
"""Why there is no difference: both sides have slopes of their own, so that there is no
derivative; or the value bends more than steps that rounding allows can follow."""


class Differences:
    """Central differences of a scalar by elements of the arrays that it depends on.

    The objective is recorded once and replayed from then on. What it draws and what it
    remembers is put back before each value, and as soon as the differences are made.

    Args:
        objective: Computes the scalar from arrays as they are now; in float64.
        generators: Put back to their state before every value, so that dropout drops
            the same elements each time.
        arrays: What ``objective`` changes and reads again, put back as well.

    Attributes:
        middle: The scalar, where nothing is moved.
        size: The sizes of the terms that it is a sum of, added up; see ``weigh``.
    """

    def __init__(
        self,
        objective: Callable[[], Tensor],
        generators: Sequence[np.random.Generator] = (),
        arrays: Sequence[Array] = (),
    ) -> None:
        self._states = [(each, each.bit_generator.state) for each in generators]
        self._contents = [(array, array.copy()) for array in arrays]
        with no_grad(), record() as steps:
            root = objective()
        # Thousands of values of one graph: replayed, as a training run does it.
        self._replay = Replay(steps, [root])
        self.middle = self._value()
        self.size = max(1.0, abs(self.middle))
        self.rewind()

    def weigh(self, pairs: Iterable[tuple[Array, Array]]) -> None:
        """Estimate how far rounding moves the scalar, whose terms may cancel.

        Args:
            pairs: Arrays, each with its gradient: the terms are Σ |x·df/dx|.
        """
        terms = (float(np.nansum(np.abs(grad * data))) for data, grad in pairs)
        self.size = max(1.0, abs(self.middle) + sum(terms))

    @property
    def floor(self) -> float:
        """The size of a derivative below which errors are not told from rounding."""
        smallest = FLOOR * max(1.0, abs(self.middle))
        return max(smallest, self._rounding(STEP) / TOLERANCE)

    def slope(self, data: Array, index: tuple[int, ...]) -> float | Missing:
        """Return the central difference at one element, or why there is none."""
        kept = float(data[index])

        def slopes(h: float) -> tuple[float, float]:
            """Return the central slope, and how much both sides differ."""
            data[index] = kept + h
            up = self._value()
            data[index] = kept - h
            down = self._value()
            data[index] = kept
            return (up - down) / (2 * h), abs(up - 2 * self.middle + down) / h

        size = STEP * max(1.0, abs(kept))
        for shrink in (1, 10, 100):
            h = size / shrink
            central, gap = slopes(h)
            inner, inner_gap = slopes(h / 3)
            rounding = self._rounding(h / 3)
            # Of a smooth value, the central slope stays and the gap shrinks with h.
            moved = abs(central - inner) > SAME * abs(central) + rounding
            bent = inner_gap > gap * 2 / 3 + rounding
            if not moved and not bent:
                return central
        stays = 1e-4 * (abs(inner) + inner_gap) + rounding
        if abs(central - inner) <= stays and inner_gap > gap * 0.99 - rounding:
            return "kink"
        for shrink in (100, 1000):
            h = size / shrink
            (first, gap), (second, _), (third, last_gap) = map(
                slopes, (h, h / 3, h / 9)
            )
            # Richardson: central slopes are wrong by c·h², which cancels.
            outer, inner = (9 * second - first) / 8, (9 * third - second) / 8
            exact = self._rounding(h / 9) <= SAME * abs(inner)
            bent = last_gap > gap * 2 / 3 + self._rounding(h / 9)
            if exact and not bent and abs(outer - inner) <= SAME * abs(inner):
                return inner
        return "too sharp"

    def _rounding(self, h: float) -> float:
        """Return how far rounding may move a difference over h."""
        return 8 * EPSILON * self.size / h

    def _value(self) -> float:
        self.rewind()
        with xp.errstate(all="ignore"):
            self._replay.forward()
        return float(self._replay.values[0])

    def rewind(self) -> None:
        """Put back what the objective draws and remembers."""
        for generator, state in self._states:
            generator.bit_generator.state = state
        for array, content in self._contents:
            xp.copyto(array, content)
