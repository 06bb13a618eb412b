"""Moments: what Adam and its relatives remember of the gradients."""

from __future__ import annotations

from nncli.autograd.flat import Flat
from nncli.backend import Array, xp
from nncli.optimizers.base import Optimizer


class Moments(Optimizer):
    """Keeps S₁ = Σ β₁ᵗ⁻ⁱ·gᵢ and S₂ = Σ β₂ᵗ⁻ⁱ·gᵢ² over the steps i = 1 ... t.

    The papers keep averages m and v that begin at zero, and correct that bias later:
    m̂ = m / (1 − β₁ᵗ), v̂ = v / (1 − β₂ᵗ). These are weighted averages, m̂ = S₁ / n₁ and
    v̂ = S₂ / n₂, with the weights' sums n = (1 − βᵗ) / (1 − β); and sums take two passes
    over the parameters less than averages.
    """

    slots: tuple[str, ...] = ("gradient_sum", "square_sum")

    beta1: float
    beta2: float

    def start(self, flat: Flat) -> None:
        """Make the scalars as arrays: NumPy takes those faster than Python's."""
        super().start(flat)
        dtype = flat.values.dtype
        self._keep1 = xp.asarray(self.beta1, dtype)
        self._keep2 = xp.asarray(self.beta2, dtype)
        self._size = xp.zeros((), dtype)
        self._eps = xp.zeros((), dtype)

    def weights(self) -> tuple[float, float]:
        """Return n₁ and n₂ of the step under way."""
        n1 = (1 - self.beta1**self.steps) / (1 - self.beta1)
        n2 = (1 - self.beta2**self.steps) / (1 - self.beta2)
        return n1, n2

    def remember(self, g: Array, first: Array, second: Array, work: Array) -> None:
        """Take a chunk of the gradient into both sums."""
        xp.multiply(first, self._keep1, first)
        xp.add(first, g, first)
        xp.multiply(second, self._keep2, second)
        xp.multiply(g, g, work)
        xp.add(second, work, second)

    def descend(self, values: Array, first: Array, second: Array, work: Array) -> None:
        """P ← p − size·S₁ / (√S₂ + eps), with the step's size and eps."""
        xp.sqrt(second, work)
        xp.add(work, self._eps, work)
        xp.divide(first, work, work)
        xp.multiply(work, self._size, work)
        xp.subtract(values, work, values)
