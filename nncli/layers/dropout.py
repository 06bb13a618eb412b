"""Noise in training: it keeps units from relying on each other and on exact inputs."""

from __future__ import annotations

import numpy as np

from nncli.autograd.tensor import Tensor, apply
from nncli.backend import Shape
from nncli.layers.base import Layer
from nncli.ops import elementwise, noise
from nncli.signature import Fraction, NonNegative
from nncli.streams import Streams


class Dropout(Layer, name="dropout"):
    """In training, y = x·m / (1 − rate) with m = 0 with probability rate, else 1.

    In use, y = x. Any shape. Source: Srivastava et al. 2014 ("inverted" form).

    Args:
        rate: Probability of setting an element to zero, 0 <= rate < 1.
    """

    output = None

    generator: np.random.Generator

    def __init__(self, rate: Fraction = 0.5) -> None:
        self.rate = rate

    def build(self, input_shape: Shape, rng: Streams) -> Shape:
        """Keep the generator of the noise."""
        self.generator = rng.dropout
        return input_shape

    def __call__(self, x: Tensor) -> Tensor:
        """Drop elements in training, hand the input on otherwise."""
        if not self.training or not self.rate:
            return x
        return apply(elementwise.Dropout(self.rate, self.generator), x)


class AlphaDropout(Layer, name="alpha_dropout"):
    """In training, dropout to −1.7581, where SELU saturates, then a·y + b; else y = x.

    a and b are such that inputs of mean 0 and variance 1 keep both: the dropout for
    networks of SELUs. Any shape. Source: Klambauer et al. 2017; PyTorch's AlphaDropout.

    Args:
        rate: Probability of dropping an element, 0 <= rate < 1.
    """

    generator: np.random.Generator

    def __init__(self, rate: Fraction = 0.5) -> None:
        self.rate = rate

    def build(self, input_shape: Shape, rng: Streams) -> Shape:
        """Keep the generator of the noise."""
        self.generator = rng.dropout
        return input_shape

    def __call__(self, x: Tensor) -> Tensor:
        """Drop elements in training, hand the input on otherwise."""
        if not self.training or not self.rate:
            return x
        return apply(noise.AlphaDropout(self.rate, self.generator), x)


class GaussianNoise(Layer, name="gaussian_noise"):
    """In training, y = x + n with n ~ N(0, std²) for each element; in use, y = x.

    Any shape. Keras' GaussianNoise (there ``stddev``); Bishop 1995 shows that on the
    inputs it acts as a penalty on the network's slopes.

    Args:
        std: Standard deviation of the noise, in the units of the input.
    """

    generator: np.random.Generator

    def __init__(self, std: NonNegative) -> None:
        self.std = std

    def build(self, input_shape: Shape, rng: Streams) -> Shape:
        """Keep the generator of the noise."""
        self.generator = rng.dropout
        return input_shape

    def __call__(self, x: Tensor) -> Tensor:
        """Add noise in training, hand the input on otherwise."""
        if not self.training or not self.std:
            return x
        return apply(noise.GaussianNoise(self.std, self.generator), x)
