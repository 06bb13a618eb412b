"""The same numbers in another type."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nncli.autograd.buffers import Form, form
from nncli.autograd.function import Case, Sized
from nncli.core.arrays import Array, xp
from nncli.ops.elementwise import Unary, WithoutDerivative


class AsType(Unary, name="astype"):
    """y = x in another floating-point type; dL/dx = dL/dy in the type of x.

    Args:
        dtype: The type of y.
    """

    dtype: np.dtype[np.generic]

    real = False

    def allocate(self, x: Array) -> Array:
        return form(x.shape, self.dtype, Form.of(x).order).empty()

    def forward(self, x: Array, out: Array) -> None:
        xp.copyto(out, x, casting="unsafe")

    def backward(self, grad: Array, dx: Array) -> None:
        if dx is not grad:
            xp.copyto(dx, grad, casting="same_kind")

    def flops(self, *arrays: Sized) -> int:
        return 0

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """To the same type: the checker's differences need all digits of float64."""
        yield Case(cls(xp.dtype(xp.float64)), (rng.normal(size=(3, 4)),))


class AsInteger(WithoutDerivative, AsType, name="astype_integer"):
    """y = x as integers, without what stands behind the point, or as booleans.

    Args:
        dtype: The type of y.
    """

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """Integers of several sizes, and booleans."""
        for dtype in (xp.int64, xp.int8, bool):
            yield Case(cls(xp.dtype(dtype)), (rng.integers(-9, 9, (3, 4)) / 2,))
