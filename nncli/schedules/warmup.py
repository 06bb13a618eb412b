"""Warmup: a gentle beginning in front of any schedule."""

from __future__ import annotations

from nncli.core.signature import Positive, UnitInterval
from nncli.schedules.base import Schedule


class Warmup(Schedule, name="warmup"):
    """(start + (1 − start)·step / steps)·r₀ for so many steps, then another schedule.

    The other schedule begins where the warmup ends: its steps, epochs and total count
    from there, so that ``cosine`` starts with the full rate and still ends with the
    training, and milestones of ``piecewise`` are epochs after the warmup. r₀ is its
    first rate, to which the line leads. PyTorch's ``SequentialLR`` of ``LinearLR`` and
    the other schedule; Keras's ``CosineDecay`` with ``warmup_steps``. ``plateau`` also
    hears of evaluations during the warmup. Source: Goyal et al. 2017, section 2.2.

    Args:
        steps: Steps of the warmup.
        then: The schedule after it.
        start: The share of r₀ at the first step.
    """

    steps: Positive
    then: Schedule
    start: UnitInterval = 0.0

    def begin(self) -> None:
        self.then.begin()

    def rate(self, lr: float, step: int, epoch: float, total_steps: int) -> float:
        left = max(total_steps - self.steps, 1)
        if step < self.steps:
            share = self.start + (1 - self.start) * step / self.steps
            return share * self.then.rate(lr, 0, 0.0, left)
        since = step - self.steps
        # Whole steps an epoch, so that whole epochs come out whole.
        per_epoch = round(step / epoch) if epoch else 0
        epochs = since / per_epoch if per_epoch else 0.0
        return self.then.rate(lr, since, epochs, left)

    def observe(self, value: float, higher_is_better: bool) -> None:
        self.then.observe(value, higher_is_better)

    @property
    def state(self) -> dict[str, float]:
        """What the other schedule remembers."""
        return self.then.state
