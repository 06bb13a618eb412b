"""Max pooling: the largest element of each window."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nncli.autograd.buffers import form, scratches
from nncli.autograd.function import Case, Function, Sized
from nncli.core.arrays import Array, batch_innermost, xp
from nncli.ops.images import along, channels_first
from nncli.ops.windows import (
    Adaptive,
    Placing,
    Plan,
    Sliding,
    Windows,
    combine,
    pooled_flops,
)


class MaxPool(Function, name="max_pool"):
    """y = max of each window, channel by channel; dL/dx goes to the first maximum.

    x (N, C, space...) → y (N, C, counts...), the batch innermost in memory. As in
    PyTorch, the padding is −∞; of equal maxima the first in row-major order has the
    gradient; a window with something that is no number is NaN, and the last NaN has
    the gradient.

    Args:
        placing: Where the windows lie.
    """

    placing: Placing

    layout = "any"
    real = True

    def allocate(self, x: Array) -> Array:
        """Make the output; what lies between the axes is computed again."""
        self.plan = Plan(self.type_name, self.placing, x)
        self.between = self.plan.forms[:-1]
        largest = max(self.plan.forms, key=lambda each: each.size)
        self.lefts = [largest, largest]
        self.mask = form(largest.shape, bool)
        return batch_innermost(self.plan.shape, x.dtype)

    def forward(self, x: Array, out: Array) -> None:
        """Take the maximum along the last axis, then along the one before it."""
        self.x, self.out = x, out
        parts, y = channels_first(x), channels_first(out)
        room = scratches(*self.between) if self.between else ()
        for group in self.plan.groups:
            self._levels(parts[group], y[group], room)

    def _levels(
        self, x: Array, y: Array | None, room: tuple[Array, ...]
    ) -> list[Array]:
        """Return the input and what is left after each axis but the first.

        The last one is written to ``y``, unless that is None.
        """
        levels = [x]
        axes = self.plan.downwards()
        for (axis, windows), into in zip(axes, (*room, y), strict=True):
            if into is not None:
                target = into[: len(x)]
                combine(xp.maximum, -xp.inf, windows, axis, levels[-1], target)
                levels.append(target)
        return levels

    def backward(self, grad: Array, dx: Array) -> None:
        """Give what is equal to the maximum the gradient, and what it leaves on."""
        count = len(self.between)
        buffers = scratches(*self.between, *self.between, *self.lefts, self.mask)
        room, gradients = buffers[:count], buffers[count : 2 * count]
        sharing = Sharing(buffers[-3], buffers[-2], buffers[-1], self._has_nan())
        x, y, g, d = map(channels_first, (self.x, self.out, grad, dx))
        for group in self.plan.groups:
            levels = self._levels(x[group], None, room)
            best, given = y[group], g[group]
            targets = [d[group], *(buffer[: len(best)] for buffer in gradients)]
            for (axis, windows), level, into in zip(
                self.plan.downwards()[::-1], levels[::-1], targets[::-1], strict=True
            ):
                sharing(windows, axis, level, best, given, into)
                best, given = level, into

    def flops(self, *arrays: Sized) -> int:
        return pooled_flops(self.placing, *arrays)

    def _has_nan(self) -> bool:
        return bool(xp.isnan(xp.maximum.reduce(self.out, axis=None)))

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """Windows side by side, overlapping, dilated, padded, of several sizes."""
        for placing, shape in (
            (Sliding((2, 2)), (2, 2, 6, 4)),
            (Sliding((2, 2)), (2, 2, 5, 7)),
            (Sliding((3,), (2,), (1,)), (2, 3, 8)),
            (Sliding((3, 2), (2, 1), (1, 0), (1, 2), True), (3, 2, 6, 5)),
            (Sliding((2, 1, 3), (1, 2, 2)), (2, 1, 3, 3, 5)),
            (Adaptive((3, 2)), (2, 2, 5, 4)),
        ):
            # Far apart, so that a step of gradcheck changes no maximum.
            x = rng.permutation(np.prod(shape)).reshape(shape) / 10
            yield Case(cls(placing), (x,))


class Sharing:
    """The gradient of maxima along one axis after the other.

    Args:
        left: Room for what earlier elements of the windows leave.
        work: Room as large.
        mask: Room for where a maximum is.
        nan: Whether there may be something that is no number.
    """

    def __init__(self, left: Array, work: Array, mask: Array, nan: bool) -> None:
        self.room = left.reshape(-1), work.reshape(-1), mask.reshape(-1)
        self.nan = nan

    def __call__(
        self,
        windows: Windows,
        axis: int,
        x: Array,
        best: Array,
        grad: Array,
        dx: Array,
    ) -> None:
        """Write dL/dx, given the windows' maxima and their gradient."""
        left, work, mask = (part[: best.size].reshape(best.shape) for part in self.room)
        if windows.apart and not self.nan:
            if not windows.covers:
                dx.fill(0)
            self._apart(windows, axis, x, best, grad, dx, left, mask)
            return
        dx.fill(0)
        xp.copyto(left, grad)
        for part in windows.parts:
            held, kept, mine = (
                along(array, axis, part.target) for array in (mask, left, work)
            )
            xp.equal(
                along(x, axis, part.source), along(best, axis, part.target), out=held
            )
            _move(kept, held, mine, along(dx, axis, part.source))
        for part in windows.parts[::-1] if self.nan else ():
            held, kept, mine = (
                along(array, axis, part.target) for array in (mask, left, work)
            )
            xp.isnan(along(x, axis, part.source), out=held)
            _move(kept, held, mine, along(dx, axis, part.source))

    @staticmethod
    def _apart(
        windows: Windows,
        axis: int,
        x: Array,
        best: Array,
        grad: Array,
        dx: Array,
        left: Array,
        mask: Array,
    ) -> None:
        """Write every element's gradient once: the last one has what is left."""
        *parts, last = windows.parts
        for number, part in enumerate(parts, 1):
            into = along(dx, axis, part.source)
            xp.equal(along(x, axis, part.source), best, out=mask)
            xp.multiply(grad, mask, out=into)
            rest = left if number < len(parts) else along(dx, axis, last.source)
            grad = xp.subtract(grad, into, out=rest)
        if not parts:
            xp.copyto(along(dx, axis, last.source), grad)


def _move(left: Array, held: Array, mine: Array, dx: Array) -> None:
    """Add what is left to dL/dx where ``held`` says so, and take it away."""
    xp.multiply(left, held, out=mine)
    xp.add(dx, mine, out=dx)
    xp.subtract(left, mine, out=left)
