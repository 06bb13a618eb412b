"""Activations: nonlinear functions between the layers that have weights.

More of them: activations_piecewise.py (straight lines), activations_smooth.py.
"""

from __future__ import annotations

from nncli.core.arrays import Shape
from nncli.core.errors import ShapeError
from nncli.core.randomness import Streams
from nncli.layers.base import Layer
from nncli.ops import elementwise, softmax


class Relu(Layer, name="relu"):
    """y = max(x, 0), element by element (Nair and Hinton 2010). Any shape."""

    op = elementwise.Relu
    suits = "he_normal"


class LeakyRelu(Layer, name="leaky_relu"):
    """y = x where x > 0, else slope·x, element by element (Maas et al. 2013).

    Args:
        slope: Factor for negative x; 0.01 as in PyTorch.
    """

    slope: float = 0.01

    op = elementwise.LeakyRelu
    suits = "he_normal"


class Sigmoid(Layer, name="sigmoid"):
    """y = 1 / (1 + e^−x), element by element: a probability. Any shape."""

    op = elementwise.Sigmoid
    suits = "glorot_uniform"
    output = "probability"


class Tanh(Layer, name="tanh"):
    """y = tanh x, element by element. Any shape."""

    op = elementwise.Tanh
    suits = "glorot_uniform"


class Softmax(Layer, name="softmax"):
    """y_k = e^(x_k) / Σ_j e^(x_j) along the last axis: a distribution over classes.

    As the last layer, with the loss categorical_cross_entropy, it is fused with the
    loss into softmax_cross_entropy, which is the same and safer in numbers.
    """

    op = softmax.Softmax
    suits = "glorot_uniform"
    output = "distribution"

    def build(self, input_shape: Shape, rng: Streams) -> Shape:
        return _with_classes(input_shape)


class LogSoftmax(Layer, name="log_softmax"):
    """y_k = x_k − ln Σ_j e^(x_j) along the last axis: logarithms of a distribution.

    They are raw scores as well, of which softmax makes that same distribution: the
    loss softmax_cross_entropy fits behind this layer, and does without it.
    """

    op = softmax.LogSoftmax
    suits = "glorot_uniform"

    def build(self, input_shape: Shape, rng: Streams) -> Shape:
        return _with_classes(input_shape)


def _with_classes(input_shape: Shape) -> Shape:
    if not input_shape:
        raise ShapeError("expected inputs with at least one axis of classes.")
    return input_shape
