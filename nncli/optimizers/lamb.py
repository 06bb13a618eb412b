"""LAMB: Adam with a rate of its own for each weight matrix."""

from __future__ import annotations

import math

from nncli.core.arrays import Array, aligned_zeros, xp
from nncli.core.signature import PositiveFloat
from nncli.optimizers.moments import Moments


class Lamb(Moments, name="lamb"):
    """p ← p − lr·(‖p‖ / ‖u‖)·u with u = m̂ / (√v̂ + eps) + weight_decay·p.

    The norms are Euclidean and of one parameter (a weight, a bias) each; where one of
    them is 0, their ratio is 1. m̂ and v̂ are Adam's. A step thus changes each
    parameter by the same share of its size, which keeps large batches stable.

    Source: You et al. 2020, algorithm 2 with φ(z) = z.

    Args:
        lr: Learning rate: by which share of its size a parameter changes.
        weight_decay: Share of p that is added to u.
    """

    eps: PositiveFloat = 1e-6

    elementwise = False

    def move_only(self, part: slice) -> None:
        """Make a chunk of each parameter, with its decay at the end."""
        flat = self.flat
        self._decayed = flat.values[:0]
        largest = max((part.stop - part.start for part in flat.parts), default=0)
        scratch = [aligned_zeros(largest, flat.values.dtype) for _ in range(2)]
        self._chunks = []
        self._ratios = xp.ones(len(flat.parts))
        for i, place in enumerate(flat.parts):
            decays = self.decay_bias_and_norm or place.stop <= flat.weights
            decay = xp.asarray(self.weight_decay if decays else 0, flat.values.dtype)
            # The decay is inside u: none of the base's.
            arrays = (*self._views(place, scratch), decay, self._ratios[i : i + 1])
            self._chunks.append((False, arrays))

    def remembered(self) -> dict[str, Array]:
        sizes = [place.stop - place.start for place in self.flat.parts]
        return super().remembered() | {"‖p‖ / ‖u‖": xp.repeat(self._ratios, sizes)}

    def prepare(self, lr: float) -> None:
        """Move the weights' sums into the factor of S₁ and into eps, as Adam does."""
        n1, n2 = self.weights()
        root = math.sqrt(n2)
        self._lr = lr
        self._size[()] = root / n1
        self._eps[()] = self.eps * root

    def update(self, *arrays: Array) -> None:
        values, g, first, second, work, decayed, decay, ratio = arrays
        self.remember(g, first, second, work)
        xp.sqrt(second, out=work)
        xp.add(work, self._eps, out=work)
        xp.divide(first, work, out=work)
        xp.multiply(work, self._size, out=work)
        if decay:
            xp.multiply(values, decay, out=decayed)
            xp.add(work, decayed, out=work)
        size, length = _norm(values), _norm(work)
        ratio[()] = size / length if size and length else 1.0
        xp.multiply(work, self._lr * ratio.item(), out=work)
        xp.subtract(values, work, out=values)


def _norm(array: Array) -> float:
    return math.sqrt(float(xp.dot(array, array)))
