"""Activations made of straight lines (and one parabola): cheap to compute."""

from __future__ import annotations

from nncli.autograd.tensor import Tensor, apply
from nncli.core.arrays import Shape
from nncli.core.errors import ArgumentError, ShapeError
from nncli.core.randomness import Streams
from nncli.initializers.constant import Constant
from nncli.layers.base import Layer
from nncli.ops import activations


class Relu6(Layer, name="relu6"):
    """y = min(max(x, 0), 6), element by element. Any shape.

    The derivative is 0 at 0 and at 6, as in PyTorch.

    Source: Krizhevsky 2010, "Convolutional deep belief networks on CIFAR-10".
    """

    suits = "he_normal"
    monotone = True

    def __call__(self, x: Tensor) -> Tensor:
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

    low: float = -1.0
    high: float = 1.0

    op = activations.HardTanh
    suits = "glorot_uniform"

    def __post_init__(self) -> None:
        if self.low >= self.high:
            raise ArgumentError(
                f"expected low < high, got {self.low:g} and {self.high:g}."
            )


class HardSigmoid(Layer, name="hard_sigmoid"):
    """y = min(max(x/6 + ½, 0), 1), element by element: a probability. Any shape.

    The slope is 1/6, as in PyTorch and Keras 3; it was 1/5 in Keras 2.

    Source: Courbariaux et al. 2015 (BinaryConnect), there with slope ½; Howard et al.
    2019 (MobileNetV3).
    """

    op = activations.HardSigmoid
    suits = "glorot_uniform"
    output = "probability"


class HardSwish(Layer, name="hard_swish"):
    """y = x·min(max(x/6 + ½, 0), 1), element by element: silu without an exponential.

    Any shape. The derivative is 0 at −3 and 1 at 3, as in PyTorch.

    Source: Howard et al. 2019 (MobileNetV3).
    """

    op = activations.HardSwish
    suits = "he_normal"


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

    slope: float = 0.25
    shared: bool = True

    suits = "he_normal"

    def build(self, input_shape: Shape, rng: Streams) -> Shape:
        if not self.shared and not input_shape:
            raise ShapeError(
                "expected inputs with an axis of channels where shared is false."
            )
        shape = (1,) if self.shared else input_shape[:1]
        self.add_parameter("slope", shape, Constant(self.slope), rng)
        return input_shape

    def __call__(self, x: Tensor) -> Tensor:
        return apply(activations.PRelu(), x, self.parameters["slope"])
