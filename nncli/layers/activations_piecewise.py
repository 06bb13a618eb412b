"""Activations made of straight lines (and one parabola): cheap to compute."""

from __future__ import annotations

from nncli.autograd.tensor import Tensor, apply
from nncli.backend import Shape
from nncli.errors import ArgumentError, ShapeError
from nncli.initializers.constant import Constant
from nncli.layers.base import Layer
from nncli.ops import activations
from nncli.streams import Streams


class Relu6(Layer, name="relu6"):
    """y = min(max(x, 0), 6), element by element. Any shape.

    The derivative is 0 at 0 and at 6, as in PyTorch.

    Source: Krizhevsky 2010, "Convolutional deep belief networks on CIFAR-10".
    """

    suits = "he_normal"

    def __call__(self, x: Tensor) -> Tensor:
        """Return x, but not below 0 and not above 6."""
        return apply(activations.HardTanh(0.0, 6.0), x)


class HardTanh(Layer, name="hard_tanh"):
    """y = min(max(x, low), high), element by element. Any shape.

    The derivative is 0 at low and at high, as in PyTorch, which calls them min_val
    and max_val.

    Source: Collobert 2004, "Large scale machine learning".

    Args:
        low: The smallest value.
        high: The largest value.
    """

    suits = "glorot_uniform"

    def __init__(self, low: float = -1.0, high: float = 1.0) -> None:
        if low >= high:
            raise ArgumentError(f"expected low < high, got {low:g} and {high:g}.")
        self.low = low
        self.high = high

    def __call__(self, x: Tensor) -> Tensor:
        """Return x, but not below low and not above high."""
        return apply(activations.HardTanh(self.low, self.high), x)


class HardSigmoid(Layer, name="hard_sigmoid"):
    """y = min(max(x/6 + ½, 0), 1), element by element: a probability. Any shape.

    The slope is 1/6, as in PyTorch and Keras 3; it was 1/5 in Keras 2.

    Source: Courbariaux et al. 2015 (BinaryConnect), there with slope ½; Howard et al.
    2019 (MobileNetV3).
    """

    suits = "glorot_uniform"
    output = "probability"

    def __call__(self, x: Tensor) -> Tensor:
        """Return x/6 + ½, but not below 0 and not above 1."""
        return apply(activations.HardSigmoid(), x)


class HardSwish(Layer, name="hard_swish"):
    """y = x·min(max(x/6 + ½, 0), 1), element by element: silu without an exponential.

    Any shape. The derivative is 0 at −3 and 1 at 3, as in PyTorch.

    Source: Howard et al. 2019 (MobileNetV3).
    """

    suits = "he_normal"

    def __call__(self, x: Tensor) -> Tensor:
        """Return x times the hard sigmoid of x."""
        return apply(activations.HardSwish(), x)


class PRelu(Layer, name="prelu"):
    """y = x where x > 0, else a·x, element by element, with a trained slope a.

    (N, C, ...) → the same. There is one a, or one a channel; channels are axis 1 of
    images (N, C, H, W) and, as in PyTorch, of everything else: the features of (N, F),
    the *steps* of a sequence (N, T, F). Weight decay draws a to 0, which makes a ReLU
    of it; He et al. do without.

    Source: He et al. 2015, "Delving deep into rectifiers", section 2.1.

    Args:
        slope: First value of a.
        shared: Whether there is one a for all channels.
    """

    suits = "he_normal"

    def __init__(self, slope: float = 0.25, shared: bool = True) -> None:
        self.first = slope
        self.shared = shared

    def build(self, input_shape: Shape, rng: Streams) -> Shape:
        """Make a."""
        if not self.shared and not input_shape:
            raise ShapeError(
                "expected inputs with an axis of channels where shared is false."
            )
        shape = (1,) if self.shared else input_shape[:1]
        init = Constant(self.first)
        self.slope = self.add_parameter("slope", shape, init, rng)
        return input_shape

    def __call__(self, x: Tensor) -> Tensor:
        """Return x or a·x."""
        return apply(activations.PRelu(), x, self.slope)
