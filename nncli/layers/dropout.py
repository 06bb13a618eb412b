"""Dropout: noise that keeps units from relying on each other."""

from __future__ import annotations

import numpy as np

from nncli.autograd.tensor import Tensor, apply
from nncli.backend import Shape
from nncli.layers.base import Layer
from nncli.ops import elementwise
from nncli.signature import Fraction
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
