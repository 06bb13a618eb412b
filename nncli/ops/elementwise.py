"""Arithmetic and activations that act on each element alone, with broadcasting."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nncli.autograd.function import Case, Function
from nncli.backend import Array, Shape, xp
from nncli.errors import ShapeError


class Binary(Function):
    """Base of y = f(a, b) with NumPy's broadcasting."""

    broadcasts = True

    def allocate(self, a: Array, b: Array) -> Array:
        """Make the output in the shape that both inputs broadcast to."""
        try:
            shape = xp.broadcast_shapes(a.shape, b.shape)
        except ValueError:
            raise ShapeError(
                f"{self.type_name}: expected shapes that broadcast, got {a.shape} "
                f"and {b.shape}."
            ) from None
        # The larger input's memory layout, so that the loops run along memory.
        like = a if a.shape == shape else b
        if like.shape == shape:
            return xp.empty_like(like, dtype=xp.result_type(a, b))
        return xp.empty(shape, xp.result_type(a, b))

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
        """Write the sum."""
        xp.add(a, b, out)

    def backward(self, grad: Array, da: Array | None, db: Array | None) -> None:
        """Hand the gradient to both sides."""
        if da is not None:
            xp.copyto(da, grad)
        if db is not None:
            xp.copyto(db, grad)


class Subtract(Binary, name="subtract"):
    """y = a − b; dL/da = dL/dy, dL/db = −dL/dy."""

    def forward(self, a: Array, b: Array, out: Array) -> None:
        """Write the difference."""
        xp.subtract(a, b, out)

    def backward(self, grad: Array, da: Array | None, db: Array | None) -> None:
        """Hand the gradient to ``a`` and its negative to ``b``."""
        if da is not None:
            xp.copyto(da, grad)
        if db is not None:
            xp.negative(grad, db)


class Multiply(Binary, name="multiply"):
    """y = a·b; dL/da = dL/dy · b, dL/db = dL/dy · a."""

    def forward(self, a: Array, b: Array, out: Array) -> None:
        """Write the product."""
        self.a, self.b = a, b
        xp.multiply(a, b, out)

    def backward(self, grad: Array, da: Array | None, db: Array | None) -> None:
        """Multiply the gradient with the other side."""
        if da is not None:
            xp.multiply(grad, self.b, da)
        if db is not None:
            xp.multiply(grad, self.a, db)


class Divide(Binary, name="divide"):
    """y = a / b; dL/da = dL/dy / b, dL/db = −dL/dy · y / b."""

    def forward(self, a: Array, b: Array, out: Array) -> None:
        """Write the quotient."""
        self.b, self.out = b, out
        xp.divide(a, b, out)

    def backward(self, grad: Array, da: Array | None, db: Array | None) -> None:
        """Divide by ``b``; for ``b`` itself, times −y as well."""
        if da is not None:
            xp.divide(grad, self.b, da)
        if db is not None:
            xp.multiply(grad, self.out, db)
            xp.divide(db, self.b, db)
            xp.negative(db, db)


class Unary(Function):
    """Base of y = f(x), element by element."""

    elementwise = True

    def allocate(self, x: Array) -> Array:
        """Make an output in the shape and memory layout of ``x``."""
        self.work = xp.empty_like(x)
        return xp.empty_like(x)

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
        """Write −x."""
        xp.negative(x, out)

    def backward(self, grad: Array, dx: Array | None) -> None:
        """Negate the gradient."""
        xp.negative(grad, dx)


class Exp(Unary, name="exp"):
    """y = e^x; dL/dx = dL/dy · y."""

    def forward(self, x: Array, out: Array) -> None:
        """Write e^x."""
        self.out = out
        xp.exp(x, out)

    def backward(self, grad: Array, dx: Array | None) -> None:
        """Multiply by the value."""
        xp.multiply(grad, self.out, dx)


class Log(Positive, name="log"):
    """y = ln x; dL/dx = dL/dy / x."""

    def forward(self, x: Array, out: Array) -> None:
        """Write ln x."""
        self.x = x
        xp.log(x, out)

    def backward(self, grad: Array, dx: Array | None) -> None:
        """Divide by the input."""
        xp.divide(grad, self.x, dx)


class Power(Positive, name="power"):
    """y = x^p with a fixed exponent p; dL/dx = dL/dy · p · x^(p−1).

    Args:
        exponent: The exponent p.
    """

    def __init__(self, exponent: float = 2.0) -> None:
        self.exponent = exponent

    def forward(self, x: Array, out: Array) -> None:
        """Write x^p."""
        self.x = x
        xp.power(x, self.exponent, out=out)

    def backward(self, grad: Array, dx: Array | None) -> None:
        """Use the power rule."""
        if self.exponent == 0:
            # The rule below would ask for 0·x^−1, which is no number at x = 0.
            xp.multiply(grad, 0, out=dx)
            return
        xp.power(self.x, self.exponent - 1, out=self.work)
        xp.multiply(self.work, self.exponent, out=self.work)
        xp.multiply(grad, self.work, dx)

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """Whole, negative and broken exponents."""
        for exponent in (2.0, 3.0, -1.0, 0.5):
            yield Case(cls(exponent), (rng.uniform(0.5, 2.0, (2, 3)),))


class Relu(Unary, name="relu"):
    """y = max(x, 0); dL/dx = dL/dy where x > 0, else 0 (0 at x = 0, as PyTorch)."""

    def allocate(self, x: Array) -> Array:
        """Make the output, a zero to compare with and room for the mask."""
        # NumPy's maximum of two arrays is vectorized, that with a scalar is not:
        # 2.6 against 8 µs for 19,200 elements. Larger arrays are bound by memory.
        self.zero = xp.zeros_like(x) if x.size <= 2**16 else xp.zeros((), x.dtype)
        self.mask = xp.empty_like(x, dtype=bool)
        return xp.empty_like(x)

    def forward(self, x: Array, out: Array) -> None:
        """Write the larger of x and 0."""
        self.out = out
        xp.maximum(x, self.zero, out=out)

    def backward(self, grad: Array, dx: Array | None) -> None:
        """Let the gradient through where the value is positive."""
        xp.greater(self.out, 0, self.mask)
        xp.multiply(grad, self.mask, dx)


class LeakyRelu(Unary, name="leaky_relu"):
    """y = x where x > 0, else s·x; dL/dx = dL/dy · (1 or s) (s at 0, as PyTorch).

    Args:
        slope: The slope s for negative x.
    """

    def __init__(self, slope: float = 0.01) -> None:
        self.slope = slope

    def forward(self, x: Array, out: Array) -> None:
        """Write the larger of x and s·x (the smaller, for s > 1)."""
        self.x = x
        xp.multiply(x, self.slope, out=out)
        (xp.maximum if self.slope <= 1 else xp.minimum)(x, out, out=out)

    def backward(self, grad: Array, dx: Array | None) -> None:
        """Multiply by s + (1 − s)·[x > 0]."""
        xp.greater(self.x, 0, out=self.work)
        xp.multiply(self.work, 1 - self.slope, out=self.work)
        xp.add(self.work, self.slope, out=self.work)
        xp.multiply(grad, self.work, dx)

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """Small, large, negative and above one."""
        for slope in (0.01, 0.5, -0.2, 1.5):
            yield Case(cls(slope), (rng.normal(size=(3, 4)),))


def sigmoid(x: Array, work: Array, out: Array) -> None:
    """Write σ(x) = max(e^−|x|, [x ≥ 0]) / (1 + e^−|x|).

    It overflows nowhere, and keeps its relative precision where it is near 0.
    """
    xp.abs(x, work)
    xp.negative(work, work)
    xp.exp(work, work)
    xp.greater_equal(x, 0, out=out)
    xp.maximum(work, out, out=out)
    xp.add(work, 1, out=work)
    xp.divide(out, work, out)


class Sigmoid(Unary, name="sigmoid"):
    """y = 1 / (1 + e^−x); dL/dx = dL/dy · y·(1 − y)."""

    def forward(self, x: Array, out: Array) -> None:
        """Write σ(x)."""
        self.out = out
        sigmoid(x, self.work, out)

    def backward(self, grad: Array, dx: Array | None) -> None:
        """Multiply by y − y²."""
        xp.multiply(self.out, self.out, self.work)
        xp.subtract(self.out, self.work, self.work)
        xp.multiply(grad, self.work, dx)


class Tanh(Unary, name="tanh"):
    """y = tanh x; dL/dx = dL/dy · (1 − y²)."""

    def forward(self, x: Array, out: Array) -> None:
        """Write tanh x."""
        self.out = out
        xp.tanh(x, out)

    def backward(self, grad: Array, dx: Array | None) -> None:
        """Multiply by 1 − y²."""
        xp.multiply(self.out, self.out, self.work)
        xp.subtract(1, self.work, self.work)
        xp.multiply(grad, self.work, dx)


class Dropout(Function, name="dropout"):
    """Set each element to 0 with probability p, divide the others by 1 − p.

    y = x·m/(1 − p) with m = 1 with probability 1 − p, else 0; dL/dx = dL/dy·m/(1 − p).
    "Inverted" dropout (Srivastava et al. 2014, section 10): the expected value is x,
    so that nothing has to be done after training.

    Args:
        rate: The probability p of dropping an element, 0 <= p < 1.
        rng: Where the mask comes from; every forward pass draws a new one.
    """

    elementwise = True

    def __init__(self, rate: float, rng: np.random.Generator) -> None:
        self.rate = rate
        self.rng = rng

    def allocate(self, x: Array) -> Array:
        """Make room for the mask."""
        # Generator.random fills C-ordered arrays only.
        self.draw = xp.empty(x.shape, x.dtype)
        self.mask: Array = xp.empty_like(x)
        return xp.empty_like(x)

    def forward(self, x: Array, out: Array) -> None:
        """Draw a mask of 0 and 1/(1 − p) and multiply."""
        self.rng.random(out=self.draw, dtype=self.draw.dtype.type)
        xp.greater_equal(self.draw, self.rate, out=self.mask)
        xp.multiply(self.mask, 1 / (1 - self.rate), out=self.mask)
        xp.multiply(x, self.mask, out)

    def backward(self, grad: Array, dx: Array | None) -> None:
        """Multiply by the same mask."""
        xp.multiply(grad, self.mask, dx)

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """No dropout, some and most; the checker repeats the draw."""
        for rate in (0.0, 0.3, 0.9):
            yield Case(cls(rate, np.random.default_rng(7)), (rng.normal(size=(4, 5)),))
