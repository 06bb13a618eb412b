"""Initializers that draw from a normal or a uniform distribution."""

from __future__ import annotations

import math
from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge

from nncli.backend import Array, Shape
from nncli.errors import ArgumentError
from nncli.initializers.base import Gain, Initializer, gain_of
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
        if not 0 < high - low < math.inf:
            raise ArgumentError(
                f"expected low < high at a finite distance, got {low:g} and {high:g}."
            )
        self.low = low
        self.high = high

    def sample(
        self, shape: Shape, fan_in: int, fan_out: int, rng: np.random.Generator
    ) -> Array:
        """Draw uniform numbers."""
        return rng.uniform(self.low, self.high, shape)


class TruncatedNormal(Initializer, name="truncated_normal"):
    """w ~ N(mean, std²), drawn again where |w − mean| > cut·std.

    What is left has a smaller deviation than std: 0.88·std with a cut of 2. PyTorch's
    ``trunc_normal_`` with a, b = mean ∓ cut·std; Keras's ``TruncatedNormal``.

    Args:
        std: Standard deviation before the cut.
        mean: Mean.
        cut: How many standard deviations are kept on either side.
    """

    def __init__(
        self,
        std: NonNegative = 0.01,
        mean: float = 0.0,
        cut: Annotated[float, Ge(0.1)] = 2.0,
    ) -> None:
        self.std = std
        self.mean = mean
        self.cut = cut

    def sample(
        self, shape: Shape, fan_in: int, fan_out: int, rng: np.random.Generator
    ) -> Array:
        """Draw normal numbers, and again what lies outside."""
        z = np.asarray(rng.normal(size=shape))
        outside = np.abs(z) > self.cut
        while outside.any():
            z[outside] = rng.normal(size=np.count_nonzero(outside))
            outside = np.abs(z) > self.cut
        return self.mean + self.std * z


class GlorotNormal(Initializer, name="glorot_normal"):
    """w ~ N(0, g²·2 / (fan_in + fan_out)): variances stay in linear and tanh layers.

    PyTorch's ``xavier_normal_``; Keras cuts it at two standard deviations. Source:
    Glorot and Bengio 2010, equation 12.

    Args:
        gain: The factor g, or the activation that it suits: tanh (5/3), relu (√2),
            leaky_relu, selu (3/4), sigmoid and linear (1).
    """

    def __init__(self, gain: Gain = 1.0) -> None:
        self.gain = gain

    def sample(
        self, shape: Shape, fan_in: int, fan_out: int, rng: np.random.Generator
    ) -> Array:
        """Draw normal numbers."""
        std = gain_of(self.gain) * math.sqrt(2 / (fan_in + fan_out))
        return rng.normal(0.0, std, shape)


class GlorotUniform(Initializer, name="glorot_uniform"):
    """w ~ U(−a, a) with a = g·√(6 / (fan_in + fan_out)).

    PyTorch's ``xavier_uniform_``. Source: Glorot and Bengio 2010, equation 16.

    Args:
        gain: The factor g, or the activation that it suits: tanh (5/3), relu (√2),
            leaky_relu, selu (3/4), sigmoid and linear (1).
    """

    def __init__(self, gain: Gain = 1.0) -> None:
        self.gain = gain

    def sample(
        self, shape: Shape, fan_in: int, fan_out: int, rng: np.random.Generator
    ) -> Array:
        """Draw uniform numbers."""
        bound = gain_of(self.gain) * math.sqrt(6 / (fan_in + fan_out))
        return rng.uniform(-bound, bound, shape)


Fan = Literal["fan_in", "fan_out"]


class HeNormal(Initializer, name="he_normal"):
    """w ~ N(0, 2 / ((1 + slope²)·fan)): keeps variances through ReLU layers.

    PyTorch's ``kaiming_normal_``; Keras cuts it at two standard deviations. Source: He
    et al. 2015, equations 10 and 15.

    Args:
        slope: Of the activation's negative side: 0 for ReLU.
        fan: fan_in keeps variances on the way forward, fan_out on the way back.
    """

    def __init__(self, slope: NonNegative = 0.0, fan: Fan = "fan_in") -> None:
        self.slope = slope
        self.fan = fan

    def sample(
        self, shape: Shape, fan_in: int, fan_out: int, rng: np.random.Generator
    ) -> Array:
        """Draw normal numbers."""
        fan = fan_in if self.fan == "fan_in" else fan_out
        return rng.normal(0.0, math.sqrt(2 / (1 + self.slope**2) / fan), shape)


class HeUniform(Initializer, name="he_uniform"):
    """w ~ U(−a, a) with a = √(6 / ((1 + slope²)·fan)).

    Source: He et al. 2015; PyTorch's ``kaiming_uniform_``.

    Args:
        slope: Of the activation's negative side: 0 for ReLU.
        fan: fan_in keeps variances on the way forward, fan_out on the way back.
    """

    def __init__(self, slope: NonNegative = 0.0, fan: Fan = "fan_in") -> None:
        self.slope = slope
        self.fan = fan

    def sample(
        self, shape: Shape, fan_in: int, fan_out: int, rng: np.random.Generator
    ) -> Array:
        """Draw uniform numbers."""
        fan = fan_in if self.fan == "fan_in" else fan_out
        bound = math.sqrt(6 / (1 + self.slope**2) / fan)
        return rng.uniform(-bound, bound, shape)


class LecunNormal(Initializer, name="lecun_normal"):
    """w ~ N(0, g² / fan_in): keeps variances through linear and SELU layers.

    Not truncated; Keras cuts its ``lecun_normal`` at two standard deviations.
    Source: LeCun et al. 1998, "Efficient BackProp", section 4.6.

    Args:
        gain: The factor g, or the activation that it suits: tanh (5/3), relu (√2),
            leaky_relu, selu (3/4), sigmoid and linear (1). Self-normalizing networks
            of SELU take 1.
    """

    def __init__(self, gain: Gain = 1.0) -> None:
        self.gain = gain

    def sample(
        self, shape: Shape, fan_in: int, fan_out: int, rng: np.random.Generator
    ) -> Array:
        """Draw normal numbers."""
        return rng.normal(0.0, gain_of(self.gain) * math.sqrt(1 / fan_in), shape)


class LecunUniform(Initializer, name="lecun_uniform"):
    """w ~ U(−a, a) with a = g·√(3 / fan_in): the variance g² / fan_in.

    Source: LeCun et al. 1998, "Efficient BackProp", section 4.6.

    Args:
        gain: The factor g, or the activation that it suits: tanh (5/3), relu (√2),
            leaky_relu, selu (3/4), sigmoid and linear (1).
    """

    def __init__(self, gain: Gain = 1.0) -> None:
        self.gain = gain

    def sample(
        self, shape: Shape, fan_in: int, fan_out: int, rng: np.random.Generator
    ) -> Array:
        """Draw uniform numbers."""
        bound = gain_of(self.gain) * math.sqrt(3 / fan_in)
        return rng.uniform(-bound, bound, shape)
