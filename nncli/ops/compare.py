"""Yes or no: comparisons, logic, and what kind of number something is.

None of them has a derivative.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from nncli.autograd.buffers import Form, form
from nncli.autograd.function import Case
from nncli.core.arrays import Array, xp
from nncli.core.errors import NncliError
from nncli.ops.elementwise import Binary, Unary, WithoutDerivative


class Comparison(WithoutDerivative, Binary):
    """Base of a yes or no for each pair of elements.

    Class attributes:
        f: NumPy's function.
    """

    f: ClassVar[np.ufunc]
    compares = True

    def allocate(self, *inputs: Array) -> Array:
        """Make an output of booleans."""
        return self.output(xp.dtype(bool), *inputs)

    def forward(self, a: Array, b: Array, out: Array) -> None:
        self.f(a, b, out=out)

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """Numbers of which some are equal, some 0."""
        for left, right in (((3, 4), (3, 4)), ((3, 1), (4,)), ((), (5,))):
            a, b = (rng.integers(-1, 2, s).astype(float) for s in (left, right))
            yield Case(cls(), (xp.asarray(a), xp.asarray(b)))


class Equal(Comparison, name="equal"):
    """y = [a = b]."""

    f = xp.equal


class NotEqual(Comparison, name="not_equal"):
    """y = [a ≠ b]."""

    f = xp.not_equal


class Less(Comparison, name="less"):
    """y = [a < b]."""

    f = xp.less


class LessEqual(Comparison, name="less_equal"):
    """y = [a ≤ b]."""

    f = xp.less_equal


class Greater(Comparison, name="greater"):
    """y = [a > b]."""

    f = xp.greater


class GreaterEqual(Comparison, name="greater_equal"):
    """y = [a ≥ b]."""

    f = xp.greater_equal


class LogicalAnd(Comparison, name="logical_and"):
    """y = [a ≠ 0 and b ≠ 0]."""

    f = xp.logical_and


class LogicalOr(Comparison, name="logical_or"):
    """y = [a ≠ 0 or b ≠ 0]."""

    f = xp.logical_or


class LogicalXor(Comparison, name="logical_xor"):
    """y = [either a ≠ 0 or b ≠ 0]."""

    f = xp.logical_xor


class Bitwise(WithoutDerivative, Binary):
    """Base of logic on booleans, and on the bits of integers.

    Class attributes:
        f: NumPy's function.
    """

    f: ClassVar[np.ufunc]

    def allocate(self, *inputs: Array) -> Array:
        _refuse_floats(self.type_name, *inputs)
        return super().allocate(*inputs)

    def forward(self, a: Array, b: Array, out: Array) -> None:
        self.f(a, b, out=out)

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """Booleans, and integers."""
        a, b = (rng.integers(0, 2, shape) > 0 for shape in ((3, 4), (4,)))
        yield Case(cls(), (a, b))
        yield Case(cls(), (rng.integers(0, 9, (2, 3)), rng.integers(0, 9, (2, 3))))


class BitwiseAnd(Bitwise, name="bitwise_and"):
    """y = a & b."""

    f = xp.bitwise_and


class BitwiseOr(Bitwise, name="bitwise_or"):
    """y = a | b."""

    f = xp.bitwise_or


class BitwiseXor(Bitwise, name="bitwise_xor"):
    """y = a ^ b."""

    f = xp.bitwise_xor


class Invert(WithoutDerivative, Unary, name="invert"):
    """y = ~x: no for yes, or the other bits of an integer."""

    real = False

    def allocate(self, x: Array) -> Array:
        _refuse_floats(self.type_name, x)
        return super().allocate(x)

    def forward(self, x: Array, out: Array) -> None:
        xp.invert(x, out=out)

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """Booleans, and integers."""
        yield Case(cls(), (rng.integers(0, 2, (3, 4)) > 0,))
        yield Case(cls(), (rng.integers(-9, 9, (2, 3)),))


class Predicate(WithoutDerivative, Unary):
    """Base of a yes or no for each element.

    Class attributes:
        f: NumPy's function.
    """

    f: ClassVar[np.ufunc]
    real = False

    def allocate(self, x: Array) -> Array:
        """Make an output of booleans."""
        order = Form.of(x).order
        return form(x.shape, bool, order).empty()

    def forward(self, x: Array, out: Array) -> None:
        self.f(x, out=out)

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """Numbers and what is none."""
        special = xp.array([xp.nan, xp.inf, -xp.inf, 0.0, -0.0, 1.5])
        yield Case(cls(), (special,))
        yield Case(cls(), (rng.permuted(special).reshape(2, 3),))


class LogicalNot(Predicate, name="logical_not"):
    """y = [x = 0]."""

    f = xp.logical_not


class IsNan(Predicate, name="isnan"):
    """y = [x is no number]."""

    f = xp.isnan


class IsInf(Predicate, name="isinf"):
    """y = [x = ±∞]."""

    f = xp.isinf


class IsFinite(Predicate, name="isfinite"):
    """y = [x is a number, and not ±∞]."""

    f = xp.isfinite


def _refuse_floats(name: str, *arrays: Array) -> None:
    if any(array.dtype.kind == "f" for array in arrays):
        kinds = " and ".join(str(array.dtype) for array in arrays)
        raise NncliError(
            f"{name}: expected booleans or integers, got {kinds}. Compare first: t > 0."
        )
