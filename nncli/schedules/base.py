"""Schedule: the abstract class and the registry of learning rates over time."""

from __future__ import annotations

from abc import abstractmethod

from nncli.registry import Component


class Schedule(Component, family="schedule"):
    """The learning rate as a pure function of the step."""

    @abstractmethod
    def rate(self, lr: float, step: int, epoch: int, total_steps: int) -> float:
        """Return the learning rate of one step.

        Args:
            lr: The optimizer's learning rate.
            step: How many steps were made before this one.
            epoch: How many epochs were finished before this step.
            total_steps: How many steps the whole training has.
        """
