"""The same elements in another arrangement: reshape, transpose, parts, side by side."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from nncli.autograd.function import Case, Function
from nncli.backend import Array, Shape, xp
from nncli.errors import ShapeError


class Reshape(Function, name="reshape"):
    """y = x in another shape, elements in row-major order; dL/dx = dL/dy, reshaped.

    Args:
        shape: The new shape; one entry may be -1 and is then inferred.
    """

    def __init__(self, shape: Shape) -> None:
        self.shape = shape

    def allocate(self, x: Array) -> Array:
        """Make a view of ``x`` where its memory allows one, else an array."""
        try:
            out = x.reshape(self.shape)
        except ValueError:
            raise ShapeError(
                f"reshape: expected a shape with {x.size} elements, as {x.shape} has, "
                f"got {self.shape}."
            ) from None
        self.is_view = xp.may_share_memory(out, x)
        return out

    def forward(self, x: Array, out: Array) -> None:
        """Copy the elements, unless the output looks at the same memory."""
        if not self.is_view:
            # Through a view of `out` in x's shape: nothing is allocated.
            xp.copyto(out.reshape(x.shape), x)

    def backward(self, grad: Array, dx: Array | None) -> None:
        """Copy the gradient back in the old shape."""
        if dx is not None:
            xp.copyto(dx, grad.reshape(dx.shape))

    def flops(self, *arrays: Array) -> int:
        """Nothing is computed."""
        return 0

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """Contiguous and transposed input, with and without -1."""
        for shape in ((6, 4), (-1,), (4, -1, 2)):
            yield Case(cls(shape), (rng.normal(size=(2, 3, 4)),))
            yield Case(cls(shape), (rng.normal(size=(4, 6)).T,))


class Transpose(Function, name="transpose"):
    """y = x with its axes reordered; dL/dx = dL/dy with the order undone.

    Args:
        axes: The old axis that each new axis is; None reverses them.
    """

    def __init__(self, axes: Shape | None = None) -> None:
        self.axes = axes

    def allocate(self, x: Array) -> Array:
        """Make a view."""
        try:
            out = x.transpose(self.axes)
        except ValueError:
            raise ShapeError(
                f"transpose: expected an order of {x.ndim} axes, got {self.axes}."
            ) from None
        axes = self.axes or tuple(reversed(range(x.ndim)))
        self.inverse = tuple(int(i) for i in np.argsort([a % x.ndim for a in axes]))
        return out

    def forward(self, x: Array, out: Array) -> None:
        """Do nothing: the output looks at the memory of the input."""

    def backward(self, grad: Array, dx: Array | None) -> None:
        """Copy the gradient with its axes in the old order."""
        if dx is not None:
            xp.copyto(dx, grad.transpose(self.inverse))

    def flops(self, *arrays: Array) -> int:
        """Nothing is computed."""
        return 0

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """Reversed, a cycle, and counted from the end."""
        for axes in (None, (1, 2, 0), (-1, 0, 1)):
            yield Case(cls(axes), (rng.normal(size=(2, 3, 4)),))


class GetItem(Function, name="getitem"):
    """y = x[index]; dL/dx adds each gradient to the element that was read.

    Args:
        index: What NumPy takes between brackets, without boolean arrays.
    """

    def __init__(self, index: Any) -> None:
        self.index = index

    def allocate(self, x: Array) -> Array:
        """Make an array for the chosen elements."""
        try:
            return xp.array(x[self.index], copy=True)
        except IndexError as error:
            raise ShapeError(f"getitem: {error} (shape {x.shape}).") from None

    def forward(self, x: Array, out: Array) -> None:
        """Copy the chosen elements."""
        xp.copyto(out, x[self.index])

    def backward(self, grad: Array, dx: Array | None) -> None:
        """Add up, since an index may name an element twice."""
        if dx is not None:
            dx.fill(0)
            np.add.at(dx, self.index, grad)

    def flops(self, *arrays: Array) -> int:
        """Nothing is computed."""
        return 0

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """An integer, slices, and a list that names a row twice."""
        for index in (1, (slice(None), slice(0, 4, 2)), ([0, 2, 0],)):
            yield Case(cls(index), (rng.normal(size=(3, 4)),))


class Concat(Function, name="concat"):
    """y = the inputs side by side along ``axis``; each dL/dx = its part of dL/dy.

    Args:
        axis: The axis along which sizes may differ and add up.
    """

    def __init__(self, axis: int = -1) -> None:
        self.axis = axis

    def allocate(self, *inputs: Array) -> Array:
        """Make the output, and note which part of it is whose."""
        first = inputs[0]
        if not -first.ndim <= self.axis < first.ndim:
            raise ShapeError(
                f"concat: expected arrays with an axis {self.axis}, got {first.shape}."
            )
        axis = self.axis % first.ndim
        kept = [_without(array.shape, axis) for array in inputs]
        if any(shape != kept[0] for shape in kept):
            shapes = " and ".join(str(array.shape) for array in inputs)
            raise ShapeError(
                f"concat: expected shapes that differ only along axis {axis}, "
                f"got {shapes}."
            )
        ends = np.cumsum([array.shape[axis] for array in inputs])
        before = (slice(None),) * axis
        self.parts = [
            (*before, slice(int(end) - array.shape[axis], int(end)))
            for array, end in zip(inputs, ends, strict=True)
        ]
        sizes = (*first.shape[:axis], int(ends[-1]), *first.shape[axis + 1 :])
        return xp.empty(sizes, first.dtype)

    def forward(self, *arrays: Array) -> None:
        """Copy each input to its part of the output."""
        *inputs, out = arrays
        for part, x in zip(self.parts, inputs, strict=True):
            xp.copyto(out[part], x)

    def backward(self, grad: Array, *input_grads: Array | None) -> None:
        """Copy each part of the gradient."""
        for part, dx in zip(self.parts, input_grads, strict=True):
            if dx is not None:
                xp.copyto(dx, grad[part])

    def flops(self, *arrays: Array) -> int:
        """Nothing is computed."""
        return 0

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """One input, two, three of different sizes, along each axis."""
        for axis, shapes in (
            (-1, ((2, 3),)),
            (-1, ((2, 3), (2, 1))),
            (0, ((2, 3), (1, 3), (4, 3))),
            (1, ((2, 1, 3), (2, 2, 3))),
        ):
            yield Case(cls(axis), tuple(rng.normal(size=shape) for shape in shapes))


def _without(shape: Shape, axis: int) -> tuple[Shape, Shape]:
    """Return the sizes before and after an axis."""
    return shape[:axis], shape[axis + 1 :]
