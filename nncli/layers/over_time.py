"""From a sequence to one vector: its last step, or the mean of all."""

from __future__ import annotations

from typing import Any

from nncli.autograd.tensor import Tensor, apply
from nncli.core.arrays import Shape
from nncli.core.randomness import Streams
from nncli.layers.base import Layer
from nncli.layers.stepwise import check_sequences
from nncli.ops import over_time


class OverTime(Layer):
    """Base of layers from a sequence of vectors to a single one."""

    output = None
    examples = ((3, 4), (1, 2))

    def build(self, input_shape: Shape, rng: Streams) -> Shape:
        check_sequences(input_shape)
        return input_shape[1:]


class LastStep(OverTime, name="last_step"):
    """y = x_T, or x at a row's own last step where it has a length: (N, T, F) → (N, F).

    For attention, and for whatever gives a vector at every step; recurrent layers do so
    themselves with ``return_sequences: false``.
    """

    def __call__(self, x: Tensor) -> Tensor:
        """Take a step of each row."""
        if x.lengths is None:
            return x[:, -1]
        return apply(over_time.LastStep(), x, Tensor(x.lengths))

    def advance(self, x: Tensor, state: Any) -> tuple[Tensor, Any]:
        """Every step is the last one so far."""
        return x[:, -1], None


class MeanOverTime(OverTime, name="mean_over_time"):
    """y = Σ_t x_t / T, of a row with a length over its own steps: (N, T, F) → (N, F).

    Keras' GlobalAveragePooling1D with a mask. Of channels first, (N, C, L), it is
    ``global_average_pool``.
    """

    def __call__(self, x: Tensor) -> Tensor:
        """Sum the steps that count."""
        if x.lengths is None:
            return x.mean(axis=1)
        return apply(over_time.MeanOverTime(), x, Tensor(x.lengths))

    def advance(self, x: Tensor, state: Any) -> tuple[Tensor, Any]:
        """Go on with the sum; the state holds it and counts its steps."""
        total, count = state or (0, 0)
        total, count = total + x.data.sum(axis=1), count + x.shape[1]
        return Tensor(total / count), (total, count)
