"""Activations made of straight lines (and one parabola), element by element.

relu, leaky_relu, sigmoid and tanh stand in elementwise.py, the smooth ones in
activations_smooth.py and gelu.py.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nncli.autograd.function import Case, Function
from nncli.backend import Array, Shape, xp
from nncli.errors import ShapeError
from nncli.ops.elementwise import Unary


class HardTanh(Unary, name="hard_tanh"):
    """y = x between low and high, low below, high above; dL/dx = dL/dy between, else 0.

    At low and high themselves the derivative is 0, as in PyTorch.

    Args:
        low: The smallest value.
        high: The largest value.
    """

    def __init__(self, low: float = -1.0, high: float = 1.0) -> None:
        self.low = low
        self.high = high

    def allocate(self, x: Array) -> Array:
        """Make the output and room for two masks."""
        self.above: Array = xp.empty_like(x, dtype=bool)
        self.below: Array = xp.empty_like(x, dtype=bool)
        return xp.empty_like(x)

    def forward(self, x: Array, out: Array) -> None:
        """Write x, cut off on both sides."""
        self.x = x
        xp.clip(x, self.low, self.high, out=out)

    def backward(self, grad: Array, dx: Array | None) -> None:
        """Let the gradient through between low and high."""
        xp.greater(self.x, self.low, self.above)
        xp.less(self.x, self.high, self.below)
        xp.logical_and(self.above, self.below, self.above)
        xp.multiply(grad, self.above, dx)

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """Around zero, and ReLU6, which is the same from 0 to 6."""
        for low, high in ((-1.0, 1.0), (0.0, 6.0)):
            yield Case(cls(low, high), (rng.normal(0, 4, (3, 4)),))
        yield Case(cls(), (rng.normal(size=(1, 3)),))


class HardSigmoid(Unary, name="hard_sigmoid"):
    """y = x/6 + ½ between −3 and 3, else 0 or 1; dL/dx = dL/dy / 6 between, else 0.

    At −3 and 3 themselves the derivative is 0, as in PyTorch.
    """

    def allocate(self, x: Array) -> Array:
        """Make the output and room for a mask."""
        self.inside: Array = xp.empty_like(x, dtype=bool)
        self.work = xp.empty_like(x)
        return xp.empty_like(x)

    def forward(self, x: Array, out: Array) -> None:
        """Cut x off at −3 and 3 and move it to between 0 and 1."""
        self.x = x
        _hard_sigmoid(x, out)

    def backward(self, grad: Array, dx: Array | None) -> None:
        """Let a sixth of the gradient through where |x| < 3."""
        xp.absolute(self.x, self.work)
        xp.less(self.work, 3, self.inside)
        xp.copyto(self.work, self.inside)
        xp.multiply(self.work, 1 / 6, out=self.work)
        xp.multiply(grad, self.work, dx)


class HardSwish(Unary, name="hard_swish"):
    """y = x·h with h = x/6 + ½, cut off at 0 and 1; dL/dx = dL/dy·(h + x/6), 0 or 1.

    The derivative is x/3 + ½ between −3 and 3, 0 below and 1 above; at −3 it is 0 and
    at 3 it is 1, as in PyTorch.
    """

    def allocate(self, x: Array) -> Array:
        """Make the output and room for a mask."""
        self.mask: Array = xp.empty_like(x, dtype=bool)
        self.work = xp.empty_like(x)
        return xp.empty_like(x)

    def forward(self, x: Array, out: Array) -> None:
        """Write x·h."""
        self.x = x
        _hard_sigmoid(x, out)
        xp.multiply(out, x, out)

    def backward(self, grad: Array, dx: Array | None) -> None:
        """Multiply by x/3 + ½ between −3 and 3."""
        xp.clip(self.x, -3, 3, out=self.work)
        xp.multiply(self.work, 1 / 3, out=self.work)
        xp.add(self.work, 0.5, out=self.work)
        xp.less_equal(self.x, -3, self.mask)
        xp.copyto(self.work, 0, where=self.mask)
        xp.greater_equal(self.x, 3, self.mask)
        xp.copyto(self.work, 1, where=self.mask)
        xp.multiply(grad, self.work, dx)


class PRelu(Function, name="prelu"):
    """y = x where x > 0, else a·x, with a trained slope a: one, or one a channel.

    x (N, C, ...), a (1,) or (C,) → y as x; dL/dx = dL/dy·(1 or a), a at 0 as in
    PyTorch; dL/da = Σ dL/dy·min(x, 0) over all that has this slope.
    """

    def allocate(self, x: Array, slope: Array) -> Array:
        """Make the output and its workspaces, and lay the slopes along axis 1."""
        channels = x.shape[1] if x.ndim > 1 else 1
        if slope.shape not in ((1,), (channels,)):
            raise ShapeError(
                f"prelu: expected one slope or one for each of {channels} channels, "
                f"got shape {slope.shape}."
            )
        self.along: Shape = (1,) * x.ndim
        self.axes: tuple[int, ...] | None = None
        if slope.size > 1:
            self.along = (-1, *(1,) * (x.ndim - 2))
            self.axes = tuple(axis for axis in range(x.ndim) if axis != 1)
        self.positive: Array = xp.empty_like(x, dtype=bool)
        self.work: Array = xp.empty_like(x)
        return xp.empty_like(x)

    def forward(self, x: Array, slope: Array, out: Array) -> None:
        """Write max(x, 0) + a·min(x, 0)."""
        self.x = x
        self.slope = slope.reshape(self.along)
        xp.minimum(x, 0, out=self.work)
        # Where |a| > 1, a product may be beyond the numbers: ±∞, as in PyTorch.
        with np.errstate(over="ignore"):
            xp.multiply(self.work, self.slope, self.work)
        xp.maximum(x, 0, out=out)
        xp.add(out, self.work, out)

    def backward(self, grad: Array, dx: Array | None, dslope: Array | None) -> None:
        """Multiply by 1 or a; for a itself, sum up where x is negative."""
        if dslope is not None:
            xp.minimum(self.x, 0, out=self.work)
            xp.multiply(self.work, grad, self.work)
            total = dslope if self.axes is not None else dslope.reshape(())
            xp.add.reduce(self.work, axis=self.axes, out=total)
        if dx is not None:
            xp.greater(self.x, 0, self.positive)
            xp.copyto(self.work, self.slope)
            xp.copyto(self.work, 1, where=self.positive)
            xp.multiply(grad, self.work, dx)

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """Features, images and sequences, with one slope and one a channel."""
        for shape in ((4, 3), (1, 3), (2, 3, 4), (2, 3, 2, 2)):
            for slopes in (1, 3):
                yield Case(cls(), (rng.normal(size=shape), rng.normal(size=slopes)))
        yield Case(cls(), (rng.normal(size=5), rng.normal(size=1)))


def _hard_sigmoid(x: Array, out: Array) -> None:
    """Write x/6 + ½, cut off at 0 and 1, with nothing that could overflow."""
    xp.clip(x, -3, 3, out=out)
    xp.add(out, 3, out=out)
    xp.divide(out, 6, out=out)
