"""Initializers that draw from a normal or a uniform distribution."""

from __future__ import annotations

import math
from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge
from numpy.random import Generator

from nncli.core.arrays import Array, Shape
from nncli.core.errors import ArgumentError
from nncli.core.signature import NonNegative
from nncli.initializers.base import Fans, Initializer, WithGain


class Normal(Initializer, name="normal"):
    """w ~ N(mean, std²).

    Args:
        std: Standard deviation.
        mean: Mean.
    """

    std: NonNegative = 0.01
    mean: float = 0.0

    def sample(self, shape: Shape, fans: Fans, rng: Generator) -> Array:
        return rng.normal(self.mean, self.std, shape)


class Uniform(Initializer, name="uniform"):
    """w ~ U(low, high).

    Args:
        low: Smallest value.
        high: Largest value (not included).
    """

    low: float = -0.05
    high: float = 0.05

    def __post_init__(self) -> None:
        if not 0 < self.high - self.low < math.inf:
            raise ArgumentError(
                f"expected low < high at a finite distance, got {self.low:g} and "
                f"{self.high:g}."
            )

    def sample(self, shape: Shape, fans: Fans, rng: Generator) -> Array:
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

    std: NonNegative = 0.01
    mean: float = 0.0
    cut: Annotated[float, Ge(0.1)] = 2.0

    def sample(self, shape: Shape, fans: Fans, rng: Generator) -> Array:
        z = np.asarray(rng.normal(size=shape))
        outside = np.abs(z) > self.cut
        while outside.any():
            z[outside] = rng.normal(size=np.count_nonzero(outside))
            outside = np.abs(z) > self.cut
        return self.mean + self.std * z


class GlorotNormal(WithGain, name="glorot_normal"):
    """w ~ N(0, g²·2 / (fan_in + fan_out)): variances stay in linear and tanh layers.

    PyTorch's ``xavier_normal_``; Keras cuts it at two standard deviations. Source:
    Glorot and Bengio 2010, equation 12.
    """

    def sample(self, shape: Shape, fans: Fans, rng: Generator) -> Array:
        std = self.factor * math.sqrt(2 / (fans.inputs + fans.outputs))
        return rng.normal(0.0, std, shape)


class GlorotUniform(WithGain, name="glorot_uniform"):
    """w ~ U(−a, a) with a = g·√(6 / (fan_in + fan_out)).

    PyTorch's ``xavier_uniform_``. Source: Glorot and Bengio 2010, equation 16.
    """

    def sample(self, shape: Shape, fans: Fans, rng: Generator) -> Array:
        bound = self.factor * math.sqrt(6 / (fans.inputs + fans.outputs))
        return rng.uniform(-bound, bound, shape)


class He(Initializer):
    """Base of both initializers of He et al.

    Args:
        slope: Of the activation's negative side: 0 for ReLU.
        fan: fan_in keeps variances on the way forward, fan_out on the way back.
    """

    slope: NonNegative = 0.0
    fan: Literal["fan_in", "fan_out"] = "fan_in"

    def variance(self, fans: Fans) -> float:
        """Return 2 / ((1 + slope²)·fan)."""
        fan = fans.inputs if self.fan == "fan_in" else fans.outputs
        return 2 / (1 + self.slope**2) / fan


class HeNormal(He, name="he_normal"):
    """w ~ N(0, 2 / ((1 + slope²)·fan)): keeps variances through ReLU layers.

    PyTorch's ``kaiming_normal_``; Keras cuts it at two standard deviations. Source: He
    et al. 2015, equations 10 and 15.
    """

    def sample(self, shape: Shape, fans: Fans, rng: Generator) -> Array:
        return rng.normal(0.0, math.sqrt(self.variance(fans)), shape)


class HeUniform(He, name="he_uniform"):
    """w ~ U(−a, a) with a = √(6 / ((1 + slope²)·fan)).

    Source: He et al. 2015; PyTorch's ``kaiming_uniform_``.
    """

    def sample(self, shape: Shape, fans: Fans, rng: Generator) -> Array:
        bound = math.sqrt(3 * self.variance(fans))
        return rng.uniform(-bound, bound, shape)


class LecunNormal(WithGain, name="lecun_normal"):
    """w ~ N(0, g² / fan_in): keeps variances through linear and SELU layers.

    Self-normalizing networks of SELU take a gain of 1. Not truncated; Keras cuts its
    ``lecun_normal`` at two standard deviations. Source: LeCun et al. 1998, "Efficient
    BackProp", section 4.6.
    """

    def sample(self, shape: Shape, fans: Fans, rng: Generator) -> Array:
        return rng.normal(0.0, self.factor * math.sqrt(1 / fans.inputs), shape)


class LecunUniform(WithGain, name="lecun_uniform"):
    """w ~ U(−a, a) with a = g·√(3 / fan_in): the variance g² / fan_in.

    Source: LeCun et al. 1998, "Efficient BackProp", section 4.6.
    """

    def sample(self, shape: Shape, fans: Fans, rng: Generator) -> Array:
        bound = self.factor * math.sqrt(3 / fans.inputs)
        return rng.uniform(-bound, bound, shape)
