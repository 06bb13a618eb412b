"""Attention: every step of a sequence looks at the others."""

from __future__ import annotations

import math
from typing import Any, ClassVar, NamedTuple

from nncli.autograd.tensor import Tensor, apply
from nncli.core.arrays import Array, Shape, xp
from nncli.core.errors import ArgumentError, ShapeError
from nncli.core.randomness import Streams
from nncli.core.signature import Fraction, Positive
from nncli.initializers.base import Initializer
from nncli.initializers.constant import Zeros
from nncli.layers.base import Layer
from nncli.layers.stepwise import check_sequences
from nncli.ops import attention
from nncli.ops.matmul import Linear, affine
from nncli.ops.rotary import Rotation


class Cache:
    """Keys and values of steps, with room for more behind them.

    Args:
        shape: (N, 2·kv_heads, room, F // heads).
        dtype: The element type.

    Attributes:
        rows: The heads of the keys, then those of the values; and room.
        used: How many steps are there.
    """

    def __init__(self, shape: Shape, dtype: Any) -> None:
        self.rows: Array = xp.empty(shape, dtype)
        self.used = 0

    def extended(self, seen: int, count: int) -> Cache:
        """Return a cache with room for more steps behind the first ``seen``.

        It is another one where the room does not do, or holds what others go on from.
        """
        n, heads, room, size = self.rows.shape
        if seen == self.used and seen + count <= room:
            return self
        more = room if seen + count <= room else max(2 * room, seen + count)
        cache = Cache((n, heads, more, size), self.rows.dtype)
        cache.rows[:, :, :seen] = self.rows[:, :, :seen]
        return cache


class CachedSteps(NamedTuple):
    """What steps before the next one left: the first ``steps`` of a cache."""

    cache: Cache
    steps: int


class Attention(Layer, name="attention"):
    """y = concat_h(softmax(q_h k_hᵀ / √d) v_h) W_oᵀ + b_o: (N, T, F) → (N, T, F).

    Self-attention: (q, k, v) = x Wᵀ + b, each head having d = F / heads features of
    each. W ((heads + 2·kv_heads)·d, F) holds the queries' rows, then the keys' and the
    values', as PyTorch's MultiheadAttention. Biases are zero at first. Of a row with a
    length, steps from there on are not looked at; what stands there looks as well.
    Source: Vaswani et al. 2017.

    Args:
        heads: How many heads; they divide F.
        kv_heads: How many heads keys and values have, of which each serves heads /
            kv_heads of the queries' (Ainslie et al. 2023); null is ``heads``.
        causal: A step looks at itself and those before it only.
        dropout: In training, the probability of leaving out a weight after softmax.
        rotary: Turn queries and keys by angles that grow with the step, so that their
            product depends on the distance (Su et al. 2021); d is even then.
        bias: Whether there are b and b_o.
        init: First values of both weights; by default glorot_uniform.
    """

    heads: Positive
    kv_heads: Positive | None = None
    causal: bool = False
    dropout: Fraction = 0.0
    rotary: bool = False
    bias: bool = True
    init: Initializer | None = None

    suits = "glorot_uniform"
    examples = ((3, 4),)
    letters: ClassVar = {
        "weight": "W",
        "bias": "b",
        "out_weight": "W_o",
        "out_bias": "b_o",
    }

    def __post_init__(self) -> None:
        if self.kv_heads is not None and self.heads % self.kv_heads:
            raise ArgumentError(
                f"expected kv_heads that divide the {self.heads} heads, got "
                f"{self.kv_heads}."
            )

    def build(self, input_shape: Shape, rng: Streams) -> Shape:
        """Make the weights of both products."""
        check_sequences(input_shape)
        features = input_shape[-1]
        self.size = features // self.heads
        if features % self.heads or (self.rotary and self.size % 2):
            even = ", with an even number of features each" if self.rotary else ""
            raise ShapeError(
                f"expected features that {self.heads} heads divide{even}, got "
                f"{features}."
            )
        self.generator = rng.noise
        init = self.init or self.default_init
        wide = (self.heads + 2 * self._kv_heads) * self.size
        self.add_parameter("weight", (wide, features), init, rng)
        self.add_parameter("out_weight", (features, features), init, rng)
        if self.bias:
            self.add_parameter("bias", (wide,), Zeros(), rng)
            self.add_parameter("out_bias", (features,), Zeros(), rng)
        return input_shape

    @property
    def _kv_heads(self) -> int:
        return self.kv_heads or self.heads

    def __call__(self, x: Tensor) -> Tensor:
        """Project, attend, project."""
        rate = self.dropout if self.training else 0.0
        attend = attention.Attention(
            self.heads, self._kv_heads, self.causal, rate, self.rotary, self.generator
        )
        lengths = () if x.lengths is None else (Tensor(x.lengths),)
        return self._project("out_", apply(attend, self._project("", x), *lengths))

    def _project(self, prefix: str, x: Tensor) -> Tensor:
        names = [f"{prefix}weight", f"{prefix}bias"][: 1 + self.bias]
        return apply(Linear(), x, *(self.parameters[name] for name in names))

    def advance(self, x: Tensor, state: Any) -> tuple[Tensor, Any]:
        """Look at the steps before, whose keys and values were kept.

        Raises:
            ShapeError: The layer is not causal: later steps change what earlier give.
        """
        if not self.causal:
            raise ShapeError(
                "expected attention with causal: true to take steps one by one; "
                "without it, each step looks at those after it."
            )
        (n, steps, features), kv = x.shape, self._kv_heads
        if state is None:
            room = max(int(self.input_shape[0]), steps)
            state = CachedSteps(Cache((n, 2 * kv, room, self.size), self.dtype), 0)
        seen, end = state.steps, state.steps + steps
        cache = state.cache.extended(seen, steps)
        packed = self._affine("", x.data).reshape(n, steps, -1, self.size)
        if self.rotary:
            self._rotate(packed[:, :, : self.heads + kv], seen)
        by_head = packed.swapaxes(1, 2)
        cache.rows[:, :, seen:end] = by_head[:, self.heads :]
        cache.used = end
        queries = by_head[:, : self.heads].reshape(n, kv, -1, self.size)
        keys, values = cache.rows[:, :kv, :end], cache.rows[:, kv:, :end]
        p = queries @ keys.swapaxes(-1, -2)
        p *= 1 / math.sqrt(self.size)
        if steps > 1:
            later = xp.arange(end) > xp.arange(seen, end)[:, None]
            xp.copyto(p.reshape(n, kv, -1, steps, end), -xp.inf, where=later)
        p -= xp.maximum.reduce(p, axis=-1, keepdims=True)
        xp.exp(p, out=p)
        p /= xp.add.reduce(p, axis=-1, keepdims=True)
        y = (p @ values).reshape(n, self.heads, steps, self.size).swapaxes(1, 2)
        y = self._affine("out_", y.reshape(n, steps, features))
        return Tensor(y), CachedSteps(cache, end)

    def _affine(self, prefix: str, x: Array) -> Array:
        bias = self.parameters[f"{prefix}bias"].data if self.bias else None
        return affine(x, self.parameters[f"{prefix}weight"].data, bias)

    def _rotate(self, heads: Array, seen: int) -> None:
        """Turn queries and keys (N, T, heads, d), behind so many steps."""
        given = heads.copy()
        rotation = Rotation(given.shape[1], self.size, given.dtype, seen)
        rotation.rotate(given, xp.empty_like(given[..., ::2]), heads)
