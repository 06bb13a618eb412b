"""Methods of a tensor that arrange or pick elements, and compute nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from nncli.autograd.operators import Operand, Operators
from nncli.core.arrays import Array, Shape, axes_of
from nncli.core.errors import ShapeError

if TYPE_CHECKING:
    from nncli.autograd.tensor import Tensor

Axes = int | Shape | None


class Shaping(Operators):
    """The same elements: in another type, shape or order, or some of them."""

    __slots__ = ()

    # Another type.

    def astype(self, dtype: DTypeLike) -> Tensor:
        """Return the same numbers in another type; integers have no gradient."""
        wanted = np.dtype(dtype)
        name = "astype" if wanted.kind == "f" else "astype_integer"
        return self.operate(name, self, dtype=wanted)

    def clone(self) -> Tensor:
        """Return a copy, row-major in memory; the gradient goes through it."""
        return self.operate("contiguous", self)

    # Another shape.

    def reshape(self, *shape: int | Sequence[int]) -> Tensor:
        """Return the same elements in another shape; -1 stands for what is left."""
        return self.operate("reshape", self, shape=sizes_of(shape))

    def flatten(self, start_axis: int = 0, end_axis: int = -1) -> Tensor:
        """Make one axis of several: (A, B, C) → (A·B·C,)."""
        shape = self.shape or (1,)
        start, end = (_axis(i, len(shape), "flatten") for i in (start_axis, end_axis))
        middle = int(np.prod(shape[start : end + 1], dtype=int))
        return self.reshape((*shape[:start], middle, *shape[end + 1 :]))

    def squeeze(self, axis: Axes = None) -> Tensor:
        """Remove axes of length 1; one of another length stays, as in PyTorch."""
        axes = axes_of(axis, self.ndim, "squeeze")
        shape = [n for i, n in enumerate(self.shape) if i not in axes or n != 1]
        return self.reshape(shape)

    def unsqueeze(self, axis: int) -> Tensor:
        """Insert an axis of length 1, which then has the number ``axis``."""
        place = _axis(axis, self.ndim + 1, "unsqueeze")
        return self.reshape((*self.shape[:place], 1, *self.shape[place:]))

    def expand(self, *shape: int | Sequence[int]) -> Tensor:
        """Repeat along axes of length 1, or new ones in front; -1 keeps a length.

        Nothing is copied: the result is a view.
        """
        wanted = sizes_of(shape)
        own = (1,) * (len(wanted) - self.ndim) + self.shape
        if len(own) == len(wanted):
            wanted = tuple(
                o if n == -1 else n for n, o in zip(wanted, own, strict=True)
            )
        return self.operate("expand", self, shape=wanted)

    # Another order of axes.

    def transpose(self, *axes: int | Sequence[int]) -> Tensor:
        """Reorder the axes; without arguments, reverse them.

        As in NumPy; PyTorch calls it permute, and its transpose is ``swapaxes``.
        """
        return self.operate("transpose", self, axes=sizes_of(axes) or None)

    @property
    def T(self) -> Tensor:  # noqa: N802 - the name that NumPy gives it
        """The transpose: the axes reversed."""
        return self.transpose()

    def swapaxes(self, one: int, other: int) -> Tensor:
        """Exchange two axes."""
        axes = list(range(self.ndim))
        i, j = (_axis(axis, self.ndim, "swapaxes") for axis in (one, other))
        axes[i], axes[j] = j, i
        return self.transpose(axes)

    def moveaxis(self, old: int | Shape, new: int | Shape) -> Tensor:
        """Move axes from their old places to new ones; the others keep their order."""
        sources, places = (_places(axes, self.ndim) for axes in (old, new))
        if len(sources) != len(places):
            raise ShapeError(
                f"moveaxis: expected as many new places as axes, got {old} and {new}."
            )
        axes = [axis for axis in range(self.ndim) if axis not in sources]
        for place, source in sorted(zip(places, sources, strict=True)):
            axes.insert(place, source)
        return self.transpose(axes)

    # Another order of elements, or several times the same.

    def flip(self, axis: Axes = None) -> Tensor:
        """Reverse the order along axes (all by default)."""
        axes = axes_of(axis, self.ndim, "flip")
        back, all_of_it = slice(None, None, -1), slice(None)
        return self[tuple(back if i in axes else all_of_it for i in range(self.ndim))]

    def roll(self, shift: int | Shape, axis: int | Shape | None = None) -> Tensor:
        """Shift elements along axes; what leaves at the end enters at the beginning.

        Without ``axis``, along all elements in row-major order.
        """
        if axis is None:
            return self.flatten().roll(shift, 0).reshape(self.shape)
        shifts = (shift,) if isinstance(shift, int) else shift
        axes = (axis,) if isinstance(axis, int) else axis
        if len(shifts) != len(axes):
            raise ShapeError(
                f"roll: expected one shift an axis, got {shift} for axes {axis}."
            )
        rolled: Any = self
        for count, one in zip(shifts, axes, strict=True):
            place = _axis(one, self.ndim, "roll")
            cut = -count % max(self.shape[place], 1)
            first, last = rolled.split((cut, self.shape[place] - cut), place)
            rolled = self.operate("concat", last, first, axis=place)
        return rolled if axes else self.clone()

    def repeat(self, *times: int | Sequence[int]) -> Tensor:
        """Lay copies side by side, so often along each axis; new axes come in front.

        As PyTorch's repeat. NumPy's, which repeats each element, is
        ``repeat_interleave``.
        """
        counts = sizes_of(times)
        if len(counts) < self.ndim:
            raise ShapeError(
                f"repeat: expected a number for each of {self.ndim} axes, got {counts}."
            )
        shape = (1,) * (len(counts) - self.ndim) + self.shape
        pairs = list(zip(counts, shape, strict=True))
        apart = self.reshape([size for n in shape for size in (1, n)])
        spread = apart.expand([size for pair in pairs for size in pair])
        return spread.reshape([count * n for count, n in pairs])

    def tile(self, *times: int | Sequence[int]) -> Tensor:
        """Lay copies side by side as ``repeat`` does; missing numbers are 1."""
        counts = sizes_of(times)
        return self.repeat((1,) * (self.ndim - len(counts)) + counts)

    def repeat_interleave(self, times: ArrayLike, axis: int | None = None) -> Tensor:
        """Repeat each element so often, or each by a number of its own.

        Along ``axis``; without it, along all elements in row-major order.
        """
        if axis is None:
            return self.flatten().repeat_interleave(times, 0)
        place = _axis(axis, self.ndim, "repeat_interleave")
        chosen = np.repeat(np.arange(self.shape[place]), np.asarray(times, int))
        return self[(slice(None),) * place + (chosen,)]

    # More elements.

    def pad(
        self, widths: int | Sequence[int] | Sequence[Sequence[int]], value: float = 0.0
    ) -> Tensor:
        """Put a constant around the elements.

        Args:
            widths: (before, after) for each axis; one pair or one number for all.
            value: The constant.
        """
        pairs = np.broadcast_to(np.asarray(widths), (self.ndim, 2)).tolist()
        return self.operate("pad", self, widths=tuple(map(tuple, pairs)), value=value)

    # Some of the elements.

    def split(self, size: int | Sequence[int], axis: int = 0) -> tuple[Tensor, ...]:
        """Cut along an axis, into parts of one size (the last may be smaller).

        Args:
            size: The size of each part; several numbers for parts of different sizes.
            axis: The axis.
        """
        place = _axis(axis, self.ndim, "split")
        length = self.shape[place]
        if isinstance(size, int):
            if size < 1:
                raise ShapeError(f"split: expected a size >= 1, got {size}.")
            sizes = [size] * (-(-length // size) or 1)
        else:
            sizes = list(size)
            if sum(sizes) != length or min(sizes, default=0) < 0:
                raise ShapeError(
                    f"split: expected sizes that add up to {length}, got {size}."
                )
        ends = np.cumsum(sizes).tolist()
        before = (slice(None),) * place
        return tuple(
            self[(*before, slice(end - own, end))]
            for end, own in zip(ends, sizes, strict=True)
        )

    def gather(self, axis: int, places: Operand) -> Tensor:
        """Pick one element for each place: y[i, j] = x[i, places[i, j]] for axis 1.

        ``places`` has as many axes; along the others than ``axis`` it may be shorter.
        As PyTorch's gather; places may also count from the end.
        """
        return self.operate("gather", self, places, axis=axis)

    def take_along_axis(self, places: Operand, axis: int | None = -1) -> Tensor:
        """Pick elements as ``gather`` does; lengths of 1 broadcast, as in NumPy."""
        given = self._tensor(places)
        if axis is None:
            return self.flatten().gather(0, given.flatten())
        place = _axis(axis, self.ndim, "take_along_axis")
        own, other = list(self.shape), list(given.shape)
        if len(own) != len(other):
            raise ShapeError(
                f"take_along_axis: expected places with {len(own)} axes, got shape "
                f"{given.shape}."
            )
        own[place] = other[place] = 1
        try:
            both = np.broadcast_shapes(tuple(own), tuple(other))
        except ValueError:
            raise ShapeError(
                f"take_along_axis: expected places of a shape that broadcasts with "
                f"{self.shape} but for axis {axis}, got {given.shape}."
            ) from None
        wide = [-1 if i == place else n for i, n in enumerate(both)]
        return self.expand(wide).gather(place, given.expand(wide))

    def diagonal(self, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Tensor:
        """Return what lies at [i, i + offset] of two axes, as the last axis."""
        moved = self.moveaxis((axis1, axis2), (-2, -1))
        rows, columns = moved.shape[-2:]
        first, second = max(-offset, 0), max(offset, 0)
        steps = np.arange(max(0, min(rows - first, columns - second)))
        return moved[..., first + steps, second + steps]

    def tril(self, offset: int = 0) -> Tensor:
        """Put 0 above a diagonal of the last two axes."""
        return self.operate("where", self._below(offset), self, False)

    def triu(self, offset: int = 0) -> Tensor:
        """Put 0 below a diagonal of the last two axes."""
        return self.operate("where", ~self._below(offset - 1), self, False)

    def _below(self, offset: int) -> Array:
        if self.ndim < 2:
            raise ShapeError(f"tril: expected two axes at least, got {self.shape}.")
        rows, columns = self.shape[-2:]
        return np.tri(rows, columns, offset, dtype=bool)

    def _tensor(self, value: Operand) -> Tensor:
        """Return a tensor of a plain array, and a tensor as it is."""
        made: Any = type(self)
        given: Any = value
        found: Tensor = given if isinstance(given, made) else made(np.asarray(given))
        return found


def sizes_of(given: tuple[Any, ...]) -> Shape:
    """Return numbers that were given one by one, or as one sequence."""
    if len(given) == 1 and not isinstance(given[0], int | np.integer):
        given = tuple(given[0])
    return tuple(int(each) for each in given)


def _axis(axis: int, ndim: int, name: str) -> int:
    return axes_of(axis, ndim, name)[0]


def _places(axes: int | Shape, ndim: int) -> list[int]:
    """Return axes counted from 0, in the order in which they were named."""
    axes_of(axes, ndim, "moveaxis")
    return [axis % ndim for axis in ((axes,) if isinstance(axes, int) else axes)]
