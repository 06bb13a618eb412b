"""Optimizers that give each parameter a rate of its own: Adagrad, RMSprop, Adadelta."""

from __future__ import annotations

from nncli.autograd.flat import Flat
from nncli.backend import Array, xp
from nncli.optimizers.base import Optimizer
from nncli.signature import Fraction, NonNegative, PositiveFloat


class Adagrad(Optimizer, name="adagrad"):
    """p ← p − lr_t·g / (√s + eps) with s ← s + g², lr_t = lr / (1 + (t − 1)·lr_decay).

    t = 1, 2, ... counts the steps; g = gradient + weight_decay·p.
    Source: Duchi et al. 2011.

    Args:
        lr: Learning rate.
        lr_decay: How fast the rate falls with the steps.
        initial: What s begins with, PyTorch's initial_accumulator_value.
        eps: Added to the root.
        weight_decay: Share of p that is added to its gradient.
        decay_bias_and_norm: Whether biases and norms decay too, as in PyTorch.
    """

    slots = ("square_sum",)

    def __init__(
        self,
        lr: PositiveFloat = 0.01,
        lr_decay: NonNegative = 0.0,
        initial: NonNegative = 0.0,
        eps: PositiveFloat = 1e-10,
        weight_decay: NonNegative = 0.0,
        decay_bias_and_norm: bool = True,
    ) -> None:
        self.lr = lr
        self.lr_decay = lr_decay
        self.initial = initial
        self.eps = eps
        self.weight_decay = weight_decay
        self.decay_bias_and_norm = decay_bias_and_norm

    def start(self, flat: Flat) -> None:
        """Bind to parameters; the sum begins with ``initial``."""
        super().start(flat)
        self.state["square_sum"].fill(self.initial)

    def prepare(self, lr: float) -> None:
        """Compute the rate of this step."""
        self._lr = lr / (1 + (self.steps - 1) * self.lr_decay)

    def update(self, *arrays: Array) -> None:
        """Move one chunk."""
        values, g, total, work = arrays
        xp.multiply(g, g, work)
        xp.add(total, work, total)
        xp.sqrt(total, work)
        xp.add(work, self.eps, out=work)
        xp.divide(g, work, work)
        xp.multiply(work, self._lr, out=work)
        xp.subtract(values, work, values)


class RmsProp(Optimizer, name="rmsprop"):
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
        weight_decay: Share of p that is added to its gradient.
        decay_bias_and_norm: Whether biases and norms decay too, as in PyTorch.
    """

    def __init__(
        self,
        lr: PositiveFloat = 0.01,
        alpha: Fraction = 0.99,
        momentum: Fraction = 0.0,
        centered: bool = False,
        eps: PositiveFloat = 1e-8,
        weight_decay: NonNegative = 0.0,
        decay_bias_and_norm: bool = True,
    ) -> None:
        self.lr = lr
        self.alpha = alpha
        self.momentum = momentum
        self.centered = centered
        self.eps = eps
        self.weight_decay = weight_decay
        self.decay_bias_and_norm = decay_bias_and_norm
        wanted = {"square": True, "average": centered, "velocity": bool(momentum)}
        self.slots = tuple(name for name, used in wanted.items() if used)

    def prepare(self, lr: float) -> None:
        """Keep the learning rate."""
        self._lr = lr

    def update(self, *arrays: Array) -> None:
        """Move one chunk."""
        values, g, square, *others, work = arrays
        xp.multiply(g, g, work)
        _blend(square, work, self.alpha, work)
        spread = square
        if self.centered:
            average = others[0]
            _blend(average, g, self.alpha, work)
            xp.multiply(average, average, work)
            spread = xp.subtract(square, work, work)
            # Never negative but for rounding.
            xp.maximum(spread, 0, out=spread)
        xp.sqrt(spread, work)
        xp.add(work, self.eps, out=work)
        direction = xp.divide(g, work, work)
        if self.momentum:
            velocity = others[-1]
            xp.multiply(velocity, self.momentum, out=velocity)
            direction = xp.add(velocity, work, velocity)
        xp.multiply(direction, self._lr, out=work)
        xp.subtract(values, work, values)


class Adadelta(Optimizer, name="adadelta"):
    """p ← p − lr·Δ with Δ = g·√(d + eps) / √(v + eps).

    v ← rho·v + (1 − rho)·g², then, after Δ, d ← rho·d + (1 − rho)·Δ²: a step has the
    unit of the parameter, so that lr 1 is the paper's algorithm.
    g = gradient + weight_decay·p. Source: Zeiler 2012.

    Args:
        lr: Learning rate.
        rho: Share of v and d that stays.
        eps: Added under both roots.
        weight_decay: Share of p that is added to its gradient.
        decay_bias_and_norm: Whether biases and norms decay too, as in PyTorch.
    """

    slots = ("square", "square_step")
    works = 2

    def __init__(
        self,
        lr: PositiveFloat = 1.0,
        rho: Fraction = 0.9,
        eps: PositiveFloat = 1e-6,
        weight_decay: NonNegative = 0.0,
        decay_bias_and_norm: bool = True,
    ) -> None:
        self.lr = lr
        self.rho = rho
        self.eps = eps
        self.weight_decay = weight_decay
        self.decay_bias_and_norm = decay_bias_and_norm

    def prepare(self, lr: float) -> None:
        """Keep the learning rate."""
        self._lr = lr

    def update(self, *arrays: Array) -> None:
        """Move one chunk."""
        values, g, square, square_step, work, step = arrays
        xp.multiply(g, g, work)
        _blend(square, work, self.rho, work)
        xp.add(square, self.eps, out=work)
        xp.sqrt(work, work)
        xp.add(square_step, self.eps, out=step)
        xp.sqrt(step, step)
        xp.divide(step, work, step)
        xp.multiply(step, g, step)
        xp.multiply(step, step, work)
        _blend(square_step, work, self.rho, work)
        xp.multiply(step, self._lr, out=work)
        xp.subtract(values, work, values)


def _blend(average: Array, new: Array, keep: float, work: Array) -> None:
    """Average ← keep·average + (1 − keep)·new; ``work`` may be ``new``."""
    xp.multiply(average, keep, out=average)
    xp.multiply(new, 1 - keep, out=work)
    xp.add(average, work, average)
