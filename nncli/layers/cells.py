"""Recurrent layers by their cells: rnn, lstm and gru."""

from __future__ import annotations

from typing import Any, Literal

from nncli.core.arrays import Shape
from nncli.core.randomness import Streams
from nncli.layers.recurrent import Recurrent
from nncli.ops.gru import Gru as GruOp
from nncli.ops.gru import GruResetBefore
from nncli.ops.lstm import Lstm as LstmOp
from nncli.ops.recurrent import Recurrent as RecurrentOp
from nncli.ops.rnn import Rnn as RnnOp


class Rnn(Recurrent, name="rnn"):
    """h_t = tanh(W x_t + b + U h_(t−1)): (N, T, F) → (N, T, units).

    Source: Elman 1990; PyTorch's RNN, where b is split in two.

    Args:
        activation: ``tanh``, or ``relu`` instead of it.
    """

    activation: Literal["tanh", "relu"] = "tanh"

    def function(self, **fields: Any) -> RecurrentOp:
        return RnnOp(activation=self.activation, **fields)


class Lstm(Recurrent, name="lstm"):
    """Long short-term memory: (N, T, F) → (N, T, units).

    c_t = f·c_(t−1) + i·g, h_t = o·tanh(c_t), where the gates i, f, o = σ(a) and g =
    tanh(a) have each a block of a = W x_t + b + U h_(t−1), in PyTorch's order i, f, g,
    o. Source: Hochreiter and Schmidhuber 1997; with f, Gers et al. 2000; PyTorch's
    LSTM, where b is split in two.

    Args:
        forget_bias: Added to the first b of f. With 1, cells remember from the start,
            as Keras' unit_forget_bias (Jozefowicz et al. 2015); PyTorch adds nothing.
    """

    forget_bias: float = 0.0

    states = ("hidden", "cell")

    def _add(self, name: str, features: int, rng: Streams) -> None:
        super()._add(name, features, rng)
        bias, units = self.parameters[f"bias_{name}"].data, self.units
        bias[units : 2 * units] += self.forget_bias

    def function(self, **fields: Any) -> RecurrentOp:
        return LstmOp(**fields)


class Gru(Recurrent, name="gru"):
    """Gated recurrent unit: (N, T, F) → (N, T, units).

    h_t = (1 − z)·n + z·h_(t−1) with n = tanh(W x_t + b + r·(U h_(t−1) + v)), or with
    ``reset: before`` n = tanh(W x_t + b + U (r·h_(t−1))). r, z = σ(a) have each a block
    of a = W x_t + b + U h_(t−1), and n has the third one, in PyTorch's order r, z, n.
    Source: Cho et al. 2014.

    Args:
        reset: Where r stands: ``after`` the product, as in PyTorch; or ``before`` it,
            as it was published.
    """

    reset: Literal["after", "before"] = "after"

    def function(self, **fields: Any) -> RecurrentOp:
        return GruOp(**fields) if self.reset == "after" else GruResetBefore(**fields)

    def extras(self) -> dict[str, Shape]:
        return {"recurrent_bias": (self.units,)} if self.reset == "after" else {}
