"""Scores of predicted classes."""

from __future__ import annotations

from nncli.backend import Array, xp
from nncli.metrics.base import Metric, decide


class Accuracy(Metric, name="accuracy"):
    """Share of rows whose most probable class is the right one.

    With one output, the class is 1 where the probability is above ½.
    """

    task = "classification"

    def reset(self) -> None:
        """Forget all batches."""
        self.right = 0
        self.rows = 0

    def update(self, predictions: Array, targets: Array) -> None:
        """Count the right rows."""
        self.right += int(xp.count_nonzero(decide(predictions) == targets))
        self.rows += targets.size

    def result(self) -> float:
        """Return right / rows."""
        return self.right / self.rows
