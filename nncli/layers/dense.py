"""Dense: every output is a weighted sum of every input."""

from __future__ import annotations

from nncli.autograd.tensor import Tensor, apply
from nncli.backend import Shape
from nncli.errors import ShapeError
from nncli.initializers.base import Initializer
from nncli.initializers.constant import Zeros
from nncli.layers.base import Layer, Price
from nncli.ops.matmul import Linear
from nncli.signature import NonNegative, Positive
from nncli.streams import Streams


class Dense(Layer, name="dense"):
    """y = x Wᵀ + b: (N, ..., F) → (N, ..., units).

    W (units, F) in PyTorch's orientation, b (units,), zero at first. The prices add
    l1·Σ|w| + l2·Σw² to the loss, as in Keras (no factor ½).

    Args:
        units: How many outputs there are.
        bias: Whether there is a b.
        init: First values of W; by default those that suit the activation after it:
            he_normal in front of ReLU, else glorot_uniform.
        l1: Price of W's absolute values.
        l2: Price of W's squares.
        bias_l1: Price of b's absolute values.
        bias_l2: Price of b's squares.
    """

    suits = "glorot_uniform"

    def __init__(
        self,
        units: Positive,
        bias: bool = True,
        init: Initializer | None = None,
        l1: NonNegative = 0.0,
        l2: NonNegative = 0.0,
        bias_l1: NonNegative = 0.0,
        bias_l2: NonNegative = 0.0,
    ) -> None:
        self.units = units
        self.has_bias = bias
        self.init = init
        self.l1, self.l2 = l1, l2
        self.bias_l1, self.bias_l2 = bias_l1, bias_l2

    def build(self, input_shape: Shape, rng: Streams) -> Shape:
        """Make W and b."""
        if not input_shape:
            raise ShapeError("expected inputs with at least one axis of features.")
        init = self.init or self.default_init
        shape = (self.units, input_shape[-1])
        self.weight = self.add_parameter("weight", shape, init, rng)
        self.inputs: tuple[Tensor, ...] = (self.weight,)
        if self.has_bias:
            self.bias = self.add_parameter("bias", (self.units,), Zeros(), rng)
            self.inputs = (self.weight, self.bias)
        return (*input_shape[:-1], self.units)

    def __call__(self, x: Tensor) -> Tensor:
        """Return x Wᵀ + b."""
        return apply(Linear(), x, *self.inputs)

    def prices(self) -> list[Price]:
        """Return the prices that are not zero."""
        prices = [Price(self.weight, self.l1, self.l2)]
        if self.has_bias:
            prices.append(Price(self.bias, self.bias_l1, self.bias_l2))
        return [price for price in prices if price.l1 or price.l2]
