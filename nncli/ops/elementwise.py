"""Bases of ops that act on each element alone, and activations from ReLU to tanh.

Arithmetic stands in arithmetic.py, powers and logarithms in powers.py, what chooses
between values in choose.py, what compares them in compare.py.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from nncli.autograd.buffers import Form, form, scratch, zeros
from nncli.autograd.function import Case, Function
from nncli.core.arrays import Array, Shape, xp
from nncli.core.errors import NncliError, ShapeError


class Binary(Function):
    """Base of y = f(a, b), or of more inputs, with NumPy's broadcasting.

    Class attributes:
        booleans: Whether the inputs may all be booleans.

    Attributes:
        form: That of the output, to ask for scratch.
    """

    booleans: ClassVar[bool] = True

    layout = "any"
    broadcasts = True
    saves_inputs: ClassVar[bool | tuple[bool, ...]] = False
    saves_output = False
    keeps_lengths = True

    def allocate(self, *inputs: Array) -> Array:
        """Make the output in the shape that all inputs broadcast to."""
        if not self.booleans:
            refuse_booleans(self.type_name, *inputs)
        return self.output(xp.result_type(*inputs), *inputs)

    def output(self, dtype: np.dtype[np.generic], *inputs: Array) -> Array:
        """Return an array that lies in memory as the first input of its shape does."""
        try:
            shape = xp.broadcast_shapes(*(array.shape for array in inputs))
        except ValueError:
            shapes = " and ".join(str(array.shape) for array in inputs)
            raise ShapeError(
                f"{self.type_name}: expected shapes that broadcast, got {shapes}."
            ) from None
        like = next((array for array in inputs if array.shape == shape), None)
        self.form = form(shape, dtype, None if like is None else Form.of(like).order)
        return self.form.empty()

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """Same shapes, and broadcasting of either side."""
        shapes: list[tuple[Shape, Shape]] = [
            ((3, 4), (3, 4)),
            ((3, 4), (4,)),
            ((1, 4), (3, 1)),
            ((2, 3, 1), ()),
        ]
        for left, right in shapes:
            a, b = (rng.uniform(0.5, 2.0, shape) for shape in (left, right))
            yield Case(cls(), (xp.asarray(a), xp.asarray(b)))


class Unary(Function):
    """Base of y = f(x), element by element.

    Attributes:
        form: That of the input and of the output, to ask for scratch.
    """

    layout = "any"
    real = True
    elementwise = True
    saves_inputs = False
    saves_output = False
    keeps_lengths = True

    def allocate(self, x: Array) -> Array:
        """Make an output in the shape and memory order of ``x``."""
        self.form = Form.of(x)
        return self.form.empty()

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """A vector, one row and a block, on both sides of zero."""
        for shape in ((5,), (1, 3), (2, 3, 4)):
            yield Case(cls(), (rng.normal(0, 2, shape),))


class Curve(Unary):
    """Base of y = f(x) that NumPy has; dL/dx = dL/dy · f′(x).

    A member says what f is and writes f′: from x, or, with ``saves_output`` in place
    of ``saves_inputs``, from y.

    Class attributes:
        f: NumPy's function.
    """

    f: ClassVar[np.ufunc]
    saves_inputs = True

    def forward(self, x: Array, out: Array) -> None:
        self.known = x if self.saves_inputs else out
        self.f(x, out=out)

    def backward(self, grad: Array, dx: Array) -> None:
        slope = scratch(self.form)
        self.slope(self.known, slope)
        xp.multiply(grad, slope, out=dx)

    @abstractmethod
    def slope(self, known: Array, out: Array) -> None:
        """Write f′, given x or y."""


class WithoutDerivative(Function):
    """Base of what has no gradient: a yes or no, a place, a whole number."""

    differentiable = False

    def backward(self, grad: Array, *input_grads: Array | None) -> None:
        """Never called."""


def refuse_booleans(name: str, *arrays: Array) -> None:
    """Refuse to compute with booleans what NumPy and PyTorch refuse as well."""
    if all(array.dtype.kind == "b" for array in arrays):
        raise NncliError(
            f"{name}: expected numbers, got booleans. Convert them: t.astype('int64')."
        )


class Relu(Unary, name="relu"):
    """y = max(x, 0); dL/dx = dL/dy where x > 0, else 0 (0 at x = 0, as PyTorch)."""

    real = False
    saves_output = True

    def allocate(self, x: Array) -> Array:
        out = super().allocate(x)
        # NumPy's maximum of two arrays is vectorized, that with a scalar is not:
        # 2.6 against 8 µs for 19,200 elements. Larger arrays are bound by memory.
        small = self.form.size <= 2**16
        self.scalar = zeros(form((), x.dtype))
        self.zero = zeros(self.form) if small else self.scalar
        self.mask = form(self.form.shape, bool, self.form.order)
        return out

    def forward(self, x: Array, out: Array) -> None:
        self.out = out
        xp.maximum(x, self.zero, out=out)

    def backward(self, grad: Array, dx: Array) -> None:
        positive = scratch(self.mask)
        xp.greater(self.out, self.scalar, out=positive)
        xp.multiply(grad, positive, out=dx)


class LeakyRelu(Unary, name="leaky_relu"):
    """y = x where x > 0, else s·x; dL/dx = dL/dy · (1 or s) (s at 0, as PyTorch).

    Args:
        slope: The slope s for negative x.
    """

    slope: float = 0.01

    saves_inputs = True

    def forward(self, x: Array, out: Array) -> None:
        """Write the larger of x and s·x (the smaller, for s > 1)."""
        self.x = x
        xp.multiply(x, self.slope, out=out)
        (xp.maximum if self.slope <= 1 else xp.minimum)(x, out, out=out)

    def backward(self, grad: Array, dx: Array) -> None:
        """Multiply by s + (1 − s)·[x > 0]."""
        slope = scratch(self.form)
        xp.greater(self.x, 0, out=slope)
        xp.multiply(slope, 1 - self.slope, out=slope)
        xp.add(slope, self.slope, out=slope)
        xp.multiply(grad, slope, out=dx)

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """Small, large, negative and above one."""
        for slope in (0.01, 0.5, -0.2, 1.5):
            yield Case(cls(slope), (rng.normal(size=(3, 4)),))


def sigmoid(x: Array, work: Array, out: Array) -> None:
    """Write σ(x) = max(e^−|x|, [x ≥ 0]) / (1 + e^−|x|).

    It overflows nowhere, and keeps its relative precision where it is near 0.
    """
    xp.abs(x, out=work)
    xp.negative(work, out=work)
    xp.exp(work, out=work)
    xp.greater_equal(x, 0, out=out)
    xp.maximum(work, out, out=out)
    xp.add(work, 1, out=work)
    xp.divide(out, work, out=out)


class Sigmoid(Unary, name="sigmoid"):
    """y = 1 / (1 + e^−x); dL/dx = dL/dy · y·(1 − y)."""

    saves_output = True

    def forward(self, x: Array, out: Array) -> None:
        self.out = out
        sigmoid(x, scratch(self.form), out)

    def backward(self, grad: Array, dx: Array) -> None:
        """Multiply by y − y²."""
        slope = scratch(self.form)
        xp.multiply(self.out, self.out, out=slope)
        xp.subtract(self.out, slope, out=slope)
        xp.multiply(grad, slope, out=dx)


class Tanh(Unary, name="tanh"):
    """y = tanh x; dL/dx = dL/dy · (1 − y²)."""

    saves_output = True

    def forward(self, x: Array, out: Array) -> None:
        self.out = out
        xp.tanh(x, out=out)

    def backward(self, grad: Array, dx: Array) -> None:
        slope = scratch(self.form)
        xp.multiply(self.out, self.out, out=slope)
        xp.subtract(1, slope, out=slope)
        xp.multiply(grad, slope, out=dx)
