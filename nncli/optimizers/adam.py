"""Adam and what grew out of it."""

from __future__ import annotations

import math

from nncli.autograd.flat import Flat
from nncli.backend import Array, xp
from nncli.optimizers.base import Optimizer
from nncli.signature import Fraction, NonNegative, PositiveFloat


class Adam(Optimizer, name="adam"):
    """p ← p − lr·m̂ / (√v̂ + eps), with averages m of g and v of g².

    m ← β₁·m + (1 − β₁)·g, v ← β₂·v + (1 − β₂)·g², and m̂ = m / (1 − β₁ᵗ),
    v̂ = v / (1 − β₂ᵗ) at step t = 1, 2, ... g = gradient + weight_decay·p (coupled, as
    in PyTorch's Adam); eps stands outside the root.

    Source: Kingma and Ba 2015, algorithm 1.

    Args:
        lr: Learning rate.
        beta1: Share of m that stays.
        beta2: Share of v that stays.
        eps: Added to the root.
        weight_decay: Share of p that is added to its gradient.
        decay_bias_and_norm: Whether biases and norms decay too, as in PyTorch.
    """

    slots = ("first_moment", "second_moment")
    works = 1

    def __init__(
        self,
        lr: PositiveFloat = 0.001,
        beta1: Fraction = 0.9,
        beta2: Fraction = 0.999,
        eps: PositiveFloat = 1e-8,
        weight_decay: NonNegative = 0.0,
        decay_bias_and_norm: bool = True,
    ) -> None:
        self.lr = lr
        self.beta1 = beta1
        self.beta2 = beta2
        self.eps = eps
        self.weight_decay = weight_decay
        self.decay_bias_and_norm = decay_bias_and_norm

    def start(self, flat: Flat) -> None:
        """Make the scalars as arrays: NumPy takes those faster than Python's."""
        super().start(flat)
        dtype = flat.values.dtype
        self._new1, self._keep2, self._new2, self._size, self._eps = (
            xp.asarray(number, dtype)
            for number in (1 - self.beta1, self.beta2, 1 - self.beta2, 0.0, 0.0)
        )

    def prepare(self, lr: float) -> None:
        """Move both bias corrections into the step's size and into eps.

        lr·m̂ / (√v̂ + eps) = (lr·√c₂ / c₁)·m / (√v + eps·√c₂) with c = 1 − βᵗ.
        """
        root = math.sqrt(1 - self.beta2**self.steps)
        self._size[()] = lr * root / (1 - self.beta1**self.steps)
        self._eps[()] = self.eps * root

    def update(self, *arrays: Array) -> None:
        """Move one chunk."""
        values, g, m, v, work = arrays
        xp.subtract(g, m, work)
        xp.multiply(work, self._new1, work)
        xp.add(m, work, m)
        xp.multiply(v, self._keep2, v)
        xp.multiply(g, g, work)
        xp.multiply(work, self._new2, work)
        xp.add(v, work, v)
        xp.sqrt(v, work)
        xp.add(work, self._eps, work)
        xp.divide(m, work, work)
        xp.multiply(work, self._size, work)
        xp.subtract(values, work, values)
