"""Layers that only rearrange elements."""

from __future__ import annotations

import math
from typing import Annotated

from annotated_types import MinLen

from nncli.autograd.tensor import Tensor
from nncli.core.arrays import Shape
from nncli.core.errors import ArgumentError, ShapeError
from nncli.core.randomness import Streams
from nncli.layers.base import Layer

Entries = Annotated[list[int], MinLen(1)]


class Identity(Layer, name="identity"):
    """y = x: a branch of a parallel that hands on what it gets. Any shape."""

    output = None
    takes = None

    def __call__(self, x: Tensor) -> Tensor:
        return x


class Flatten(Layer, name="flatten"):
    """(N, A, B, ...) → (N, A·B·...): each row as one vector, in row-major order."""

    output = None
    takes = None

    def build(self, input_shape: Shape, rng: Streams) -> Shape:
        return (math.prod(input_shape),)

    def __call__(self, x: Tensor) -> Tensor:
        return x if x.ndim == 2 else x.reshape(x.shape[0], *self.output_shape)


class Reshape(Layer, name="reshape"):
    """(N, A, B, ...) → (N, *shape): the same elements, in row-major order.

    Args:
        shape: The new shape of a row, without the batch axis; one entry may be -1 and
            is then what the others leave.
    """

    shape: Entries

    output = None
    takes = None

    def __post_init__(self) -> None:
        shape = self.shape
        if shape.count(-1) > 1 or any(size < 1 and size != -1 for size in shape):
            raise ArgumentError(
                f"expected sizes >= 1, one of them perhaps -1, got shape {shape}."
            )

    def build(self, input_shape: Shape, rng: Streams) -> Shape:
        """Find what -1 stands for."""
        size = math.prod(input_shape)
        known = math.prod(entry for entry in self.shape if entry != -1)
        fits = size % known == 0 if -1 in self.shape else size == known
        if not fits:
            raise ShapeError(
                f"expected a shape for the {size} elements of a row of shape "
                f"{input_shape}, got {self.shape}."
            )
        return tuple(size // known if e == -1 else e for e in self.shape)

    def __call__(self, x: Tensor) -> Tensor:
        return x.reshape(x.shape[0], *self.output_shape)


class Permute(Layer, name="permute"):
    """(N, A, B, ...) → (N, ...) with the axes of a row in another order.

    Axis i of the new row is axis axes[i] of the old one, counted from 0 without the
    batch axis, or from the end with -1: [1, 0] turns (N, T, F) into (N, F, T). (Keras'
    Permute counts from 1.)

    Args:
        axes: Every axis of a row once, in the new order.
    """

    axes: Entries

    output = None
    takes = None

    def __post_init__(self) -> None:
        count = len(self.axes)
        known = all(-count <= axis < count for axis in self.axes)
        if not known or len({axis % count for axis in self.axes}) < count:
            raise ArgumentError(
                f"expected each of the {count} axes 0 to {count - 1} once, got "
                f"{self.axes}."
            )

    def build(self, input_shape: Shape, rng: Streams) -> Shape:
        """Check the number of axes."""
        count = len(self.axes)
        if len(input_shape) != count:
            raise ShapeError(
                f"expected rows with {count} axes, as axes orders, got {input_shape}."
            )
        return tuple(input_shape[axis] for axis in self.axes)

    def __call__(self, x: Tensor) -> Tensor:
        count = len(self.axes)
        return x.transpose(0, *(axis % count + 1 for axis in self.axes))
