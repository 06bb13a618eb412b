"""LAMB: Adam with a rate of its own for each weight matrix."""

from __future__ import annotations

import math

from nncli.autograd.flat import Flat
from nncli.backend import Array, xp
from nncli.optimizers.base import aligned
from nncli.optimizers.moments import Moments
from nncli.signature import Fraction, NonNegative, PositiveFloat


class Lamb(Moments, name="lamb"):
    """p ← p − lr·(‖p‖ / ‖u‖)·u with u = m̂ / (√v̂ + eps) + weight_decay·p.

    The norms are Euclidean and of one parameter (a weight, a bias) each; where one of
    them is 0, their ratio is 1. m̂ and v̂ are Adam's. A step thus changes each
    parameter by the same share of its size, which keeps large batches stable.

    Source: You et al. 2020, algorithm 2 with φ(z) = z.

    Args:
        lr: Learning rate: by which share of its size a parameter changes.
        beta1: Share of m that stays.
        beta2: Share of v that stays.
        eps: Added to the root.
        weight_decay: Share of p that is added to u.
        decay_bias_and_norm: Whether biases and norms decay too.
    """

    def __init__(
        self,
        lr: PositiveFloat = 0.001,
        beta1: Fraction = 0.9,
        beta2: Fraction = 0.999,
        eps: PositiveFloat = 1e-6,
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
        """Bind to parameters: a chunk is one of them, with its decay at the end."""
        super().start(flat)
        largest = max((part.stop - part.start for part in flat.slices), default=0)
        scratch = [aligned(largest, flat.values.dtype) for _ in range(2)]
        self._chunks = []
        for part in flat.slices:
            decays = self.decay_bias_and_norm or part.stop <= flat.weights
            decay = xp.asarray(self.weight_decay if decays else 0, flat.values.dtype)
            # The decay is inside u: none of the base's.
            self._chunks.append((False, (*self._views(part, scratch), decay)))

    def prepare(self, lr: float) -> None:
        """Move the weights' sums into the factor of S₁ and into eps, as Adam does."""
        n1, n2 = self.weights()
        root = math.sqrt(n2)
        self._lr = lr
        self._size[()] = root / n1
        self._eps[()] = self.eps * root

    def update(self, *arrays: Array) -> None:
        """Move one parameter."""
        values, g, first, second, work, decayed, decay = arrays
        self.remember(g, first, second, work)
        xp.sqrt(second, work)
        xp.add(work, self._eps, work)
        xp.divide(first, work, work)
        xp.multiply(work, self._size, work)
        if decay:
            xp.multiply(values, decay, decayed)
            xp.add(work, decayed, work)
        size, length = _norm(values), _norm(work)
        ratio = size / length if size and length else 1.0
        xp.multiply(work, self._lr * ratio, out=work)
        xp.subtract(values, work, values)


def _norm(array: Array) -> float:
    return math.sqrt(float(xp.dot(array, array)))
