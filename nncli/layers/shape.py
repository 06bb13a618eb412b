"""Layers that only rearrange elements."""

from __future__ import annotations

import math
from typing import Annotated

from annotated_types import MinLen

from nncli.autograd.tensor import Tensor
from nncli.backend import Shape
from nncli.errors import ArgumentError, ShapeError
from nncli.layers.base import Layer
from nncli.streams import Streams

Entries = Annotated[list[int], MinLen(1)]


class Flatten(Layer, name="flatten"):
    """(N, A, B, ...) → (N, A·B·...): each row as one vector, in row-major order."""

    output = None

    def build(self, input_shape: Shape, rng: Streams) -> Shape:
        """Return the number of elements of a row."""
        self.features = math.prod(input_shape)
        return (self.features,)

    def __call__(self, x: Tensor) -> Tensor:
        """Return the rows as vectors."""
        if x.ndim == 2:
            return x
        return x.reshape(x.shape[0], self.features)


class Reshape(Layer, name="reshape"):
    """(N, A, B, ...) → (N, *shape): the same elements, in row-major order.

    Args:
        shape: The new shape of a row, without the batch axis; one entry may be -1 and
            is then what the others leave.
    """

    output = None

    def __init__(self, shape: Entries) -> None:
        if shape.count(-1) > 1 or any(size < 1 and size != -1 for size in shape):
            raise ArgumentError(
                f"expected sizes >= 1, one of them perhaps -1, got shape {shape}."
            )
        self.shape = tuple(shape)

    def build(self, input_shape: Shape, rng: Streams) -> Shape:
        """Find what -1 stands for."""
        size = math.prod(input_shape)
        known = math.prod(entry for entry in self.shape if entry != -1)
        fits = size % known == 0 if -1 in self.shape else size == known
        if not fits:
            raise ShapeError(
                f"expected a shape for the {size} elements of a row of shape "
                f"{input_shape}, got {list(self.shape)}."
            )
        self.row = tuple(size // known if e == -1 else e for e in self.shape)
        return self.row

    def __call__(self, x: Tensor) -> Tensor:
        """Return the rows in their new shape."""
        return x.reshape(x.shape[0], *self.row)


class Permute(Layer, name="permute"):
    """(N, A, B, ...) → (N, ...) with the axes of a row in another order.

    Axis i of the new row is axis axes[i] of the old one, counted from 0 without the
    batch axis, or from the end with -1: [1, 0] turns (N, T, F) into (N, F, T). (Keras'
    Permute counts from 1.)

    Args:
        axes: Every axis of a row once, in the new order.
    """

    output = None

    def __init__(self, axes: Entries) -> None:
        count = len(axes)
        known = all(-count <= axis < count for axis in axes)
        if not known or len({axis % count for axis in axes}) < count:
            raise ArgumentError(
                f"expected each of the {count} axes 0 to {count - 1} once, got {axes}."
            )
        self.axes = tuple(axis % count for axis in axes)

    def build(self, input_shape: Shape, rng: Streams) -> Shape:
        """Check the number of axes."""
        if len(input_shape) != len(self.axes):
            raise ShapeError(
                f"expected rows with {len(self.axes)} axes, as axes orders, got "
                f"{input_shape}."
            )
        return tuple(input_shape[axis] for axis in self.axes)

    def __call__(self, x: Tensor) -> Tensor:
        """Return the rows with their axes in the new order."""
        return x.transpose(0, *(axis + 1 for axis in self.axes))
