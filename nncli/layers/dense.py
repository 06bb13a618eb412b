"""Dense: every output is a weighted sum of every input."""

from __future__ import annotations

from typing import Any, ClassVar

from nncli.autograd.tensor import Tensor, apply
from nncli.core.arrays import Shape
from nncli.core.errors import ShapeError
from nncli.core.randomness import Streams
from nncli.core.signature import NonNegative, Positive
from nncli.initializers.base import Initializer
from nncli.initializers.constant import Zeros
from nncli.layers.base import Layer
from nncli.layers.parameters import Penalty
from nncli.ops.matmul import Linear, affine


class Dense(Layer, name="dense"):
    """y = x Wᵀ + b: (N, ..., F) → (N, ..., units).

    W (units, F) in PyTorch's orientation, b (units,), zero at first. The penalties
    add l1·Σ|w| + l2·Σw² to the loss, as in Keras (no factor ½).

    Args:
        units: How many outputs there are.
        bias: Whether there is a b.
        init: First values of W; by default those that suit the activation after it:
            he_normal in front of ReLU, else glorot_uniform.
        l1: Penalty on W's absolute values.
        l2: Penalty on W's squares.
        bias_l1: Penalty on b's absolute values.
        bias_l2: Penalty on b's squares.
    """

    units: Positive
    bias: bool = True
    init: Initializer | None = None
    l1: NonNegative = 0.0
    l2: NonNegative = 0.0
    bias_l1: NonNegative = 0.0
    bias_l2: NonNegative = 0.0

    suits = "glorot_uniform"
    letters: ClassVar = {"weight": "W", "bias": "b"}

    def build(self, input_shape: Shape, rng: Streams) -> Shape:
        if not input_shape:
            raise ShapeError("expected inputs with at least one axis of features.")
        shape = (self.units, input_shape[-1])
        self.add_parameter("weight", shape, self.init or self.default_init, rng)
        if self.bias:
            self.add_parameter("bias", (self.units,), Zeros(), rng)
        return (*input_shape[:-1], self.units)

    def __call__(self, x: Tensor) -> Tensor:
        names = ("weight", "bias") if self.bias else ("weight",)
        return apply(Linear(), x, *(self.parameters[name] for name in names))

    def advance(self, x: Tensor, state: Any) -> tuple[Tensor, Any]:
        if x.ndim < 3:
            return super().advance(x, state)
        bias = self.parameters["bias"].data if self.bias else None
        return Tensor(affine(x.data, self.parameters["weight"].data, bias)), None

    def penalties(self) -> list[Penalty]:
        """Return the penalties that are not zero."""
        penalties = [Penalty(self.parameters["weight"], self.l1, self.l2)]
        if self.bias:
            bias = self.parameters["bias"]
            penalties.append(Penalty(bias, self.bias_l1, self.bias_l2))
        return [penalty for penalty in penalties if penalty.l1 or penalty.l2]
