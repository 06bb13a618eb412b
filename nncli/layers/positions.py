"""Positions: what tells the steps of a sequence apart where layers do not."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from nncli.autograd.tensor import Tensor
from nncli.core.arrays import Array, Shape, xp
from nncli.core.errors import ShapeError
from nncli.core.randomness import Streams
from nncli.core.signature import Positive
from nncli.initializers.base import Initializer
from nncli.initializers.random import Normal
from nncli.layers.base import Layer
from nncli.layers.stepwise import check_sequences


class Positions(Layer, name="positions"):
    """y_t = x_t + P_t: (N, T, F) → (N, T, F), with one vector for each step.

    ``learned``: P (block, F) is trained (Radford et al. 2018). ``sinusoidal``:
    P_t,2i = sin(t·10000^(−2i/F)), P_t,2i+1 = cos(t·10000^(−2i/F)), fixed (Vaswani et
    al. 2017). Angles inside the layer instead: ``attention`` with ``rotary: true``.

    Args:
        encoding: Where P is from.
        block: The longest sequence; null is that of the input. Longer ones are
            refused.
        init: First values of a learned P; by default normal with std 0.02.
    """

    encoding: Literal["learned", "sinusoidal"] = "learned"
    block: Positive | None = None
    init: Initializer | None = None

    examples = ((3, 4), (1, 3), (2, 2))
    letters: ClassVar = {"weight": "P"}

    def build(self, input_shape: Shape, rng: Streams) -> Shape:
        """Make P."""
        check_sequences(input_shape)
        self.steps = self.block or int(input_shape[0])
        self._check(input_shape[0])
        shape = (self.steps, input_shape[1])
        if self.encoding == "learned":
            init = self.init or Normal(0.02)
            self.table = self.add_parameter("weight", shape, init, rng)
        else:
            self.table = Tensor(_waves(*shape).astype(self.dtype))
        return input_shape

    def _check(self, steps: int) -> None:
        if steps > self.steps:
            raise ShapeError(
                f"expected sequences of at most {self.steps} steps, the block, got "
                f"{int(steps)}. Give positions a larger block, or cut them."
            )

    def __call__(self, x: Tensor) -> Tensor:
        """Add the first T vectors."""
        steps = x.shape[1]
        self._check(steps)
        return x + (self.table if steps == self.steps else self.table[:steps])

    def advance(self, x: Tensor, state: Any) -> tuple[Tensor, Any]:
        """Add the vectors of the next steps; the state counts those before."""
        seen = state or 0
        end = seen + x.shape[1]
        self._check(end)
        return Tensor(x.data + self.table.data[seen:end]), end


def _waves(steps: int, features: int) -> Array:
    """Return sines and cosines in turn, (steps, features)."""
    speeds = 10_000.0 ** (-xp.arange(0, features, 2) / max(features, 1))
    angles = xp.arange(steps)[:, None] * speeds
    waves: Array = xp.stack([xp.sin(angles), xp.cos(angles)], axis=-1)
    return waves.reshape(steps, -1)[:, :features]
