"""Activations: nonlinear functions between the layers that have weights.

More of them: activations_piecewise.py (straight lines), activations_smooth.py.
"""

from __future__ import annotations

from nncli.autograd.tensor import Tensor, apply
from nncli.backend import Shape
from nncli.errors import ShapeError
from nncli.layers.base import Layer
from nncli.ops import elementwise
from nncli.ops.softmax import LogSoftmax as LogSoftmaxFunction
from nncli.ops.softmax import Softmax as SoftmaxFunction
from nncli.streams import Streams


class Relu(Layer, name="relu"):
    """y = max(x, 0), element by element (Nair and Hinton 2010). Any shape."""

    suits = "he_normal"

    def __call__(self, x: Tensor) -> Tensor:
        """Return max(x, 0)."""
        return apply(elementwise.Relu(), x)


class LeakyRelu(Layer, name="leaky_relu"):
    """y = x where x > 0, else slope·x, element by element (Maas et al. 2013).

    Args:
        slope: Factor for negative x; 0.01 as in PyTorch.
    """

    suits = "he_normal"

    def __init__(self, slope: float = 0.01) -> None:
        self.slope = slope

    def __call__(self, x: Tensor) -> Tensor:
        """Return x or slope·x."""
        return apply(elementwise.LeakyRelu(self.slope), x)


class Sigmoid(Layer, name="sigmoid"):
    """y = 1 / (1 + e^−x), element by element: a probability. Any shape."""

    suits = "glorot_uniform"
    output = "probability"

    def __call__(self, x: Tensor) -> Tensor:
        """Return 1 / (1 + e^−x)."""
        return apply(elementwise.Sigmoid(), x)


class Tanh(Layer, name="tanh"):
    """y = tanh x, element by element. Any shape."""

    suits = "glorot_uniform"

    def __call__(self, x: Tensor) -> Tensor:
        """Return tanh x."""
        return apply(elementwise.Tanh(), x)


class Softmax(Layer, name="softmax"):
    """y_k = e^(x_k) / Σ_j e^(x_j) along the last axis: a distribution over classes.

    As the last layer, with the loss categorical_cross_entropy, it is fused with the
    loss into softmax_cross_entropy, which is the same and safer in numbers.
    """

    suits = "glorot_uniform"
    output = "distribution"

    def build(self, input_shape: Shape, rng: Streams) -> Shape:
        """Check that there is an axis of classes."""
        if not input_shape:
            raise ShapeError("expected inputs with at least one axis of classes.")
        return input_shape

    def __call__(self, x: Tensor) -> Tensor:
        """Return the distribution of each row."""
        return apply(SoftmaxFunction(), x)


class LogSoftmax(Layer, name="log_softmax"):
    """y_k = x_k − ln Σ_j e^(x_j) along the last axis: logarithms of a distribution.

    They are raw scores as well, of which softmax makes that same distribution: the
    loss softmax_cross_entropy fits behind this layer, and does without it.
    """

    suits = "glorot_uniform"

    def build(self, input_shape: Shape, rng: Streams) -> Shape:
        """Check that there is an axis of classes."""
        if not input_shape:
            raise ShapeError("expected inputs with at least one axis of classes.")
        return input_shape

    def __call__(self, x: Tensor) -> Tensor:
        """Return the logarithm of the distribution of each row."""
        return apply(LogSoftmaxFunction(), x)
