"""What picks elements out: by an index between brackets, or by one place each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from nncli.autograd.function import Case
from nncli.autograd.operators import GIVEN
from nncli.core.arrays import Array, xp
from nncli.core.errors import IndexShapeError, ShapeError
from nncli.ops.shape import Rearrangement


class GetItem(Rearrangement, name="getitem"):
    """y = x[index]; dL/dx adds each gradient to the element that was read.

    With integers, slices, None and ``...`` alone, y is a view of x; as in NumPy.

    Args:
        index: What NumPy takes between brackets. GIVEN stands for an array of integers
            that is an input: the first for the first after x.
    """

    index: Any

    differentiable = (True, False)

    def allocate(self, x: Array, *places: Array) -> Array:
        """Return a view, or an array for the chosen elements."""
        parts = self.index if isinstance(self.index, tuple) else (self.index,)
        self.is_view = all(_is_basic(part) for part in parts)
        if self.is_view and not any(part is Ellipsis for part in parts):
            parts = (*parts, ...)  # So that a single element is an array as well.
        self.parts = parts
        self.places = [xp.zeros_like(each) for each in places]
        if self.is_view:
            return self._chosen(x)
        # What is given has no values yet where a Replay is planned; 0 does as well.
        probe = xp.broadcast_to(xp.empty((), x.dtype), x.shape)
        shape = self._chosen(probe).shape
        return xp.empty(shape, x.dtype)

    def forward(self, x: Array, *arrays: Array) -> None:
        if self.is_view:
            return
        *places, out = arrays
        for mine, place in zip(self.places, places, strict=True):
            xp.copyto(mine, place)
        xp.copyto(out, self._chosen(x))

    def backward(self, grad: Array, dx: Array, *_: Array | None) -> None:
        """Add up, since arrays of places may name an element twice."""
        dx.fill(0)
        index = self._index()
        if self.is_view:
            xp.copyto(dx[index], grad)
        else:
            np.add.at(dx, index, grad)

    def _index(self) -> tuple[Any, ...]:
        places = iter(self.places)
        return tuple(next(places) if part is GIVEN else part for part in self.parts)

    def _chosen(self, x: Array) -> Array:
        try:
            chosen: Array = x[self._index()]
        except IndexError as error:
            raise IndexShapeError(f"getitem: {error} (shape {x.shape}).") from None
        return chosen

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """An integer, slices, and lists that name a row twice."""
        for index in (1, (slice(None), slice(0, 4, 2)), (None, ..., 2), ([0, 2, 0],)):
            yield Case(cls(index), (rng.normal(size=(3, 4)),))
        rows = rng.integers(-3, 3, 5)
        yield Case(cls(GIVEN), (rng.normal(size=(3, 4)), rows))
        yield Case(cls((GIVEN, slice(1, 3))), (rng.normal(size=(3, 4)), rows))


class Gather(Rearrangement, name="gather"):
    """y[i, j] = x[i, p[i, j]] along the last axis of two, and so along any axis.

    p has as many axes as x; along others than ``axis`` it may be shorter. dL/dx adds
    each gradient to the element that was read.

    Args:
        axis: The axis that the places p count along.
    """

    axis: int = -1

    differentiable = (True, False)
    saves_inputs = (False, True)

    def allocate(self, x: Array, places: Array) -> Array:
        axis = self.axis % max(x.ndim, 1)
        if (
            not -x.ndim <= self.axis < x.ndim
            or places.ndim != x.ndim
            or any(
                n > size
                for i, (n, size) in enumerate(zip(places.shape, x.shape, strict=True))
                if i != axis
            )
        ):
            raise ShapeError(
                f"gather: expected places of a shape that fits {x.shape} but for axis "
                f"{self.axis}, got {places.shape}."
            )
        self.along = axis
        return xp.empty(places.shape, x.dtype)

    def forward(self, x: Array, places: Array, out: Array) -> None:
        self.places = places
        try:
            xp.copyto(out, x[self._index()])
        except IndexError as error:
            raise IndexShapeError(f"gather: {error} (shape {x.shape}).") from None

    def backward(self, grad: Array, dx: Array, _: Array | None) -> None:
        dx.fill(0)
        np.add.at(dx, self._index(), grad)

    def _index(self) -> tuple[Array, ...]:
        index: list[Array] = list(xp.indices(self.places.shape, sparse=True))
        index[self.along] = self.places
        return tuple(index)

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """Along each axis; places that are named twice, and rows without any."""
        for axis, shape in ((0, (2, 4)), (1, (3, 6)), (-1, (2, 2))):
            places = rng.integers(0, 3, shape)
            yield Case(cls(axis), (rng.normal(size=(3, 4)), places))


def _is_basic(part: Any) -> bool:
    """Whether part of an index keeps the elements where they lie."""
    if isinstance(part, bool | np.bool):
        return False
    return (
        part is None or part is Ellipsis or isinstance(part, int | np.integer | slice)
    )
