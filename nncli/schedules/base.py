"""Schedule: the abstract class and the registry of learning rates over time."""

from __future__ import annotations

from abc import abstractmethod
from typing import Literal, Self

from nncli.core.registry import Component

Clock = Literal["epoch", "step"]


class Schedule(Component, family="schedule"):
    """The learning rate as a function of the step, and perhaps of evaluations."""

    def live(self) -> Self:
        """Return a live copy, at the beginning of a training."""
        live = super().live()
        live.begin()
        return live

    def begin(self) -> None:
        """Forget all evaluations; called on a live copy."""

    @abstractmethod
    def rate(self, lr: float, step: int, epoch: float, total_steps: int) -> float:
        """Return the learning rate of one step.

        Args:
            lr: The optimizer's learning rate.
            step: How many steps were made before this one.
            epoch: How many epochs these steps are: 2.5 in the middle of the third.
            total_steps: How many steps the whole training has.
        """

    def observe(self, value: float, higher_is_better: bool) -> None:
        """Hear of the monitored value after an evaluation.

        Args:
            value: Loss or metric, finite; an undefined score is not told.
            higher_is_better: Which of two values is the better one.
        """

    @property
    def state(self) -> dict[str, float]:
        """What it remembers of evaluations; a checkpoint keeps and refills it."""
        return {}


def elapsed(by: Clock, step: int, epoch: float) -> int:
    """Return how many whole epochs, or steps, came before this step."""
    return step if by == "step" else int(epoch)


def progress(step: int, steps: int | None, total_steps: int) -> float:
    """Return step / steps, at most 1; without ``steps`` of the whole training."""
    return min(step / (steps or total_steps), 1.0)
