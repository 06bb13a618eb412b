"""Adam, and AdamW with its decoupled weight decay."""

from __future__ import annotations

import math
from dataclasses import field

from nncli.core.arrays import Array, xp
from nncli.core.signature import NonNegative
from nncli.optimizers.moments import Moments


class WithAmsgrad(Moments):
    """Base of Adam and AdamW: their steps differ in their weight decay alone.

    Args:
        amsgrad: Divide by the largest v so far, so that steps never grow again.
    """

    amsgrad: bool = False

    def used_slots(self) -> tuple[str, ...]:
        return (*self.slots, "largest_square_sum") if self.amsgrad else self.slots

    def remembered(self) -> dict[str, Array]:
        found = super().remembered()
        if self.amsgrad:
            found["v_hat_max"] = self.state["largest_square_sum"] / self.weights()[1]
        return found

    def prepare(self, lr: float) -> None:
        """Move the weights' sums into the step's size and into eps.

        lr·m̂ / (√v̂ + eps) = (lr·√n₂ / n₁)·S₁ / (√S₂ + eps·√n₂).
        """
        n1, n2 = self.weights()
        root = math.sqrt(n2)
        self._size[()] = lr * root / n1
        self._eps[()] = self.eps * root

    def update(self, *arrays: Array) -> None:
        values, g, first, second, *largest, work = arrays
        self.remember(g, first, second, work)
        if largest:
            second = xp.maximum(largest[0], second, out=largest[0])
        self.descend(values, first, second, work)


class Adam(WithAmsgrad, name="adam"):
    """p ← p − lr·m̂ / (√v̂ + eps), with averages m̂ of g and v̂ of g².

    m ← β₁·m + (1 − β₁)·g, v ← β₂·v + (1 − β₂)·g², and m̂ = m / (1 − β₁ᵗ),
    v̂ = v / (1 − β₂ᵗ) at step t = 1, 2, ... g = gradient + weight_decay·p (coupled, as
    in PyTorch's Adam); eps stands outside the root.

    With amsgrad, v̂_max = max(v) / (1 − β₂ᵗ) of the largest v so far stands for v̂.

    Source: Kingma and Ba 2015, algorithm 1; amsgrad: Reddi et al. 2018, as PyTorch has
    it: the largest v is corrected for the bias of now.
    """


class AdamW(WithAmsgrad, name="adamw"):
    """p ← p − lr·weight_decay·p, then Adam's step p ← p − lr·m̂ / (√v̂ + eps).

    The decay stays out of the averages m̂ and v̂ (decoupled), so that all parameters
    decay at the same rate, whatever their gradients. With amsgrad, v̂_max of the
    largest v so far stands for v̂, as in Adam; see ``adam``.

    Source: Loshchilov and Hutter 2019. As in PyTorch, lr is part of the decay.

    Args:
        weight_decay: Share of p, times lr, that is taken away at each step.
    """

    weight_decay: NonNegative = field(default=0.01, kw_only=True)

    decoupled = True
