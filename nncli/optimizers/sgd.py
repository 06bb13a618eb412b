"""Stochastic gradient descent, plain and with momentum."""

from __future__ import annotations

from typing import ClassVar

from nncli.core.arrays import Array, xp
from nncli.core.errors import ArgumentError
from nncli.core.signature import Fraction, PositiveFloat, UnitInterval
from nncli.optimizers.base import DecayingOptimizer


class Sgd(DecayingOptimizer, name="sgd"):
    """p ← p − lr·v with v ← momentum·v + g; with nesterov, p ← p − lr·(g + momentum·v).

    g = gradient + weight_decay·p. PyTorch's convention: the learning rate stays out
    of v. With dampening, v ← momentum·v + (1 − dampening)·g, but for the first step,
    where v = g. Source: Polyak 1964; Sutskever et al. 2013 for nesterov.

    Args:
        lr: Learning rate.
        momentum: Share of v that stays; 0 is plain gradient descent.
        nesterov: Look ahead along v; needs momentum > 0 and no dampening.
        dampening: Share of the gradient that is kept out of v; needs momentum > 0.
    """

    lr: PositiveFloat = 0.01
    momentum: Fraction = 0.0
    nesterov: bool = False
    dampening: UnitInterval = 0.0

    def __post_init__(self) -> None:
        if self.nesterov and not self.momentum:
            raise ArgumentError("nesterov needs momentum > 0, got momentum 0.")
        if self.dampening and not self.momentum:
            raise ArgumentError("dampening needs momentum > 0, got momentum 0.")
        if self.nesterov and self.dampening:
            raise ArgumentError(f"nesterov needs dampening 0, got {self.dampening}.")

    letters: ClassVar = {"velocity": "v"}

    def used_slots(self) -> tuple[str, ...]:
        return ("velocity",) if self.momentum else ()

    def prepare(self, lr: float) -> None:
        """Keep the learning rate, and which share of the gradient is new."""
        self._lr = lr
        self._new = 1 - self.dampening if self.steps > 1 else 1.0

    def update(self, *arrays: Array) -> None:
        values, g, *velocity, work = arrays
        if velocity:
            g = self._accelerate(g, velocity[0], work)
        xp.multiply(g, self._lr, out=work)
        xp.subtract(values, work, out=values)

    def _accelerate(self, g: Array, velocity: Array, work: Array) -> Array:
        xp.multiply(velocity, self.momentum, out=velocity)
        if self._new == 1:
            xp.add(velocity, g, out=velocity)
        else:
            xp.multiply(g, self._new, out=work)
            xp.add(velocity, work, out=velocity)
        if not self.nesterov:
            return velocity
        xp.multiply(velocity, self.momentum, out=work)
        return xp.add(work, g, out=work)
