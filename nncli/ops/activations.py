"""Activations made of straight lines (and one parabola), element by element.

relu, leaky_relu, sigmoid and tanh stand in elementwise.py, the smooth ones in
activations_smooth.py and gelu.py.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nncli.autograd.buffers import Form, form, scratch, scratches
from nncli.autograd.function import Case, Function
from nncli.core.arrays import Array, Shape, xp
from nncli.core.errors import ShapeError
from nncli.ops.elementwise import Unary


class Piecewise(Unary):
    """Base of functions whose derivative asks where x lies.

    Attributes:
        mask: The form of an answer for each element.
    """

    saves_inputs = True

    def allocate(self, x: Array) -> Array:
        out = super().allocate(x)
        self.mask = form(self.form.shape, bool, self.form.order)
        return out


class HardTanh(Piecewise, name="hard_tanh"):
    """y = x between low and high, low below, high above; dL/dx = dL/dy between, else 0.

    At low and high themselves the derivative is 0, as in PyTorch.

    Args:
        low: The smallest value.
        high: The largest value.
    """

    low: float = -1.0
    high: float = 1.0

    def forward(self, x: Array, out: Array) -> None:
        self.x = x
        xp.clip(x, self.low, self.high, out=out)

    def backward(self, grad: Array, dx: Array) -> None:
        above, below = scratches(self.mask, self.mask)
        xp.greater(self.x, self.low, out=above)
        xp.less(self.x, self.high, out=below)
        xp.logical_and(above, below, out=above)
        xp.multiply(grad, above, out=dx)

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """Around zero, and ReLU6, which is the same from 0 to 6."""
        for low, high in ((-1.0, 1.0), (0.0, 6.0)):
            yield Case(cls(low, high), (rng.normal(0, 4, (3, 4)),))
        yield Case(cls(), (rng.normal(size=(1, 3)),))


class HardSigmoid(Piecewise, name="hard_sigmoid"):
    """y = x/6 + ½ between −3 and 3, else 0 or 1; dL/dx = dL/dy / 6 between, else 0.

    At −3 and 3 themselves the derivative is 0, as in PyTorch.
    """

    def forward(self, x: Array, out: Array) -> None:
        self.x = x
        _hard_sigmoid(x, out)

    def backward(self, grad: Array, dx: Array) -> None:
        size, inside = scratches(self.form, self.mask)
        xp.absolute(self.x, out=size)
        xp.less(size, 3, out=inside)
        xp.multiply(grad, inside, out=dx)
        xp.multiply(dx, 1 / 6, out=dx)


class HardSwish(Piecewise, name="hard_swish"):
    """y = x·h with h = x/6 + ½, cut off at 0 and 1; dL/dx = dL/dy·(h + x/6), 0 or 1.

    The derivative is x/3 + ½ between −3 and 3, 0 below and 1 above; at −3 it is 0 and
    at 3 it is 1, as in PyTorch.
    """

    def forward(self, x: Array, out: Array) -> None:
        self.x = x
        _hard_sigmoid(x, out)
        xp.multiply(out, x, out=out)

    def backward(self, grad: Array, dx: Array) -> None:
        slope, outside = scratches(self.form, self.mask)
        xp.clip(self.x, -3, 3, out=slope)
        xp.multiply(slope, 1 / 3, out=slope)
        xp.add(slope, 0.5, out=slope)
        xp.less_equal(self.x, -3, out=outside)
        xp.copyto(slope, 0, where=outside)
        xp.greater_equal(self.x, 3, out=outside)
        xp.copyto(slope, 1, where=outside)
        xp.multiply(grad, slope, out=dx)


class PRelu(Function, name="prelu"):
    """y = x where x > 0, else a·x, with a trained slope a: one, or one a channel.

    x (N, C, ...), a (1,) or (C,) → y as x; dL/dx = dL/dy·(1 or a), a at 0 as in
    PyTorch; dL/da = Σ dL/dy·min(x, 0) over all that has this slope.
    """

    layout = "any"
    saves_output = False
    keeps_lengths = True

    def allocate(self, x: Array, slope: Array) -> Array:
        """Make the output, and lay the slopes along axis 1."""
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
        self.form = Form.of(x)
        self.mask = form(x.shape, bool, self.form.order)
        return self.form.empty()

    def forward(self, x: Array, slope: Array, out: Array) -> None:
        """Write max(x, 0) + a·min(x, 0)."""
        self.x = x
        self.slope = slope.reshape(self.along)
        negative = scratch(self.form)
        xp.minimum(x, 0, out=negative)
        xp.multiply(negative, self.slope, out=negative)
        xp.maximum(x, 0, out=out)
        xp.add(out, negative, out=out)

    def backward(self, grad: Array, dx: Array | None, dslope: Array | None) -> None:
        """Multiply by 1 or a; for a itself, sum up where x is negative."""
        work, positive = scratches(self.form, self.mask)
        if dslope is not None:
            xp.minimum(self.x, 0, out=work)
            xp.multiply(work, grad, out=work)
            total = dslope if self.axes is not None else dslope[0, ...]
            xp.add.reduce(work, axis=self.axes, out=total)
        if dx is not None:
            xp.greater(self.x, 0, out=positive)
            xp.copyto(work, self.slope)
            xp.copyto(work, 1, where=positive)
            xp.multiply(grad, work, out=dx)

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
