"""Reductions: sum and mean along axes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nncli.autograd.function import Case, Function, Sized
from nncli.core.arrays import Array, Shape, xp
from nncli.core.errors import ShapeError


class Sum(Function, name="sum"):
    """y = Σ x along ``axis``; dL/dx = dL/dy at every summed element.

    Args:
        axis: Axis or axes to sum; None for all.
        keepdims: Keep the summed axes with length 1.
    """

    axis: int | Shape | None = None
    keepdims: bool = False

    layout = "any"
    saves_inputs = False
    saves_output = False

    def allocate(self, x: Array) -> Array:
        """Make the output in the reduced shape."""
        self.axes = axes_of(self.axis, x.ndim, self.type_name)
        self.kept = tuple(1 if i in self.axes else n for i, n in enumerate(x.shape))
        left = tuple(n for i, n in enumerate(x.shape) if i not in self.axes)
        self.count = int(np.prod([x.shape[i] for i in self.axes], dtype=int))
        return xp.empty(self.kept if self.keepdims else left, self.dtype_of(x))

    def dtype_of(self, x: Array) -> np.dtype[np.generic]:
        """Return the type of the sum: wide enough for integers and booleans."""
        return x.dtype if x.dtype.kind == "f" else np.dtype(np.int64)

    def forward(self, x: Array, out: Array) -> None:
        xp.add.reduce(x, axis=self.axes, out=out, keepdims=self.keepdims)

    def backward(self, grad: Array, dx: Array) -> None:
        """Copy each gradient to all the elements that were summed."""
        xp.copyto(dx, grad.reshape(self.kept))

    def flops(self, *arrays: Sized) -> int:
        """Count one addition an input element."""
        return arrays[0].size

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """All axes, one, two, from the end, kept or not."""
        for axis in (None, 0, -1, (0, 2)):
            for keepdims in (False, True):
                yield Case(cls(axis, keepdims), (rng.normal(size=(2, 3, 4)),))


class Mean(Sum, name="mean"):
    """y = Σ x / n along ``axis``; dL/dx = dL/dy / n at every averaged element."""

    def dtype_of(self, x: Array) -> np.dtype[np.generic]:
        return x.dtype if x.dtype.kind == "f" else np.dtype(np.float32)

    def forward(self, x: Array, out: Array) -> None:
        super().forward(x, out)
        xp.divide(out, self.count, out=out)

    def backward(self, grad: Array, dx: Array) -> None:
        super().backward(grad, dx)
        xp.divide(dx, self.count, out=dx)


def axes_of(axis: int | Shape | None, ndim: int, name: str) -> Shape:
    """Return the axes that an argument names, counted from 0 and in order.

    Raises:
        ShapeError: There is no such axis, or one is named twice.
    """
    chosen = range(ndim) if axis is None else (axis,) if isinstance(axis, int) else axis
    if any(not -ndim <= i < ndim for i in chosen):
        raise ShapeError(
            f"{name}: expected axes of an array with {ndim} axes, got {axis}."
        )
    axes = sorted(i % ndim for i in chosen)
    if len(set(axes)) < len(axes):
        raise ShapeError(f"{name}: expected different axes, got {axis}.")
    return tuple(axes)
