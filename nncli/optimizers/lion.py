"""Lion: steps of one size, whatever the gradient's."""

from __future__ import annotations

from nncli.backend import Array, xp
from nncli.optimizers.base import Optimizer
from nncli.signature import Fraction, NonNegative, PositiveFloat


class Lion(Optimizer, name="lion"):
    """p ← p − lr·sign(β₁·m + (1 − β₁)·g) − lr·weight_decay·p; m ← β₂·m + (1 − β₂)·g.

    The decay is decoupled; the direction is taken with the old m. Rates are three to
    ten times smaller than Adam's, decays as much larger.

    Source: Chen et al. 2023, algorithm 2.

    Args:
        lr: Learning rate: how far each parameter moves at each step.
        beta1: Share of m in the direction.
        beta2: Share of m that stays.
        weight_decay: Share of p, times lr, that is taken away at each step.
        decay_bias_and_norm: Whether biases and norms decay too.
    """

    slots = ("average",)
    decoupled = True

    def __init__(
        self,
        lr: PositiveFloat = 0.0001,
        beta1: Fraction = 0.9,
        beta2: Fraction = 0.99,
        weight_decay: NonNegative = 0.0,
        decay_bias_and_norm: bool = True,
    ) -> None:
        self.lr = lr
        self.beta1 = beta1
        self.beta2 = beta2
        self.weight_decay = weight_decay
        self.decay_bias_and_norm = decay_bias_and_norm

    def prepare(self, lr: float) -> None:
        """Keep the learning rate."""
        self._lr = lr

    def update(self, *arrays: Array) -> None:
        """Move one chunk: m + (1 − β)·(g − m) is β·m + (1 − β)·g."""
        values, g, average, work = arrays
        xp.subtract(g, average, work)
        xp.multiply(work, 1 - self.beta1, out=work)
        xp.add(work, average, work)
        xp.sign(work, work)
        xp.multiply(work, self._lr, out=work)
        xp.subtract(values, work, values)
        xp.subtract(g, average, work)
        xp.multiply(work, 1 - self.beta2, out=work)
        xp.add(average, work, average)
