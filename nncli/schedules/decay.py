"""Schedules that start at the learning rate and go down."""

from __future__ import annotations

import math

from nncli.core.signature import NonNegative, Positive, PositiveFloat, UnitInterval
from nncli.schedules.base import Clock, Schedule, elapsed, progress


class Constant(Schedule, name="constant"):
    """lr at every step."""

    def rate(self, lr: float, step: int, epoch: float, total_steps: int) -> float:
        return lr


class InverseTime(Schedule, name="inverse_time"):
    """lr / (1 + decay·step), step by step.

    Keras's ``InverseTimeDecay`` with ``decay_rate / decay_steps`` = decay.

    Args:
        decay: How fast it falls: after 1/decay steps, half of lr is left.
    """

    decay: NonNegative

    def rate(self, lr: float, step: int, epoch: float, total_steps: int) -> float:
        return lr / (1 + self.decay * step)


class Step(Schedule, name="step"):
    """lr·factor^⌊n / every⌋, n in whole epochs or in steps.

    By epochs PyTorch's ``StepLR``; by steps Keras's ``ExponentialDecay`` with
    ``staircase``.

    Args:
        every: Epochs or steps between two changes.
        factor: What the rate is multiplied with at each change.
        by: What n counts.
    """

    every: Positive
    factor: UnitInterval = 0.1
    by: Clock = "epoch"

    def rate(self, lr: float, step: int, epoch: float, total_steps: int) -> float:
        changes = elapsed(self.by, step, epoch) // self.every
        return float(lr * self.factor**changes)


class InverseSqrt(Schedule, name="inverse_sqrt"):
    """lr / √(1 + step / steps), step by step.

    After a warmup of as many ``steps`` it is the Transformer's schedule, which falls
    with 1/√step of the whole training, scaled so that its peak is lr. Source: Vaswani
    et al. 2017, section 5.3.

    Args:
        steps: After how many steps lr/√2 is left.
    """

    steps: Positive

    def rate(self, lr: float, step: int, epoch: float, total_steps: int) -> float:
        return lr / math.sqrt(1 + step / self.steps)


class Exponential(Schedule, name="exponential"):
    """lr·factor^(n / every), n in whole epochs or in steps.

    By epochs and with every: 1 PyTorch's ``ExponentialLR``; by steps Keras's
    ``ExponentialDecay`` (with ``staircase`` it is the schedule ``step``).

    Args:
        factor: What the rate is multiplied with in every so many epochs or steps.
        every: Epochs or steps in which the factor is reached.
        by: What n counts.
    """

    factor: UnitInterval = 0.95
    every: Positive = 1
    by: Clock = "epoch"

    def rate(self, lr: float, step: int, epoch: float, total_steps: int) -> float:
        n = elapsed(self.by, step, epoch)
        return float(lr * self.factor ** (n / self.every))


class Linear(Schedule, name="linear"):
    """lr·(start + (final − start)·p), p = step / steps, at most 1.

    PyTorch's ``LinearLR``, there counted by epochs, with other defaults.

    Args:
        start: The share of lr at the beginning.
        final: The share of lr at the end.
        steps: Steps until the end is reached; null for the whole training.
    """

    start: NonNegative = 1.0
    final: NonNegative = 0.0
    steps: Positive | None = None

    def rate(self, lr: float, step: int, epoch: float, total_steps: int) -> float:
        p = progress(step, self.steps, total_steps)
        return lr * (self.start + (self.final - self.start) * p)


class Polynomial(Schedule, name="polynomial"):
    """lr·(f + (1 − f)·(1 − p)^power), p = step / steps, at most 1.

    PyTorch's ``PolynomialLR``, there counted by epochs; Keras's ``PolynomialDecay``
    with ``end_learning_rate`` = f·lr.

    Args:
        power: Exponent; 1 for a straight line.
        final: The share f of lr that is left at the end.
        steps: Steps until the end is reached; null for the whole training.
    """

    power: PositiveFloat = 1.0
    final: UnitInterval = 0.0
    steps: Positive | None = None

    def rate(self, lr: float, step: int, epoch: float, total_steps: int) -> float:
        left = 1 - progress(step, self.steps, total_steps)
        return float(lr * (self.final + (1 - self.final) * left**self.power))


class Cosine(Schedule, name="cosine"):
    """lr·(f + (1 − f)·(1 + cos(π·p)) / 2), p = step / steps: from lr down to f·lr.

    Step by step. Source: Loshchilov and Hutter 2017, equation 5, one period;
    PyTorch's ``CosineAnnealingLR`` with ``eta_min`` = f·lr until ``T_max``, after which
    that rises again and this stays, as Keras's ``CosineDecay``.

    Args:
        final: The share f of lr that is left at the end.
        steps: Steps until the end is reached; null for the whole training.
    """

    final: UnitInterval = 0.0
    steps: Positive | None = None

    def rate(self, lr: float, step: int, epoch: float, total_steps: int) -> float:
        p = progress(step, self.steps, total_steps)
        wave = (1 + math.cos(math.pi * p)) / 2
        return lr * (self.final + (1 - self.final) * wave)
