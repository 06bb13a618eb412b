"""Layers that only rearrange elements."""

from __future__ import annotations

import math

from nncli.autograd.tensor import Tensor
from nncli.backend import Shape
from nncli.layers.base import Layer
from nncli.streams import Streams


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
