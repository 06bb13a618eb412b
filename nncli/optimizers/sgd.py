"""Stochastic gradient descent, plain and with momentum."""

from __future__ import annotations

from nncli.backend import Array, xp
from nncli.errors import ArgumentError
from nncli.optimizers.base import Optimizer
from nncli.signature import Fraction, NonNegative, PositiveFloat


class Sgd(Optimizer, name="sgd"):
    """p ← p − lr·v with v ← momentum·v + g; with nesterov, p ← p − lr·(g + momentum·v).

    g = gradient + weight_decay·p. PyTorch's convention: the learning rate stays out
    of v. Source: Polyak 1964; Sutskever et al. 2013 for nesterov.

    Args:
        lr: Learning rate.
        momentum: Share of v that stays; 0 is plain gradient descent.
        nesterov: Look ahead along v; needs momentum > 0.
        weight_decay: Share of p that is added to its gradient.
        decay_bias_and_norm: Whether biases and norms decay too, as in PyTorch.
    """

    slots = ("velocity",)
    works = 1

    def __init__(
        self,
        lr: PositiveFloat = 0.01,
        momentum: Fraction = 0.0,
        nesterov: bool = False,
        weight_decay: NonNegative = 0.0,
        decay_bias_and_norm: bool = True,
    ) -> None:
        if nesterov and not momentum:
            raise ArgumentError("nesterov needs momentum > 0, got momentum 0.")
        self.lr = lr
        self.momentum = momentum
        self.nesterov = nesterov
        self.weight_decay = weight_decay
        self.decay_bias_and_norm = decay_bias_and_norm

    def prepare(self, lr: float) -> None:
        """Keep the learning rate."""
        self.rate = lr

    def update(self, *arrays: Array) -> None:
        """Move one chunk."""
        values, g, velocity, work = arrays
        direction = g
        if self.momentum:
            xp.multiply(velocity, self.momentum, out=velocity)
            xp.add(velocity, g, velocity)
            direction = velocity
            if self.nesterov:
                xp.multiply(velocity, self.momentum, out=work)
                xp.add(work, g, work)
                direction = work
        xp.multiply(direction, self.rate, out=work)
        xp.subtract(values, work, values)
