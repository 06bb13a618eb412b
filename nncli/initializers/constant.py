"""Initializers that draw nothing."""

from __future__ import annotations

import numpy as np

from nncli.backend import Array, Shape
from nncli.initializers.base import Initializer


class Zeros(Initializer, name="zeros"):
    """w = 0. For biases; a layer whose whole weight is zero learns nothing at first."""

    def sample(
        self, shape: Shape, fan_in: int, fan_out: int, rng: np.random.Generator
    ) -> Array:
        """Return zeros."""
        return np.zeros(shape)


class Ones(Initializer, name="ones"):
    """w = 1. For factors, such as those of a normalization."""

    def sample(
        self, shape: Shape, fan_in: int, fan_out: int, rng: np.random.Generator
    ) -> Array:
        """Return ones."""
        return np.ones(shape)


class Constant(Initializer, name="constant"):
    """w = value.

    Args:
        value: Every element.
    """

    def __init__(self, value: float) -> None:
        self.value = value

    def sample(
        self, shape: Shape, fan_in: int, fan_out: int, rng: np.random.Generator
    ) -> Array:
        """Return the value everywhere."""
        return np.full(shape, self.value)
