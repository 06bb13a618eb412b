"""Schedules that start at the learning rate and go down."""

from __future__ import annotations

import math

from nncli.schedules.base import Schedule
from nncli.signature import NonNegative, Positive, UnitInterval


class Constant(Schedule, name="constant"):
    """lr at every step."""

    def rate(self, lr: float, step: int, epoch: int, total_steps: int) -> float:
        """Return lr."""
        return lr


class InverseTime(Schedule, name="inverse_time"):
    """lr / (1 + decay·step), step by step.

    Args:
        decay: How fast it falls: after 1/decay steps, half of lr is left.
    """

    def __init__(self, decay: NonNegative) -> None:
        self.decay = decay

    def rate(self, lr: float, step: int, epoch: int, total_steps: int) -> float:
        """Return lr / (1 + decay·step)."""
        return lr / (1 + self.decay * step)


class Step(Schedule, name="step"):
    """lr·factor^⌊epoch / every⌋, constant within an epoch. PyTorch's ``StepLR``.

    Args:
        every: Epochs between two changes.
        factor: What the rate is multiplied with at each change.
    """

    def __init__(self, every: Positive, factor: UnitInterval = 0.1) -> None:
        self.every = every
        self.factor = factor

    def rate(self, lr: float, step: int, epoch: int, total_steps: int) -> float:
        """Return lr after ⌊epoch / every⌋ changes."""
        return lr * self.factor ** (epoch // self.every)


class Cosine(Schedule, name="cosine"):
    """lr·(f + (1 − f)·(1 + cos(π·step / total)) / 2): from lr down to f·lr.

    Step by step over the whole training. Source: Loshchilov and Hutter 2017,
    equation 5, one period; PyTorch's ``CosineAnnealingLR`` with ``eta_min`` = f·lr.

    Args:
        final: The share f of lr that is left at the end.
    """

    def __init__(self, final: UnitInterval = 0.0) -> None:
        self.final = final

    def rate(self, lr: float, step: int, epoch: int, total_steps: int) -> float:
        """Return the point on the half wave."""
        wave = (1 + math.cos(math.pi * min(step / total_steps, 1.0))) / 2
        return lr * (self.final + (1 - self.final) * wave)
