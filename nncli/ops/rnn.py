"""Rnn: the plain recurrent cell."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import numpy as np

from nncli.autograd.function import Case
from nncli.core.arrays import Array, xp
from nncli.ops.recurrent import Recurrent
from nncli.ops.recurrent_cases import recurrent_cases


class Rnn(Recurrent, name="rnn"):
    """h_t = tanh(W x_t + b + U h_(t−1)), or ReLU instead; see ``Recurrent``.

    With a = W x + b + U h and dh = dL/dy_t + Uᵀ da_(t+1):
    da = dh·(1 − h²), of ReLU da = dh where h > 0.
    Source: Elman 1990; PyTorch's RNN, where b is split in two.

    Args:
        activation: What h is of a.
    """

    activation: Literal["tanh", "relu"] = "tanh"

    order = (0,)
    recurrent_order = (0,)
    scales = (1.0,)
    slopes = 1
    differentiable = (True, True, True, True, True, False)

    def views(self, k: int) -> tuple[Any, ...]:
        return self.recurrent_inputs[k], self.gates[0, k], self.hidden[k + 1]

    def step(self, *views: Any) -> None:
        before, a, h = views
        xp.matmul(before, self.recurrents[0], out=h)
        xp.add(h, a, out=a)
        if self.activation == "tanh":
            xp.tanh(a, out=h)
        else:
            xp.maximum(a, 0, out=h)

    def advance(self, x: Array, *arrays: Any) -> tuple[Array, ...]:
        weight, bias, recurrent, h = arrays
        a = x @ weight.T + bias + h @ recurrent.T
        return (xp.tanh(a) if self.activation == "tanh" else xp.maximum(a, 0),)

    def write_factors(self, steps: slice, factors: Array) -> None:
        """Write the slope of the activation."""
        h = self.hidden[steps.start + 1 : steps.stop + 1]
        if self.activation == "tanh":
            xp.multiply(h, h, out=factors[0])
            xp.subtract(1, factors[0], out=factors[0])
        else:
            xp.greater(h, 0, out=factors[0])

    def step_back(
        self,
        k: int,
        factors: Array,
        dh: Array,
        direct: Array,
        block: Array,
        *cells: Array,
    ) -> bool:
        xp.multiply(factors[:1], dh, out=block)
        return False

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """Both activations."""
        yield from recurrent_cases(cls, rng)
        yield from recurrent_cases(cls, rng, activation="relu")
