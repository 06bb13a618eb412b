"""Stochastic gradient descent, plain and with momentum."""

from __future__ import annotations

from nncli.backend import Array, xp
from nncli.errors import ArgumentError
from nncli.optimizers.base import Optimizer
from nncli.signature import Fraction, NonNegative, PositiveFloat, UnitInterval


class Sgd(Optimizer, name="sgd"):
    """p ← p − lr·v with v ← momentum·v + g; with nesterov, p ← p − lr·(g + momentum·v).

    g = gradient + weight_decay·p. PyTorch's convention: the learning rate stays out
    of v. With dampening, v ← momentum·v + (1 − dampening)·g, but for the first step,
    where v = g. Source: Polyak 1964; Sutskever et al. 2013 for nesterov.

    Args:
        lr: Learning rate.
        momentum: Share of v that stays; 0 is plain gradient descent.
        nesterov: Look ahead along v; needs momentum > 0 and no dampening.
        weight_decay: Share of p that is added to its gradient.
        decay_bias_and_norm: Whether biases and norms decay too, as in PyTorch.
        dampening: Share of the gradient that is kept out of v; needs momentum > 0.
    """

    def __init__(
        self,
        lr: PositiveFloat = 0.01,
        momentum: Fraction = 0.0,
        nesterov: bool = False,
        weight_decay: NonNegative = 0.0,
        decay_bias_and_norm: bool = True,
        dampening: UnitInterval = 0.0,
    ) -> None:
        if nesterov and not momentum:
            raise ArgumentError("nesterov needs momentum > 0, got momentum 0.")
        if dampening and not momentum:
            raise ArgumentError("dampening needs momentum > 0, got momentum 0.")
        if nesterov and dampening:
            raise ArgumentError(f"nesterov needs dampening 0, got {dampening}.")
        self.lr = lr
        self.momentum = momentum
        self.nesterov = nesterov
        self.weight_decay = weight_decay
        self.decay_bias_and_norm = decay_bias_and_norm
        self.dampening = dampening
        self.slots = ("velocity",) if momentum else ()

    def prepare(self, lr: float) -> None:
        """Keep the learning rate, and which share of the gradient is new."""
        self._lr = lr
        self._new = 1 - self.dampening if self.steps > 1 else 1.0

    def update(self, *arrays: Array) -> None:
        """Move one chunk."""
        values, g, *velocity, work = arrays
        if velocity:
            g = self._accelerate(g, velocity[0], work)
        xp.multiply(g, self._lr, out=work)
        xp.subtract(values, work, values)

    def _accelerate(self, g: Array, velocity: Array, work: Array) -> Array:
        xp.multiply(velocity, self.momentum, out=velocity)
        if self._new == 1:
            xp.add(velocity, g, velocity)
        else:
            xp.multiply(g, self._new, out=work)
            xp.add(velocity, work, velocity)
        if not self.nesterov:
            return velocity
        xp.multiply(velocity, self.momentum, out=work)
        return xp.add(work, g, work)
