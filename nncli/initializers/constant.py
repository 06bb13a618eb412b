"""Initializers that draw nothing."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from nncli.core.arrays import Array, Shape
from nncli.initializers.base import Fans, Initializer


class Zeros(Initializer, name="zeros"):
    """w = 0. For biases; a layer whose whole weight is zero learns nothing at first."""

    def sample(self, shape: Shape, fans: Fans, rng: Generator) -> Array:
        return np.zeros(shape)


class Ones(Initializer, name="ones"):
    """w = 1. For factors, such as those of a normalization."""

    def sample(self, shape: Shape, fans: Fans, rng: Generator) -> Array:
        return np.ones(shape)


class Constant(Initializer, name="constant"):
    """w = value.

    Args:
        value: Every element.
    """

    value: float

    def sample(self, shape: Shape, fans: Fans, rng: Generator) -> Array:
        return np.full(shape, self.value)
