"""Reductions: sum and mean along axes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nncli.autograd.function import Case, Function
from nncli.backend import Array, Shape, xp
from nncli.errors import ShapeError


class Sum(Function, name="sum"):
    """y = Σ x along ``axis``; dL/dx = dL/dy at every summed element.

    Args:
        axis: Axis or axes to sum; None for all.
        keepdims: Keep the summed axes with length 1.
    """

    def __init__(self, axis: int | Shape | None = None, keepdims: bool = False) -> None:
        self.axis = axis
        self.keepdims = keepdims

    def allocate(self, x: Array) -> Array:
        """Make the output in the reduced shape."""
        axes = _axes(self.axis, x.ndim, self.type_name)
        self.kept = tuple(1 if i in axes else n for i, n in enumerate(x.shape))
        left = tuple(n for i, n in enumerate(x.shape) if i not in axes)
        self.axes = axes
        self.count = x.size // max(1, int(xp.prod(left, dtype=int)))
        return xp.empty(self.kept if self.keepdims else left, x.dtype)

    def forward(self, x: Array, out: Array) -> None:
        """Write the sums."""
        xp.add.reduce(x, axis=self.axes, out=out, keepdims=self.keepdims)

    def backward(self, grad: Array, dx: Array | None) -> None:
        """Copy each gradient to all the elements that were summed."""
        if dx is not None:
            xp.copyto(dx, grad.reshape(self.kept))

    def flops(self, *arrays: Array) -> int:
        """Count one addition an input element."""
        return int(arrays[0].size)

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """All axes, one, two, from the end, kept or not."""
        for axis in (None, 0, -1, (0, 2)):
            for keepdims in (False, True):
                yield Case(cls(axis, keepdims), (rng.normal(size=(2, 3, 4)),))


class Mean(Sum, name="mean"):
    """y = Σ x / n along ``axis``; dL/dx = dL/dy / n at every averaged element."""

    def forward(self, x: Array, out: Array) -> None:
        """Write the sums divided by the count."""
        super().forward(x, out)
        xp.divide(out, self.count, out=out)

    def backward(self, grad: Array, dx: Array | None) -> None:
        """Copy each gradient, divided by the count."""
        if dx is not None:
            super().backward(grad, dx)
            xp.divide(dx, self.count, out=dx)


def _axes(axis: int | Shape | None, ndim: int, name: str) -> Shape:
    chosen = range(ndim) if axis is None else (axis,) if isinstance(axis, int) else axis
    if any(not -ndim <= i < ndim for i in chosen):
        raise ShapeError(
            f"{name}: expected axes of an array with {ndim} axes, got {axis}."
        )
    axes = sorted(i % ndim for i in chosen)
    if len(set(axes)) < len(axes):
        raise ShapeError(f"{name}: expected different axes, got {axis}.")
    return tuple(axes)
