"""Lion: steps of one size, whatever the gradient's."""

from __future__ import annotations

from typing import ClassVar

from nncli.core.arrays import Array, xp
from nncli.core.signature import Fraction, PositiveFloat
from nncli.optimizers.base import DecayingOptimizer


class Lion(DecayingOptimizer, name="lion"):
    """p ← p − lr·sign(β₁·m + (1 − β₁)·g) − lr·weight_decay·p; m ← β₂·m + (1 − β₂)·g.

    The decay is decoupled; the direction is taken with the old m. Rates are three to
    ten times smaller than Adam's, decays as much larger.

    Source: Chen et al. 2023, algorithm 2.

    Args:
        lr: Learning rate: how far each parameter moves at each step.
        beta1: Share of m in the direction.
        beta2: Share of m that stays.
        weight_decay: Share of p, times lr, that is taken away at each step.
    """

    lr: PositiveFloat = 0.0001
    beta1: Fraction = 0.9
    beta2: Fraction = 0.99

    slots = ("average",)
    letters: ClassVar = {"average": "m"}
    decoupled = True

    def prepare(self, lr: float) -> None:
        self._lr = lr

    def update(self, *arrays: Array) -> None:
        """Move one chunk: m + (1 − β)·(g − m) is β·m + (1 − β)·g."""
        values, g, average, work = arrays
        xp.subtract(g, average, out=work)
        xp.multiply(work, 1 - self.beta1, out=work)
        xp.add(work, average, out=work)
        xp.sign(work, out=work)
        xp.multiply(work, self._lr, out=work)
        xp.subtract(values, work, out=values)
        xp.subtract(g, average, out=work)
        xp.multiply(work, 1 - self.beta2, out=work)
        xp.add(average, work, out=average)
