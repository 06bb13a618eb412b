"""Arithmetic and activations that act on each element alone, with broadcasting."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nncli.autograd.buffers import Form, form, scratch, zeros
from nncli.autograd.function import Case, Function
from nncli.core.arrays import Array, Shape, xp
from nncli.core.errors import ShapeError


class Binary(Function):
    """Base of y = f(a, b) with NumPy's broadcasting."""

    layout = "any"
    broadcasts = True
    saves_inputs = False
    saves_output = False
    keeps_lengths = True

    def allocate(self, a: Array, b: Array) -> Array:
        """Make the output in the shape that both inputs broadcast to."""
        return self.output(a, b, xp.result_type(a, b))

    def output(self, a: Array, b: Array, dtype: np.dtype[np.generic]) -> Array:
        """Return an array that lies in memory as the larger input does."""
        try:
            shape = xp.broadcast_shapes(a.shape, b.shape)
        except ValueError:
            raise ShapeError(
                f"{self.type_name}: expected shapes that broadcast, got {a.shape} "
                f"and {b.shape}."
            ) from None
        like = a if a.shape == shape else b
        order = Form.of(like).order if like.shape == shape else None
        self.form = form(shape, dtype, order)
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


class Add(Binary, name="add"):
    """y = a + b; dL/da = dL/dy, dL/db = dL/dy."""

    def forward(self, a: Array, b: Array, out: Array) -> None:
        xp.add(a, b, out=out)

    def backward(self, grad: Array, da: Array | None, db: Array | None) -> None:
        if da is not None:
            xp.copyto(da, grad)
        if db is not None:
            xp.copyto(db, grad)


class Subtract(Binary, name="subtract"):
    """y = a − b; dL/da = dL/dy, dL/db = −dL/dy."""

    def forward(self, a: Array, b: Array, out: Array) -> None:
        xp.subtract(a, b, out=out)

    def backward(self, grad: Array, da: Array | None, db: Array | None) -> None:
        if da is not None:
            xp.copyto(da, grad)
        if db is not None:
            xp.negative(grad, out=db)


class Multiply(Binary, name="multiply"):
    """y = a·b; dL/da = dL/dy · b, dL/db = dL/dy · a."""

    saves_inputs = True

    def forward(self, a: Array, b: Array, out: Array) -> None:
        self.a, self.b = a, b
        xp.multiply(a, b, out=out)

    def backward(self, grad: Array, da: Array | None, db: Array | None) -> None:
        if da is not None:
            xp.multiply(grad, self.b, out=da)
        if db is not None:
            xp.multiply(grad, self.a, out=db)


class Divide(Binary, name="divide"):
    """y = a / b; dL/da = dL/dy / b, dL/db = −dL/dy · y / b."""

    saves_inputs = True
    saves_output = True

    def forward(self, a: Array, b: Array, out: Array) -> None:
        self.b, self.out = b, out
        xp.divide(a, b, out=out)

    def backward(self, grad: Array, da: Array | None, db: Array | None) -> None:
        if da is not None:
            xp.divide(grad, self.b, out=da)
        if db is not None:
            xp.multiply(grad, self.out, out=db)
            xp.divide(db, self.b, out=db)
            xp.negative(db, out=db)


class Unary(Function):
    """Base of y = f(x), element by element.

    Attributes:
        form: That of the input and of the output, to ask for scratch.
    """

    layout = "any"
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


class Positive(Unary):
    """Base of functions that are defined for x > 0 only."""

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """Positive numbers."""
        for shape in ((5,), (2, 3)):
            yield Case(cls(), (rng.uniform(0.5, 3.0, shape),))


class Negative(Unary, name="negative"):
    """y = −x; dL/dx = −dL/dy."""

    def forward(self, x: Array, out: Array) -> None:
        xp.negative(x, out=out)

    def backward(self, grad: Array, dx: Array) -> None:
        xp.negative(grad, out=dx)


class Exp(Unary, name="exp"):
    """y = e^x; dL/dx = dL/dy · y."""

    saves_output = True

    def forward(self, x: Array, out: Array) -> None:
        self.out = out
        xp.exp(x, out=out)

    def backward(self, grad: Array, dx: Array) -> None:
        xp.multiply(grad, self.out, out=dx)


class Log(Positive, name="log"):
    """y = ln x; dL/dx = dL/dy / x."""

    saves_inputs = True

    def forward(self, x: Array, out: Array) -> None:
        self.x = x
        xp.log(x, out=out)

    def backward(self, grad: Array, dx: Array) -> None:
        xp.divide(grad, self.x, out=dx)


class Power(Positive, name="power"):
    """y = x^p with a fixed exponent p; dL/dx = dL/dy · p · x^(p−1).

    Args:
        exponent: The exponent p.
    """

    exponent: float = 2.0

    saves_inputs = True

    def forward(self, x: Array, out: Array) -> None:
        self.x = x
        xp.power(x, self.exponent, out=out)

    def backward(self, grad: Array, dx: Array) -> None:
        if self.exponent == 0:
            # The rule below would ask for 0·x^−1, which is no number at x = 0.
            xp.multiply(grad, 0, out=dx)
            return
        slope = scratch(self.form)
        xp.power(self.x, self.exponent - 1, out=slope)
        xp.multiply(slope, self.exponent, out=slope)
        xp.multiply(grad, slope, out=dx)

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """Whole, negative and broken exponents."""
        for exponent in (2.0, 3.0, -1.0, 0.5):
            yield Case(cls(exponent), (rng.uniform(0.5, 2.0, (2, 3)),))


class Relu(Unary, name="relu"):
    """y = max(x, 0); dL/dx = dL/dy where x > 0, else 0 (0 at x = 0, as PyTorch)."""

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
