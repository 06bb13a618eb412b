"""Moments: what Adam and its relatives remember of the gradients."""

from __future__ import annotations

from nncli.autograd.flat import Flat
from nncli.core.arrays import Array, xp
from nncli.core.signature import Fraction, PositiveFloat
from nncli.optimizers.base import DecayingOptimizer, scalars


class Moments(DecayingOptimizer):
    """Keeps S₁ = Σ β₁ᵗ⁻ⁱ·gᵢ and S₂ = Σ β₂ᵗ⁻ⁱ·gᵢ² over the steps i = 1 ... t.

    The papers keep averages m and v that begin at zero, and correct that bias later:
    m̂ = m / (1 − β₁ᵗ), v̂ = v / (1 − β₂ᵗ). These are weighted averages, m̂ = S₁ / n₁ and
    v̂ = S₂ / n₂, with the weights' sums n = (1 − βᵗ) / (1 − β); and sums take two passes
    over the parameters less than averages.

    Args:
        lr: Learning rate.
        beta1: Share of m that stays.
        beta2: Share of v that stays.
        eps: Added to the root.
    """

    lr: PositiveFloat = 0.001
    beta1: Fraction = 0.9
    beta2: Fraction = 0.999
    eps: PositiveFloat = 1e-8

    slots = ("gradient_sum", "square_sum")

    def start(self, flat: Flat) -> None:
        super().start(flat)
        self._keep1, self._keep2, self._size, self._eps = scalars(
            flat.values.dtype, self.beta1, self.beta2, 0, 0
        )

    def weights(self) -> tuple[float, float]:
        """Return n₁ and n₂ of the step under way."""
        n1 = (1 - self.beta1**self.steps) / (1 - self.beta1)
        n2 = (1 - self.beta2**self.steps) / (1 - self.beta2)
        return n1, n2

    def remembered(self) -> dict[str, Array]:
        first, second = (self.state[name] for name in Moments.slots)
        n1, n2 = self.weights()
        return {"m_hat": first / n1, "v_hat": second / n2}

    def remember(self, g: Array, first: Array, second: Array, work: Array) -> None:
        """Take a chunk of the gradient into both sums."""
        first *= self._keep1
        first += g
        second *= self._keep2
        xp.multiply(g, g, out=work)
        second += work

    def descend(self, values: Array, first: Array, second: Array, work: Array) -> None:
        """P ← p − size·S₁ / (√S₂ + eps), with the step's size and eps."""
        xp.sqrt(second, out=work)
        work += self._eps
        xp.divide(first, work, out=work)
        work *= self._size
        values -= work
