"""Initializers that draw from a normal or a uniform distribution."""

from __future__ import annotations

import math

import numpy as np

from nncli.backend import Array, Shape
from nncli.errors import ArgumentError
from nncli.initializers.base import Initializer
from nncli.signature import NonNegative


class Normal(Initializer, name="normal"):
    """w ~ N(mean, std²).

    Args:
        std: Standard deviation.
        mean: Mean.
    """

    def __init__(self, std: NonNegative = 0.01, mean: float = 0.0) -> None:
        self.std = std
        self.mean = mean

    def sample(
        self, shape: Shape, fan_in: int, fan_out: int, rng: np.random.Generator
    ) -> Array:
        """Draw normal numbers."""
        return rng.normal(self.mean, self.std, shape)


class Uniform(Initializer, name="uniform"):
    """w ~ U(low, high).

    Args:
        low: Smallest value.
        high: Largest value (not included).
    """

    def __init__(self, low: float = -0.05, high: float = 0.05) -> None:
        if low >= high:
            raise ArgumentError(f"expected low < high, got {low:g} and {high:g}.")
        self.low = low
        self.high = high

    def sample(
        self, shape: Shape, fan_in: int, fan_out: int, rng: np.random.Generator
    ) -> Array:
        """Draw uniform numbers."""
        return rng.uniform(self.low, self.high, shape)


class GlorotNormal(Initializer, name="glorot_normal"):
    """w ~ N(0, 2 / (fan_in + fan_out)): keeps variances through linear and tanh layers.

    Source: Glorot and Bengio 2010, equation 12.
    """

    def sample(
        self, shape: Shape, fan_in: int, fan_out: int, rng: np.random.Generator
    ) -> Array:
        """Draw normal numbers."""
        return rng.normal(0.0, math.sqrt(2 / (fan_in + fan_out)), shape)


class GlorotUniform(Initializer, name="glorot_uniform"):
    """w ~ U(−a, a) with a = √(6 / (fan_in + fan_out)).

    Source: Glorot and Bengio 2010, equation 16.
    """

    def sample(
        self, shape: Shape, fan_in: int, fan_out: int, rng: np.random.Generator
    ) -> Array:
        """Draw uniform numbers."""
        bound = math.sqrt(6 / (fan_in + fan_out))
        return rng.uniform(-bound, bound, shape)


class HeNormal(Initializer, name="he_normal"):
    """w ~ N(0, 2 / fan_in): keeps variances through ReLU layers.

    Source: He et al. 2015, equation 10.
    """

    def sample(
        self, shape: Shape, fan_in: int, fan_out: int, rng: np.random.Generator
    ) -> Array:
        """Draw normal numbers."""
        return rng.normal(0.0, math.sqrt(2 / fan_in), shape)


class HeUniform(Initializer, name="he_uniform"):
    """w ~ U(−a, a) with a = √(6 / fan_in).

    Source: He et al. 2015; PyTorch's ``kaiming_uniform_`` for ReLU.
    """

    def sample(
        self, shape: Shape, fan_in: int, fan_out: int, rng: np.random.Generator
    ) -> Array:
        """Draw uniform numbers."""
        bound = math.sqrt(6 / fan_in)
        return rng.uniform(-bound, bound, shape)


class LecunNormal(Initializer, name="lecun_normal"):
    """w ~ N(0, 1 / fan_in): keeps variances through linear and SELU layers.

    Not truncated; Keras cuts its ``lecun_normal`` at two standard deviations.
    Source: LeCun et al. 1998, "Efficient BackProp", section 4.6.
    """

    def sample(
        self, shape: Shape, fan_in: int, fan_out: int, rng: np.random.Generator
    ) -> Array:
        """Draw normal numbers."""
        return rng.normal(0.0, math.sqrt(1 / fan_in), shape)


class LecunUniform(Initializer, name="lecun_uniform"):
    """w ~ U(−a, a) with a = √(3 / fan_in): the variance 1 / fan_in.

    Source: LeCun et al. 1998, "Efficient BackProp", section 4.6.
    """

    def sample(
        self, shape: Shape, fan_in: int, fan_out: int, rng: np.random.Generator
    ) -> Array:
        """Draw uniform numbers."""
        bound = math.sqrt(3 / fan_in)
        return rng.uniform(-bound, bound, shape)
