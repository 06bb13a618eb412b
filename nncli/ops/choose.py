"""What chooses between values: a condition, the larger one, bounds; whole numbers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from nncli.autograd.buffers import form, scratch, scratches
from nncli.autograd.function import Case
from nncli.core.arrays import Array, xp
from nncli.core.errors import NncliError
from nncli.ops.activations import Piecewise
from nncli.ops.elementwise import Binary, Unary


class Where(Binary, name="where"):
    """y = a where a condition holds, else b; dL/dy goes to the one that was taken."""

    differentiable = (False, True, True)
    saves_inputs = (True, False, False)

    def allocate(self, *inputs: Array) -> Array:
        condition, a, b = inputs
        if condition.dtype != bool:
            raise NncliError(
                f"where: expected a condition of booleans, got {condition.dtype}. "
                "Compare it: t != 0."
            )
        return self.output(xp.result_type(a, b), a, b, condition)

    def forward(self, condition: Array, a: Array, b: Array, out: Array) -> None:
        self.condition = condition
        xp.copyto(out, b)
        xp.copyto(out, a, where=condition)

    def backward(
        self, grad: Array, _: Array | None, da: Array | None, db: Array | None
    ) -> None:
        if da is not None:
            da.fill(0)
            xp.copyto(da, grad, where=self.condition)
        if db is not None:
            xp.copyto(db, grad)
            xp.copyto(db, 0, where=self.condition)

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """Same shapes, and broadcasting of each."""
        for shapes in (
            ((3, 4), (3, 4), (3, 4)),
            ((3, 1), (4,), ()),
            ((), (2, 3), (3,)),
        ):
            condition, a, b = (xp.asarray(rng.normal(size=shape)) for shape in shapes)
            yield Case(cls(), (xp.asarray(condition > 0), a, b))


class Extreme(Binary):
    """Base of the larger and the smaller of two values.

    Class attributes:
        f: NumPy's function.
        loses: Tells where the first of two values is not taken.
    """

    f: ClassVar[np.ufunc]
    loses: ClassVar[np.ufunc]
    saves_inputs = True

    def allocate(self, *inputs: Array) -> Array:
        out = super().allocate(*inputs)
        self.mask = form(self.form.shape, bool, self.form.order)
        return out

    def forward(self, a: Array, b: Array, out: Array) -> None:
        self.a, self.b = a, b
        self.f(a, b, out=out)

    def backward(self, grad: Array, da: Array | None, db: Array | None) -> None:
        mask = scratch(self.mask)
        for dx, x, other in ((da, self.a, self.b), (db, self.b, self.a)):
            if dx is not None:
                xp.copyto(dx, grad)
                self.loses(x, other, out=mask)
                xp.copyto(dx, 0, where=mask)
                xp.equal(x, other, out=mask)
                xp.multiply(dx, 0.5, out=dx, where=mask)


class Maximum(Extreme, name="maximum"):
    """y = max(a, b); dL/dy goes to the larger, half to each where both are equal.

    NaN where either is. As PyTorch.
    """

    f = xp.maximum
    loses = xp.less


class Minimum(Extreme, name="minimum"):
    """y = min(a, b); dL/dy goes to the smaller, half to each where both are equal.

    NaN where either is. As PyTorch.
    """

    f = xp.minimum
    loses = xp.greater


class Clip(Piecewise, name="clip"):
    """y = min(max(x, low), high); dL/dx = dL/dy where low ≤ x ≤ high, else 0.

    At the bounds themselves the derivative is 1, as in PyTorch's clamp.

    Args:
        low: The smallest value; None for no bound.
        high: The largest value; None for no bound.
    """

    low: float | None = None
    high: float | None = None

    real = False

    def allocate(self, x: Array) -> Array:
        if x.dtype.kind in "iu":
            known, bounds = xp.iinfo(x.dtype), (self.low, self.high)
            if any(b is not None and not known.min <= b <= known.max for b in bounds):
                raise NncliError(
                    f"clip: expected bounds that {x.dtype} can hold, got {self.low} "
                    f"and {self.high}. Convert the tensor first: t.astype('int64')."
                )
        return super().allocate(x)

    def forward(self, x: Array, out: Array) -> None:
        self.x = x
        xp.clip(x, self.low, self.high, out=out)

    def backward(self, grad: Array, dx: Array) -> None:
        inside, other = scratches(self.mask, self.mask)
        xp.greater_equal(self.x, -xp.inf if self.low is None else self.low, out=inside)
        xp.less_equal(self.x, xp.inf if self.high is None else self.high, out=other)
        xp.logical_and(inside, other, out=inside)
        xp.multiply(grad, inside, out=dx)

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """Both bounds, and either alone."""
        for low, high in ((-1.0, 1.0), (0.5, None), (None, -0.5)):
            yield Case(cls(low, high), (rng.normal(0, 2, (3, 4)),))


class Stairs(Unary):
    """Base of functions that are constant between jumps; the derivative is 0.

    Class attributes:
        f: NumPy's function.
        fixed: Kinds of numbers that f leaves as they are.
    """

    f: ClassVar[np.ufunc]
    fixed: ClassVar[str] = "biu"
    real = False

    def forward(self, x: Array, out: Array) -> None:
        if x.dtype.kind in self.fixed:
            xp.copyto(out, x)
        else:
            self.write(x, out)

    def write(self, x: Array, out: Array) -> None:
        """Write f(x)."""
        self.f(x, out=out)

    def backward(self, grad: Array, dx: Array) -> None:
        dx.fill(0)


class Floor(Stairs, name="floor"):
    """y = ⌊x⌋, the largest whole number that is not above x; the derivative is 0."""

    f = xp.floor


class Ceil(Stairs, name="ceil"):
    """y = ⌈x⌉, the smallest whole number that is not below x; the derivative is 0."""

    f = xp.ceil


class Round(Stairs, name="round"):
    """y = the nearest whole number, the even one of two; the derivative is 0.

    Args:
        decimals: How many decimals stay.
    """

    decimals: int = 0

    fixed = "b"

    def write(self, x: Array, out: Array) -> None:
        xp.round(x, self.decimals, out=out)

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """No decimals, and one."""
        for decimals in (0, 1):
            yield Case(cls(decimals), (rng.normal(0, 2, (3, 4)),))


class Sign(Stairs, name="sign"):
    """y = −1, 0 or 1, the sign of x; the derivative is 0."""

    f = xp.sign
    fixed = "b"
