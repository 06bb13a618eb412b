"""Optimizers that give each parameter a rate of its own: Adagrad, RMSprop, Adadelta."""

from __future__ import annotations

from typing import ClassVar

from nncli.autograd.flat import Flat
from nncli.core.arrays import Array, xp
from nncli.core.signature import Fraction, NonNegative, PositiveFloat
from nncli.optimizers.base import DecayingOptimizer


class Adagrad(DecayingOptimizer, name="adagrad"):
    """p ← p − lr_t·g / (√s + eps) with s ← s + g², lr_t = lr / (1 + (t − 1)·lr_decay).

    t = 1, 2, ... counts the steps; g = gradient + weight_decay·p.
    Source: Duchi et al. 2011.

    Args:
        lr: Learning rate.
        lr_decay: How fast the rate falls with the steps.
        initial: What s begins with, PyTorch's initial_accumulator_value.
        eps: Added to the root.
    """

    lr: PositiveFloat = 0.01
    lr_decay: NonNegative = 0.0
    initial: NonNegative = 0.0
    eps: PositiveFloat = 1e-10

    slots = ("square_sum",)
    letters: ClassVar = {"square_sum": "s"}

    def start(self, flat: Flat) -> None:
        """Bind to parameters; the sum begins with ``initial``."""
        super().start(flat)
        self.state["square_sum"].fill(self.initial)

    def numbers(self) -> dict[str, float]:
        return {"lr_t": self._lr}

    def prepare(self, lr: float) -> None:
        """Compute the rate of this step."""
        self._lr = lr / (1 + (self.steps - 1) * self.lr_decay)

    def update(self, *arrays: Array) -> None:
        values, g, total, work = arrays
        xp.multiply(g, g, out=work)
        xp.add(total, work, out=total)
        xp.sqrt(total, out=work)
        xp.add(work, self.eps, out=work)
        xp.divide(g, work, out=work)
        xp.multiply(work, self._lr, out=work)
        xp.subtract(values, work, out=values)


class RmsProp(DecayingOptimizer, name="rmsprop"):
    """p ← p − lr·g / (√v + eps) with v ← alpha·v + (1 − alpha)·g².

    With momentum, p ← p − lr·b with b ← momentum·b + g / (√v + eps). Centered, v − m²
    stands for v, with m ← alpha·m + (1 − alpha)·g: the variance of the gradient.
    g = gradient + weight_decay·p. PyTorch's convention: eps stands outside the root.

    Source: Tieleman and Hinton 2012 (lecture 6.5); Graves 2013 for centered.

    Args:
        lr: Learning rate.
        alpha: Share of v that stays.
        momentum: Share of b that stays; 0 is without b.
        centered: Divide by the gradient's spread instead of its size.
        eps: Added to the root.
    """

    lr: PositiveFloat = 0.01
    alpha: Fraction = 0.99
    momentum: Fraction = 0.0
    centered: bool = False
    eps: PositiveFloat = 1e-8

    letters: ClassVar = {"square": "v", "average": "m", "velocity": "b"}

    def used_slots(self) -> tuple[str, ...]:
        wanted = {
            "square": True,
            "average": self.centered,
            "velocity": bool(self.momentum),
        }
        return tuple(name for name, used in wanted.items() if used)

    def prepare(self, lr: float) -> None:
        self._lr = lr

    def update(self, *arrays: Array) -> None:
        values, g, square, *others, work = arrays
        xp.multiply(g, g, out=work)
        _blend(square, work, self.alpha, work)
        spread = square
        if self.centered:
            average = others[0]
            _blend(average, g, self.alpha, work)
            xp.multiply(average, average, out=work)
            spread = xp.subtract(square, work, out=work)
            # Never negative but for rounding.
            xp.maximum(spread, 0, out=spread)
        xp.sqrt(spread, out=work)
        xp.add(work, self.eps, out=work)
        direction = xp.divide(g, work, out=work)
        if self.momentum:
            velocity = others[-1]
            xp.multiply(velocity, self.momentum, out=velocity)
            direction = xp.add(velocity, work, out=velocity)
        xp.multiply(direction, self._lr, out=work)
        xp.subtract(values, work, out=values)


class Adadelta(DecayingOptimizer, name="adadelta"):
    """p ← p − lr·Δ with Δ = g·√(d + eps) / √(v + eps).

    v ← rho·v + (1 − rho)·g², then, after Δ, d ← rho·d + (1 − rho)·Δ²: a step has the
    unit of the parameter, so that lr 1 is the paper's algorithm.
    g = gradient + weight_decay·p. Source: Zeiler 2012.

    Args:
        lr: Learning rate.
        rho: Share of v and d that stays.
        eps: Added under both roots.
    """

    lr: PositiveFloat = 1.0
    rho: Fraction = 0.9
    eps: PositiveFloat = 1e-6

    slots = ("square", "square_step")
    letters: ClassVar = {"square": "v", "square_step": "d"}
    works = 2

    def prepare(self, lr: float) -> None:
        self._lr = lr

    def update(self, *arrays: Array) -> None:
        values, g, square, square_step, work, step = arrays
        xp.multiply(g, g, out=work)
        _blend(square, work, self.rho, work)
        xp.add(square, self.eps, out=work)
        xp.sqrt(work, out=work)
        xp.add(square_step, self.eps, out=step)
        xp.sqrt(step, out=step)
        xp.divide(step, work, out=step)
        xp.multiply(step, g, out=step)
        xp.multiply(step, step, out=work)
        _blend(square_step, work, self.rho, work)
        xp.multiply(step, self._lr, out=work)
        xp.subtract(values, work, out=values)


def _blend(average: Array, new: Array, keep: float, work: Array) -> None:
    """Average ← keep·average + (1 − keep)·new; ``work`` may be ``new``."""
    xp.multiply(average, keep, out=average)
    xp.multiply(new, 1 - keep, out=work)
    xp.add(average, work, out=average)
