"""Initializer: the abstract class and the registry of first values."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Any, Literal

import numpy as np

from nncli.backend import Array, Shape, check_memory
from nncli.registry import Component
from nncli.signature import PositiveFloat

Activation = Literal["linear", "sigmoid", "tanh", "relu", "leaky_relu", "selu"]
Gain = PositiveFloat | Activation

GAINS: dict[Activation, float] = {
    "linear": 1.0,
    "sigmoid": 1.0,
    "tanh": 5 / 3,
    "relu": math.sqrt(2),
    "leaky_relu": math.sqrt(2 / (1 + 0.01**2)),
    "selu": 3 / 4,
}
"""What makes up for the variance an activation loses: PyTorch's ``calculate_gain``."""


class Initializer(Component, family="initializer"):
    """Draws the first values of one weight."""

    @abstractmethod
    def sample(
        self, shape: Shape, fan_in: int, fan_out: int, rng: np.random.Generator
    ) -> Array:
        """Return float64 values.

        Args:
            shape: Shape of the weight.
            fan_in: How many inputs each output is a sum of.
            fan_out: How many outputs each input goes into.
            rng: Where random numbers come from.
        """

    def __call__(
        self, shape: Shape, rng: np.random.Generator, dtype: np.dtype[Any]
    ) -> Array:
        """Return the first values of a weight with outputs first in ``shape``.

        Raises:
            NncliError: The weight is larger than this machine's memory.
        """
        # The draw is in float64 whatever the dtype, so that both precisions start
        # from the same numbers.
        check_memory(shape, np.dtype(np.float64), "weight")
        return self.sample(shape, *fans(shape), rng).astype(dtype)


def fans(shape: Shape) -> tuple[int, int]:
    """Return (fan_in, fan_out) of a weight of shape (outputs, inputs, *kernel)."""
    if len(shape) < 2:
        size = math.prod(shape)
        return size, size
    kernel = math.prod(shape[2:])
    return shape[1] * kernel, shape[0] * kernel


def gain_of(gain: Gain) -> float:
    """Return a gain that is given as a number, or by the name of an activation."""
    return GAINS[gain] if isinstance(gain, str) else gain
