"""Relatives of Adam: AdaMax, NAdam and RAdam."""

from __future__ import annotations

import math

from nncli.autograd.flat import Flat
from nncli.core.arrays import Array, xp
from nncli.core.signature import Fraction, NonNegative, PositiveFloat
from nncli.optimizers.base import DecayingOptimizer
from nncli.optimizers.moments import Moments


class AdaMax(DecayingOptimizer, name="adamax"):
    """p ← p − lr·m̂ / u with u ← max(β₂·u, |g| + eps): Adam with the largest gradient.

    m ← β₁·m + (1 − β₁)·g and m̂ = m / (1 − β₁ᵗ), t = 1, 2, ...
    g = gradient + weight_decay·p. Source: Kingma and Ba 2015, algorithm 2; eps is
    PyTorch's.

    Args:
        lr: Learning rate.
        beta1: Share of m that stays.
        beta2: Share of u that stays.
        eps: Added to the gradient's size.
    """

    lr: PositiveFloat = 0.002
    beta1: Fraction = 0.9
    beta2: Fraction = 0.999
    eps: PositiveFloat = 1e-8

    slots = ("average", "largest")

    def remembered(self) -> dict[str, Array]:
        m_hat = self.state["average"] / (1 - self.beta1**self.steps)
        return {"m_hat": m_hat, "u": self.state["largest"]}

    def prepare(self, lr: float) -> None:
        """Move the bias correction into the step's size."""
        self._size = lr / (1 - self.beta1**self.steps)

    def update(self, *arrays: Array) -> None:
        values, g, average, largest, work = arrays
        xp.subtract(g, average, out=work)
        xp.multiply(work, 1 - self.beta1, out=work)
        xp.add(average, work, out=average)
        xp.abs(g, out=work)
        xp.add(work, self.eps, out=work)
        xp.multiply(largest, self.beta2, out=largest)
        xp.maximum(largest, work, out=largest)
        xp.divide(average, largest, out=work)
        xp.multiply(work, self._size, out=work)
        xp.subtract(values, work, out=values)


class ChooseDecay(Moments):
    """Base of NAdam and RAdam, which have both kinds of weight decay.

    Args:
        decoupled_weight_decay: Take lr·weight_decay·p from p instead, as AdamW does.
    """

    decoupled_weight_decay: bool = False

    @property
    def decoupled(self) -> bool:
        return self.decoupled_weight_decay


class NAdam(ChooseDecay, name="nadam"):
    """p ← p − lr·(μ_{t+1}·m / (1 − Π_{t+1}) + (1 − μ_t)·g / (1 − Π_t)) / (√v̂ + eps).

    Adam with Nesterov's look ahead. μ_t = β₁·(1 − ½·0.96^(t·momentum_decay)) and
    Π_t = μ₁·μ₂·...·μ_t; m and v̂ are Adam's, t = 1, 2, ...

    Source: Dozat 2016, with the schedule of μ as in PyTorch.

    Args:
        momentum_decay: How fast μ grows from β₁/2 to β₁.
    """

    lr: PositiveFloat = 0.002
    momentum_decay: NonNegative = 0.004

    works = 2

    def start(self, flat: Flat) -> None:
        """Bind to parameters; Π begins with 1."""
        super().start(flat)
        self.state["momentum_product"] = xp.ones(1, flat.values.dtype)

    def remembered(self) -> dict[str, Array]:
        found = super().remembered()
        m = self.state["gradient_sum"] * (1 - self.beta1)
        return {"m": m, "v_hat": found["v_hat"]}

    def numbers(self) -> dict[str, float]:
        """Return the factors of Nesterov's look ahead."""
        now, after = self._momentum(self.steps), self._momentum(self.steps + 1)
        product = self.state["momentum_product"].item()
        return {
            "μ_t": now,
            "μ_{t+1}": after,
            "Π_t": product,
            "Π_{t+1}": product * after,
        }

    def prepare(self, lr: float) -> None:
        """Compute what m and g are multiplied with, and eps beside √S₂."""
        now, after = self._momentum(self.steps), self._momentum(self.steps + 1)
        product = self.state["momentum_product"]
        xp.multiply(product, now, out=product)
        passed = product.item()
        root = math.sqrt(self.weights()[1])
        m_of_sum = 1 - self.beta1
        self._of_sum = lr * root * after * m_of_sum / (1 - passed * after)
        self._of_gradient = lr * root * (1 - now) / (1 - passed)
        self._eps[()] = self.eps * root

    def _momentum(self, step: int) -> float:
        fading: float = 0.96 ** (step * self.momentum_decay)
        return self.beta1 * (1 - 0.5 * fading)

    def update(self, *arrays: Array) -> None:
        values, g, first, second, work, direction = arrays
        self.remember(g, first, second, work)
        xp.multiply(first, self._of_sum, out=direction)
        xp.multiply(g, self._of_gradient, out=work)
        xp.add(direction, work, out=direction)
        xp.sqrt(second, out=work)
        xp.add(work, self._eps, out=work)
        xp.divide(direction, work, out=work)
        xp.subtract(values, work, out=values)


class RAdam(ChooseDecay, name="radam"):
    """p ← p − lr·r·m̂·√(1 − β₂ᵗ) / (√v + eps), and p ← p − lr·m̂ while ρ_t ≤ 5.

    Adam whose steps begin small, while v is known from few gradients:
    ρ_t = ρ − 2t·β₂ᵗ / (1 − β₂ᵗ) with ρ = 2 / (1 − β₂) − 1, and
    r² = (ρ_t − 4)(ρ_t − 2)ρ / ((ρ − 4)(ρ − 2)ρ_t); m̂ and v are Adam's, t = 1, 2, ...

    Source: Liu et al. 2020, algorithm 2, with PyTorch's bound of 5 and its eps.
    """

    def remembered(self) -> dict[str, Array]:
        found = super().remembered()
        v = self.state["square_sum"] * (1 - self.beta2)
        return {"m_hat": found["m_hat"], "v": v}

    def numbers(self) -> dict[str, float]:
        """Return how well v is known, and what that makes of the step."""
        length, square = self._rectified()
        return {"ρ_t": length} | ({"r": math.sqrt(square)} if square else {})

    def _rectified(self) -> tuple[float, float]:
        """Return ρ_t and r², 0 where v is not known well enough."""
        kept = self.beta2**self.steps
        last = 2 / (1 - self.beta2) - 1
        now = last - 2 * self.steps * kept / (1 - kept)
        if now <= 5:
            return now, 0.0
        return now, (now - 4) * (now - 2) * last / ((last - 4) * (last - 2) * now)

    def prepare(self, lr: float) -> None:
        """Decide whether v is known well enough, and compute the step's size.

        m̂·√(1 − β₂ᵗ) / (√v + eps) = (√n₂ / n₁)·S₁ / (√S₂ + eps / √(1 − β₂)).
        """
        n1, n2 = self.weights()
        _, square = self._rectified()
        self._known = square > 0
        self._size[()] = lr / n1
        if self._known:
            self._size[()] = lr * math.sqrt(square * n2) / n1
            self._eps[()] = self.eps / math.sqrt(1 - self.beta2)

    def update(self, *arrays: Array) -> None:
        values, g, first, second, work = arrays
        self.remember(g, first, second, work)
        if self._known:
            self.descend(values, first, second, work)
        else:
            xp.multiply(first, self._size, out=work)
            xp.subtract(values, work, out=values)
