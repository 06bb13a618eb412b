"""Command: what the first worker of a training tells the others to do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from nncli.core.arrays import Array


class Order(IntEnum):
    """The kinds of command."""

    END = 0
    """The training is over."""
    GATHER = 1
    """Compute a batch's gradients, and keep them for the next step."""
    STEP = 2
    """Compute a batch's gradients, and move the parameters."""
    DIFFERENTIATE = 3
    """Compute a batch's gradients and their sum."""
    AGAIN = 4
    """As DIFFERENTIATE, of the batch before, with other parameters."""
    EXAMINE = 5
    """Say where the last batch gave numbers that are not finite."""
    EVALUATE = 6
    """Compute predictions of a part of the data."""
    COLLECT = 7
    """Give the first rank what the optimizer remembers."""


@dataclass(frozen=True)
class Command:
    """One command.

    Attributes:
        order: What is to be done.
        epoch: Of the batch.
        batch: The batch's number within the epoch.
        number: The step, counted from 1.
        lr: The learning rate.
        part: Which part of the data is evaluated.
    """

    order: Order
    epoch: int = 0
    batch: int = 0
    number: int = 0
    lr: float = 0.0
    part: int = 0

    SIZE = 6

    def write(self, numbers: Array) -> None:
        """Write it into an array of SIZE float64."""
        numbers[:] = (
            self.order,
            self.epoch,
            self.batch,
            self.number,
            self.lr,
            self.part,
        )

    @staticmethod
    def read(numbers: Array) -> Command:
        """Read what ``write`` wrote."""
        order, epoch, batch, number, lr, part = numbers.tolist()
        return Command(
            Order(int(order)), int(epoch), int(batch), int(number), lr, int(part)
        )
