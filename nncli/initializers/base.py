"""Initializer: the abstract class and the registry of first values."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.random import Generator

from nncli.core.arrays import Array, Shape, check_memory
from nncli.core.registry import Component
from nncli.core.signature import PositiveFloat

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


class Fans(NamedTuple):
    """How a weight connects inputs and outputs.

    Attributes:
        inputs: How many inputs each output is a sum of (fan_in).
        outputs: How many outputs each input goes into (fan_out).
    """

    inputs: int
    outputs: int


class Initializer(Component, family="initializer"):
    """Draws the first values of one weight."""

    @abstractmethod
    def sample(self, shape: Shape, fans: Fans, rng: Generator) -> Array:
        """Return float64 values.

        Args:
            shape: Shape of the weight.
            fans: How it connects inputs and outputs.
            rng: Where random numbers come from.
        """

    def __call__(self, shape: Shape, rng: Generator, dtype: np.dtype[Any]) -> Array:
        """Return the first values of a weight with outputs first in ``shape``.

        Raises:
            NncliError: The weight is larger than this machine's memory.
        """
        # The draw is in float64 whatever the dtype, so that both precisions start
        # from the same numbers.
        check_memory(shape, np.dtype(np.float64), "weight")
        return self.sample(shape, fans_of(shape), rng).astype(dtype)


def fans_of(shape: Shape) -> Fans:
    """Return the fans of a weight of shape (outputs, inputs, *kernel)."""
    if len(shape) < 2:
        size = math.prod(shape)
        return Fans(size, size)
    kernel = math.prod(shape[2:])
    return Fans(shape[1] * kernel, shape[0] * kernel)


class WithGain(Initializer):
    """Base of initializers whose spread has a factor.

    Args:
        gain: The factor g, or the activation that it suits: tanh (5/3), relu (√2),
            leaky_relu, selu (3/4), sigmoid and linear (1).
    """

    gain: Gain = 1.0

    @property
    def factor(self) -> float:
        """The gain as a number."""
        return GAINS[self.gain] if isinstance(self.gain, str) else self.gain
