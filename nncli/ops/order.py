"""What asks for the order of elements: extremes, their places, sorting; any and all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import numpy as np

from nncli.autograd.buffers import form, scratches
from nncli.autograd.function import Case
from nncli.core.arrays import Array, axes_of, xp
from nncli.core.errors import ShapeError
from nncli.ops.elementwise import WithoutDerivative
from nncli.ops.reduce import Reduction


class AnyTrue(WithoutDerivative, Reduction, name="any"):
    """y = [some x ≠ 0] along ``axis``."""

    def dtype_of(self, x: Array) -> np.dtype[np.generic]:
        return np.dtype(bool)

    def forward(self, x: Array, out: Array) -> None:
        self.reduce(xp.logical_or, x, out)


class AllTrue(AnyTrue, name="all"):
    """y = [every x ≠ 0] along ``axis``."""

    def forward(self, x: Array, out: Array) -> None:
        self.reduce(xp.logical_and, x, out)


class AMax(Reduction, name="amax"):
    """y = max x along ``axis``; dL/dx = dL/dy, in equal parts to all that are largest.

    NaN where an element is. As PyTorch's amax.
    """

    f: ClassVar[np.ufunc] = xp.maximum
    saves_inputs = True
    saves_output = True

    def allocate(self, x: Array) -> Array:
        out = super().allocate(x)
        if not self.count and out.size:
            raise _nothing(self.type_name, x)
        return out

    def forward(self, x: Array, out: Array) -> None:
        self.x, self.out = x, out
        self.reduce(self.f, x, out)

    def backward(self, grad: Array, dx: Array) -> None:
        """Write g·[x = y] / Σ [x = y]."""
        share, taken = scratches(
            form(self.kept, dx.dtype),
            form(self.form.shape, bool, self.form.order),
        )
        xp.equal(self.x, self.out.reshape(self.kept), out=taken)
        self.reduce(xp.add, taken, share)
        xp.divide(grad.reshape(self.kept), share, out=share)
        xp.multiply(taken, share, out=dx)

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """Besides what every reduction is tried with, ties (which have kinks)."""
        yield from super().cases(rng)
        x = xp.array([[1.0, 3.0, 3.0, -2.0, -2.0], [0.5, 1.5, 2.5, 3.5, 0.5]])
        yield Case(cls(-1), (x,))


class AMin(AMax, name="amin"):
    """y = min x along ``axis``; dL/dx = dL/dy, in equal parts to all that are smallest.

    NaN where an element is. As PyTorch's amin.
    """

    f = xp.minimum


class ArgMax(WithoutDerivative, name="argmax"):
    """y = the first place of the largest element (or NaN) along ``axis``.

    Args:
        axis: The axis; None for the place among all elements in row-major order.
        keepdims: Keep the axis with length 1.
    """

    axis: int | None = None
    keepdims: bool = False

    f: ClassVar[Callable[..., Any]] = staticmethod(xp.argmax)
    layout = "any"
    saves_inputs = False
    saves_output = False

    def allocate(self, x: Array) -> Array:
        axes = axes_of(self.axis, x.ndim, self.type_name)
        kept = tuple(1 if i in axes else n for i, n in enumerate(x.shape))
        left = tuple(n for i, n in enumerate(x.shape) if i not in axes)
        out = xp.empty(kept if self.keepdims else left, xp.int64)
        if out.size and not x.size:
            raise _nothing(self.type_name, x)
        return out

    def forward(self, x: Array, out: Array) -> None:
        self.f(x, axis=self.axis, out=out, keepdims=self.keepdims)

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """All axes, one, from the end; numbers of which some are equal."""
        for axis in (None, 0, -1):
            for keepdims in (False, True):
                x = rng.integers(0, 4, (2, 3, 4)).astype(float)
                yield Case(cls(axis, keepdims), (x,))


class ArgMin(ArgMax, name="argmin"):
    """y = the first place of the smallest element (or NaN) along ``axis``.

    Args:
        axis: The axis; None for the place among all elements in row-major order.
        keepdims: Keep the axis with length 1.
    """

    f = staticmethod(xp.argmin)


class ArgSort(WithoutDerivative, name="argsort"):
    """y = the places of the elements along ``axis``, from the smallest to the largest.

    Equal elements keep their order; NaN counts as the largest.

    Args:
        axis: The axis to sort along.
        descending: From the largest to the smallest.
    """

    axis: int = -1
    descending: bool = False

    layout = "any"
    saves_inputs = False
    saves_output = False

    def allocate(self, x: Array) -> Array:
        (self.along,) = axes_of(self.axis, x.ndim, self.type_name)
        self.backwards = (slice(None),) * self.along + (slice(None, None, -1),)
        return xp.empty(x.shape, xp.int64)

    def forward(self, x: Array, out: Array) -> None:
        """Sort backwards what shall descend: equal ones then keep their order."""
        if self.descending:
            x, out = x[self.backwards], out[self.backwards]
        xp.copyto(out, xp.argsort(x, axis=self.along, kind="stable"))
        if self.descending:
            xp.subtract(x.shape[self.along] - 1, out, out=out)

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """Along each axis, both ways; numbers of which some are equal."""
        for axis in (0, -1):
            for descending in (False, True):
                x = rng.integers(0, 4, (2, 3, 5)).astype(float)
                yield Case(cls(axis, descending), (x,))


def _nothing(name: str, x: Array) -> ShapeError:
    return ShapeError(
        f"{name}: expected at least one element along the axis, got shape {x.shape}."
    )
