"""Transformer: attention and a small network for each step, around which x goes on."""

from __future__ import annotations

from typing import Any, Literal

from nncli.autograd.tensor import Tensor
from nncli.core.arrays import Shape
from nncli.core.randomness import Streams
from nncli.core.signature import Fraction, Positive
from nncli.initializers.base import Initializer
from nncli.layers.activations import Relu
from nncli.layers.activations_smooth import Gelu, Silu
from nncli.layers.attention import Attention
from nncli.layers.base import InputSpec, Layer
from nncli.layers.chain import add_children, advance, copies, run
from nncli.layers.containers import Parallel, Residual, Sequential
from nncli.layers.dense import Dense
from nncli.layers.dropout import Dropout
from nncli.layers.normalization import LayerNorm
from nncli.layers.stepwise import check_sequences


class TransformerBlock(Layer, name="transformer_block"):
    """a = x + attend(norm(x)), y = a + feed(norm(a)): (N, T, F) → (N, T, F).

    attend is ``attention``, feed(x) = f(x W₁ᵀ + b₁) W₂ᵀ + b₂ at each step alone, norm
    is ``layer_norm``. With ``norm: post``, a = norm(x + attend(x)) and
    y = norm(a + feed(a)), as in the paper. A stack is a ``sequential`` with ``repeat``;
    after a stack with ``norm: pre`` stands one more ``layer_norm``. PyTorch's
    TransformerEncoderLayer. Source: Vaswani et al. 2017; pre: Xiong et al. 2020;
    swiglu: Shazeer 2020.

    Args:
        heads: How many heads attention has; they divide F.
        units: Width of the layer inside feed; null is 4·F, or with swiglu 8·F // 3,
            which is as many parameters.
        activation: The f of feed; swiglu is silu(x W₁ᵀ + b₁)·(x W₃ᵀ + b₃).
        norm: Before attend and feed, or after the sums.
        causal: A step looks at itself and those before it only.
        dropout: In training, the probability of dropping weights of attention, values
            of f, and what attend and feed give.
        rotary: Positions are angles of queries and keys; see ``attention``.
        kv_heads: How many heads keys and values have; see ``attention``.
        bias: Whether attention and feed have biases.
        init: First values of all weights; by default those that suit what follows.
    """

    heads: Positive
    units: Positive | None = None
    activation: Literal["gelu", "relu", "swiglu"] = "gelu"
    norm: Literal["pre", "post"] = "pre"
    causal: bool = False
    dropout: Fraction = 0.0
    rotary: bool = False
    kv_heads: Positive | None = None
    bias: bool = True
    init: Initializer | None = None

    suits = None
    examples = ((2, 4),)

    def __post_init__(self) -> None:
        # Attention refuses heads that do not fit.
        Attention(self.heads, self.kv_heads)

    def count(self) -> int:
        return 1 + sum(layer.count() for layer in self._layers(1))

    def _layers(self, features: int) -> list[Layer]:
        """Return the block as layers."""
        attend: list[Layer] = [
            Attention(
                self.heads,
                self.kv_heads,
                self.causal,
                self.dropout,
                self.rotary,
                self.bias,
                self.init,
            ),
            *self._drop(),
        ]
        feed = [*self._feed(features), *self._drop()]
        if self.norm == "pre":
            return [Residual([LayerNorm(), *part]) for part in (attend, feed)]
        return [Residual(attend), LayerNorm(), Residual(feed), LayerNorm()]

    def _feed(self, features: int) -> list[Layer]:
        gated = self.activation == "swiglu"
        units = self.units or max(1, 8 * features // 3 if gated else 4 * features)
        wide = Dense(units, self.bias, self.init)
        inner: list[Layer]
        if gated:
            inner = [Parallel([Sequential([wide, Silu()]), wide], "multiply")]
        else:
            inner = [wide, Gelu() if self.activation == "gelu" else Relu()]
        return [*inner, *self._drop(), Dense(features, self.bias, self.init)]

    def _drop(self) -> list[Layer]:
        return [Dropout(self.dropout)] if self.dropout else []

    def build(self, input_shape: Shape, rng: Streams) -> Shape:
        check_sequences(input_shape)
        layers = copies(self._layers(input_shape[-1]))
        return add_children(self, "layers", layers, InputSpec(input_shape)).shape

    def __call__(self, x: Tensor) -> Tensor:
        return run(list(self.children.values()), x)

    def advance(self, x: Tensor, state: Any) -> tuple[Tensor, Any]:
        return advance(list(self.children.values()), x, state)
