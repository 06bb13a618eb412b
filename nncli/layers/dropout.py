"""Noise in training: it keeps units from relying on each other and on exact inputs."""

from __future__ import annotations

from nncli.autograd.tensor import Tensor, apply
from nncli.core.arrays import Shape
from nncli.core.randomness import Streams
from nncli.core.signature import Fraction, NonNegative
from nncli.layers.base import Layer
from nncli.layers.space import check_space
from nncli.ops import noise


class Noise(Layer):
    """Base of layers that are an op of the input and a generator, in training only."""

    def build(self, input_shape: Shape, rng: Streams) -> Shape:
        self.generator = rng.noise
        return input_shape

    def __call__(self, x: Tensor) -> Tensor:
        """Draw in training, unless there is nothing to draw; hand on in use."""
        if self.op is None or not self.training or not any(self.op_arguments.values()):
            return x
        arguments = {**self.op_arguments, "rng": self.generator}
        return apply(self.op(**arguments), x)


class Dropout(Noise, name="dropout"):
    """In training, y = x·m / (1 − rate) with m = 0 with probability rate, else 1.

    In use, y = x. Any shape. Source: Srivastava et al. 2014 ("inverted" form).

    Args:
        rate: Probability of setting an element to zero, 0 <= rate < 1.
    """

    rate: Fraction = 0.5

    op = noise.Dropout
    output = None


class SpatialDropout(Noise, name="spatial_dropout"):
    """In training, dropout of whole channels of a row: (N, C, ...) → the same.

    y = x·m / (1 − rate), with one m for all elements of a channel, which are too much
    alike to be dropped one by one. In use, y = x. Channels are axis 1.

    Source: Tompson et al. 2015, section 3.2; PyTorch's Dropout1d to Dropout3d.

    Args:
        rate: Probability of setting a channel to zero, 0 <= rate < 1.
    """

    rate: Fraction = 0.5

    op = noise.SpatialDropout
    output = None
    examples = ((3, 4), (2, 3, 3), (2, 1, 2, 2))

    def build(self, input_shape: Shape, rng: Streams) -> Shape:
        check_space(input_shape)
        return super().build(input_shape, rng)


class AlphaDropout(Noise, name="alpha_dropout"):
    """In training, dropout to −1.7581, where SELU saturates, then a·y + b; else y = x.

    a and b are such that inputs of mean 0 and variance 1 keep both: the dropout for
    networks of SELUs. Any shape. Source: Klambauer et al. 2017; PyTorch's AlphaDropout.

    Args:
        rate: Probability of dropping an element, 0 <= rate < 1.
    """

    rate: Fraction = 0.5

    op = noise.AlphaDropout


class GaussianNoise(Noise, name="gaussian_noise"):
    """In training, y = x + n with n ~ N(0, std²) for each element; in use, y = x.

    Any shape. Keras' GaussianNoise (there ``stddev``); Bishop 1995 shows that on the
    inputs it acts as a penalty on the network's slopes.

    Args:
        std: Standard deviation of the noise, in the units of the input.
    """

    std: NonNegative

    op = noise.GaussianNoise
