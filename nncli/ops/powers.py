"""Powers, roots, exponentials and logarithms, element by element."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from nncli.autograd.buffers import form, scratch, scratches
from nncli.autograd.function import Case
from nncli.core.arrays import Array, xp
from nncli.core.errors import NncliError
from nncli.ops.elementwise import Binary, Curve, Unary


class Positive(Unary):
    """Base of functions that are defined for x > 0 only."""

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """Positive numbers."""
        for shape in ((5,), (2, 3)):
            yield Case(cls(), (rng.uniform(0.5, 3.0, shape),))


class Square(Curve, name="square"):
    """y = x²; dL/dx = dL/dy · 2x."""

    f = xp.square
    real = False

    def slope(self, known: Array, out: Array) -> None:
        xp.multiply(known, 2, out=out)


class Sqrt(Positive, Curve, name="sqrt"):
    """y = √x; dL/dx = dL/dy / 2y."""

    f = xp.sqrt
    saves_inputs, saves_output = False, True

    def slope(self, known: Array, out: Array) -> None:
        xp.divide(0.5, known, out=out)


class Exp(Unary, name="exp"):
    """y = e^x; dL/dx = dL/dy · y."""

    saves_output = True

    def forward(self, x: Array, out: Array) -> None:
        self.out = out
        xp.exp(x, out=out)

    def backward(self, grad: Array, dx: Array) -> None:
        xp.multiply(grad, self.out, out=dx)


class Expm1(Curve, name="expm1"):
    """y = e^x − 1, exact near x = 0; dL/dx = dL/dy · (y + 1)."""

    f = xp.expm1
    saves_inputs, saves_output = False, True

    def slope(self, known: Array, out: Array) -> None:
        xp.add(known, 1, out=out)


class Log(Positive, name="log"):
    """y = ln x; dL/dx = dL/dy / x."""

    saves_inputs = True

    def forward(self, x: Array, out: Array) -> None:
        self.x = x
        xp.log(x, out=out)

    def backward(self, grad: Array, dx: Array) -> None:
        xp.divide(grad, self.x, out=dx)


class Log2(Positive, Curve, name="log2"):
    """y = ln x / ln 2; dL/dx = dL/dy / (x · ln 2)."""

    f = xp.log2

    def slope(self, known: Array, out: Array) -> None:
        xp.divide(1 / math.log(2), known, out=out)


class Log10(Positive, Curve, name="log10"):
    """y = ln x / ln 10; dL/dx = dL/dy / (x · ln 10)."""

    f = xp.log10

    def slope(self, known: Array, out: Array) -> None:
        xp.divide(1 / math.log(10), known, out=out)


class Log1p(Positive, Curve, name="log1p"):
    """y = ln(1 + x), exact near x = 0; dL/dx = dL/dy / (1 + x)."""

    f = xp.log1p

    def slope(self, known: Array, out: Array) -> None:
        xp.add(known, 1, out=out)
        xp.divide(1, out, out=out)


class Power(Unary, name="power"):
    """y = x^p with a fixed exponent p; dL/dx = dL/dy · p · x^(p−1).

    Args:
        exponent: The exponent p; for integers x, an integer that is not negative.
    """

    exponent: float = 2.0

    real = False
    saves_inputs = True

    def allocate(self, x: Array) -> Array:
        if x.dtype.kind != "f" and self.exponent < 0:
            raise NncliError(_NEGATIVE)
        return super().allocate(x)

    def forward(self, x: Array, out: Array) -> None:
        self.x = x
        xp.power(x, self.exponent, out=out)

    def backward(self, grad: Array, dx: Array) -> None:
        if self.exponent == 0:
            # The rule below would ask for 0·x^−1, which is no number at x = 0.
            dx.fill(0)
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


class Pow(Binary, name="pow"):
    """y = a^b, both variables; dL/da = dL/dy · b·a^(b−1), dL/db = dL/dy · y·ln a.

    As in PyTorch, the first is 0 where b = 0, the second where a = 0 and b ≥ 0.
    """

    booleans = False
    saves_inputs = True
    saves_output = True

    def allocate(self, *inputs: Array) -> Array:
        out = super().allocate(*inputs)
        self.mask = form(self.form.shape, bool, self.form.order)
        return out

    def forward(self, a: Array, b: Array, out: Array) -> None:
        self.a, self.b, self.out = a, b, out
        try:
            xp.power(a, b, out=out)
        except ValueError:
            raise NncliError(_NEGATIVE) from None

    def backward(self, grad: Array, da: Array | None, db: Array | None) -> None:
        work, zero, other = scratches(self.form, self.mask, self.mask)
        if da is not None:
            xp.subtract(self.b, 1, out=work)
            xp.power(self.a, work, out=work)
            xp.multiply(work, self.b, out=work)
            xp.equal(self.b, 0, out=zero)
            xp.copyto(work, 0, where=zero)
            xp.multiply(grad, work, out=da)
        if db is not None:
            xp.log(self.a, out=work)
            xp.multiply(work, self.out, out=work)
            xp.equal(self.a, 0, out=zero)
            xp.greater_equal(self.b, 0, out=other)
            xp.logical_and(zero, other, out=zero)
            xp.copyto(work, 0, where=zero)
            xp.multiply(grad, work, out=db)


_NEGATIVE = (
    "power: expected exponents of integers that are not negative. Make numbers of the "
    "integers: t.astype('float32')."
)
