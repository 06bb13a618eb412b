"""The same elements in another arrangement: reshape, transpose, expand, pad, concat.

What picks elements out stands in index.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from nncli.autograd.buffers import Form, form
from nncli.autograd.function import Case, Function, Sized
from nncli.core.arrays import Array, Shape, xp
from nncli.core.errors import ShapeError


class Rearrangement(Function):
    """Base of ops that compute nothing."""

    layout = "any"
    saves_inputs: ClassVar[bool | tuple[bool, ...]] = False
    saves_output = False

    def flops(self, *arrays: Sized) -> int:
        return 0


class Contiguous(Rearrangement, name="contiguous"):
    """y = x, row-major in memory; dL/dx = dL/dy.

    The engine puts it in front of ops that want rows.
    """

    keeps_lengths = True

    def allocate(self, x: Array) -> Array:
        return xp.empty(x.shape, x.dtype)

    def forward(self, x: Array, out: Array) -> None:
        xp.copyto(out, x)

    def backward(self, grad: Array, dx: Array) -> None:
        xp.copyto(dx, grad)

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """Row-major already, transposed, and every other column."""
        x = rng.normal(size=(2, 3, 4))
        for array in (x, x.T, x[..., ::2]):
            yield Case(cls(), (array,))


class Reshape(Rearrangement, name="reshape"):
    """y = x in another shape, elements in row-major order; dL/dx = dL/dy, reshaped.

    Args:
        shape: The new shape; one entry may be -1 and is then inferred.
    """

    shape: Shape

    def allocate(self, x: Array) -> Array:
        """Return a view of ``x`` where its memory allows one, else an array."""
        try:
            out = x.reshape(self.shape)
        except ValueError:
            raise ShapeError(
                f"reshape: expected a shape with {x.size} elements, as {x.shape} has, "
                f"got {self.shape}."
            ) from None
        self.before = x.shape
        # Without elements there is nothing to share, and nothing to copy.
        self.is_view = not x.size or xp.may_share_memory(out, x)
        return out

    def forward(self, x: Array, out: Array) -> None:
        """Copy the elements, unless the output looks at the same memory."""
        if not self.is_view:
            # Row-major itself, ``out`` has a view in x's shape: nothing is allocated.
            xp.copyto(out.reshape(x.shape), x)

    def backward(self, grad: Array, dx: Array) -> None:
        xp.copyto(dx, grad.reshape(dx.shape))

    def gradient_view(self, grad: Array) -> Array | None:
        view = grad.reshape(self.before)
        return view if xp.may_share_memory(view, grad) else None

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """Contiguous and transposed input, with and without -1."""
        for shape in ((6, 4), (-1,), (4, -1, 2)):
            yield Case(cls(shape), (rng.normal(size=(2, 3, 4)),))
            yield Case(cls(shape), (rng.normal(size=(4, 6)).T,))


class Transpose(Rearrangement, name="transpose"):
    """y = x with its axes reordered; dL/dx = dL/dy with the order undone.

    Args:
        axes: The old axis that each new axis is; None reverses them.
    """

    axes: Shape | None = None

    is_view = True

    def allocate(self, x: Array) -> Array:
        """Return a view."""
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

    def backward(self, grad: Array, dx: Array) -> None:
        xp.copyto(dx, grad.transpose(self.inverse))

    def gradient_view(self, grad: Array) -> Array | None:
        return grad.transpose(self.inverse)

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """Reversed, a cycle, and counted from the end."""
        for axes in (None, (1, 2, 0), (-1, 0, 1)):
            yield Case(cls(axes), (rng.normal(size=(2, 3, 4)),))


class Expand(Rearrangement, name="expand"):
    """y = x in a larger shape, repeated along axes of length 1; dL/dx = Σ dL/dy.

    Args:
        shape: The new shape.
    """

    shape: Shape

    broadcasts = True
    is_view = True

    def allocate(self, x: Array) -> Array:
        """Return a view, which is not to be written to."""
        try:
            return xp.broadcast_to(x, self.shape)
        except ValueError:
            raise ShapeError(
                f"expand: expected a shape that {x.shape} broadcasts to, got "
                f"{self.shape}."
            ) from None

    def forward(self, x: Array, out: Array) -> None:
        """Do nothing: the output looks at the memory of the input."""

    def backward(self, grad: Array, dx: Array) -> None:
        """Hand the gradient on; the engine sums it."""
        xp.copyto(dx, grad)

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """New axes, longer ones, and neither."""
        for old, new in (((3,), (2, 3)), ((2, 1), (4, 2, 3)), ((), (2,)), ((2,), (2,))):
            yield Case(cls(new), (xp.asarray(rng.normal(size=old)),))


class Pad(Rearrangement, name="pad"):
    """y = x with a constant around it; dL/dx = dL/dy inside.

    Args:
        widths: For each axis, how many elements come before and after.
        value: The constant.
    """

    widths: tuple[tuple[int, int], ...]
    value: float = 0.0

    def allocate(self, x: Array) -> Array:
        if len(self.widths) != x.ndim or any(min(pair) < 0 for pair in self.widths):
            raise ShapeError(
                f"pad: expected (before, after) >= 0 for each axis of {x.shape}, got "
                f"{self.widths}."
            )
        sides = tuple(zip(x.shape, self.widths, strict=True))
        self.inside = tuple(slice(before, before + n) for n, (before, _) in sides)
        shape = tuple(before + n + after for n, (before, after) in sides)
        return form(shape, x.dtype, Form.of(x).order).empty()

    def forward(self, x: Array, out: Array) -> None:
        out.fill(self.value)
        xp.copyto(out[self.inside], x)

    def backward(self, grad: Array, dx: Array) -> None:
        xp.copyto(dx, grad[self.inside])

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """Both sides, one side, neither; another constant than 0."""
        yield Case(cls(((1, 2),)), (rng.normal(size=3),))
        yield Case(cls(((0, 1), (2, 0)), -1.5), (rng.normal(size=(2, 3)),))
        yield Case(cls(((0, 0), (0, 0))), (rng.normal(size=(2, 3)),))


class Concat(Rearrangement, name="concat"):
    """y = the inputs side by side along ``axis``; each dL/dx = its part of dL/dy.

    Args:
        axis: The axis along which sizes may differ and add up.
    """

    axis: int = -1

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
        # In memory as the first one, so that images keep their batch innermost.
        return form(sizes, xp.result_type(*inputs), Form.of(first).order).empty()

    def forward(self, *arrays: Array) -> None:
        *inputs, out = arrays
        for part, x in zip(self.parts, inputs, strict=True):
            xp.copyto(out[part], x)

    def backward(self, grad: Array, *input_grads: Array | None) -> None:
        for part, dx in zip(self.parts, input_grads, strict=True):
            if dx is not None:
                xp.copyto(dx, grad[part])

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
