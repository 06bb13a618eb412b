"""Adam, and AdamW with its decoupled weight decay."""

from __future__ import annotations

import math

from nncli.backend import Array, xp
from nncli.optimizers.moments import Moments
from nncli.signature import Fraction, NonNegative, PositiveFloat


class _Adam(Moments):
    """The steps of both; they differ in their weight decay."""

    eps: float

    def prepare(self, lr: float) -> None:
        """Move the weights' sums into the step's size and into eps.

        lr·m̂ / (√v̂ + eps) = (lr·√n₂ / n₁)·S₁ / (√S₂ + eps·√n₂).
        """
        n1, n2 = self.weights()
        root = math.sqrt(n2)
        self._size[()] = lr * root / n1
        self._eps[()] = self.eps * root

    def update(self, *arrays: Array) -> None:
        """Move one chunk."""
        values, g, first, second, *largest, work = arrays
        self.remember(g, first, second, work)
        if largest:
            second = xp.maximum(largest[0], second, out=largest[0])
        self.descend(values, first, second, work)


def _slots(amsgrad: bool) -> tuple[str, ...]:
    return (*Moments.slots, "largest_square_sum") if amsgrad else Moments.slots


class Adam(_Adam, name="adam"):
    """p ← p − lr·m̂ / (√v̂ + eps), with averages m̂ of g and v̂ of g².

    m ← β₁·m + (1 − β₁)·g, v ← β₂·v + (1 − β₂)·g², and m̂ = m / (1 − β₁ᵗ),
    v̂ = v / (1 − β₂ᵗ) at step t = 1, 2, ... g = gradient + weight_decay·p (coupled, as
    in PyTorch's Adam); eps stands outside the root.

    Source: Kingma and Ba 2015, algorithm 1; amsgrad: Reddi et al. 2018, as PyTorch has
    it: the largest v, corrected for the bias of now.

    Args:
        lr: Learning rate.
        beta1: Share of m that stays.
        beta2: Share of v that stays.
        eps: Added to the root.
        weight_decay: Share of p that is added to its gradient.
        decay_bias_and_norm: Whether biases and norms decay too, as in PyTorch.
        amsgrad: Divide by the largest v so far, so that steps never grow again.
    """

    def __init__(
        self,
        lr: PositiveFloat = 0.001,
        beta1: Fraction = 0.9,
        beta2: Fraction = 0.999,
        eps: PositiveFloat = 1e-8,
        weight_decay: NonNegative = 0.0,
        decay_bias_and_norm: bool = True,
        amsgrad: bool = False,
    ) -> None:
        self.lr = lr
        self.beta1 = beta1
        self.beta2 = beta2
        self.eps = eps
        self.weight_decay = weight_decay
        self.decay_bias_and_norm = decay_bias_and_norm
        self.slots = _slots(amsgrad)


class AdamW(_Adam, name="adamw"):
    """p ← p − lr·weight_decay·p, then Adam's step p ← p − lr·m̂ / (√v̂ + eps).

    The decay stays out of the averages m̂ and v̂ (decoupled), so that all parameters
    decay at the same rate, whatever their gradients.

    Source: Loshchilov and Hutter 2019. As in PyTorch, lr is part of the decay.

    Args:
        lr: Learning rate.
        beta1: Share of m that stays.
        beta2: Share of v that stays.
        eps: Added to the root.
        weight_decay: Share of p, times lr, that is taken away at each step.
        decay_bias_and_norm: Whether biases and norms decay too, as in PyTorch.
        amsgrad: Divide by the largest v so far, so that steps never grow again.
    """

    decoupled = True

    def __init__(
        self,
        lr: PositiveFloat = 0.001,
        beta1: Fraction = 0.9,
        beta2: Fraction = 0.999,
        eps: PositiveFloat = 1e-8,
        weight_decay: NonNegative = 0.01,
        decay_bias_and_norm: bool = True,
        amsgrad: bool = False,
    ) -> None:
        self.lr = lr
        self.beta1 = beta1
        self.beta2 = beta2
        self.eps = eps
        self.weight_decay = weight_decay
        self.decay_bias_and_norm = decay_bias_and_norm
        self.slots = _slots(amsgrad)
