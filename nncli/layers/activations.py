"""Activations: nonlinear functions between the layers that have weights.

More of them: activations_piecewise.py (straight lines), activations_smooth.py.
"""

from __future__ import annotations

from nncli.autograd.tensor import Tensor
from nncli.core.arrays import Shape
from nncli.core.errors import ShapeError
from nncli.core.randomness import Streams
from nncli.layers.base import Layer, OutputKind
from nncli.ops import elementwise


class Relu(Layer, name="relu"):
    """y = max(x, 0), element by element (Nair and Hinton 2010). Any shape."""

    op = elementwise.Relu
    suits = "he_normal"
    monotone = True


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
    """y_k = e^(x_k) / Σ_j e^(x_j) along an axis: a distribution over classes.

    As the last layer, with the loss categorical_cross_entropy, it is fused with the
    loss into softmax_cross_entropy, which is the same and safer in numbers.

    Args:
        axis: Which axis of a row, counted from 0 without the batch axis, or from the
            end with -1: 0 are the channels of images. (PyTorch's dim counts the batch.)
    """

    axis: int = -1

    suits = "glorot_uniform"
    output = "distribution"

    def build(self, input_shape: Shape, rng: Streams) -> Shape:
        return _with_axis(self.axis, input_shape)

    def output_kind(self) -> OutputKind | None:
        """Along another axis than the last, they are no distribution over classes."""
        return self.output if self.axis == -1 else "probability"

    def __call__(self, x: Tensor) -> Tensor:
        return x.softmax(_in_batch(self.axis))


class LogSoftmax(Layer, name="log_softmax"):
    """y_k = x_k − ln Σ_j e^(x_j) along an axis: logarithms of a distribution.

    They are raw scores as well, of which softmax makes that same distribution: the
    loss softmax_cross_entropy fits behind this layer, and does without it.

    Args:
        axis: Which axis of a row, counted from 0 without the batch axis, or from the
            end with -1: 0 are the channels of images. (PyTorch's dim counts the batch.)
    """

    axis: int = -1

    suits = "glorot_uniform"

    def build(self, input_shape: Shape, rng: Streams) -> Shape:
        return _with_axis(self.axis, input_shape)

    def __call__(self, x: Tensor) -> Tensor:
        return x.log_softmax(_in_batch(self.axis))


def _with_axis(axis: int, input_shape: Shape) -> Shape:
    """Return the shape of a row, which must have an axis."""
    count = len(input_shape)
    if not count:
        raise ShapeError("expected inputs with at least one axis of classes.")
    if not -count <= axis < count:
        raise ShapeError(
            f"expected inputs with an axis {axis}, got rows of shape {input_shape}, "
            f"with axes 0 to {count - 1}."
        )
    return input_shape


def _in_batch(axis: int) -> int:
    """Return an axis of a row as one of a batch."""
    return axis if axis < 0 else axis + 1
