"""Scores of predicted numbers."""

from __future__ import annotations

from abc import abstractmethod

from nncli.backend import Array, xp
from nncli.metrics.base import Metric


class Average(Metric):
    """Base of scores that average something over all elements, in float64."""

    task = "regression"
    higher_is_better = False

    def reset(self) -> None:
        """Forget all batches."""
        self.total = 0.0
        self.count = 0

    def update(self, predictions: Array, targets: Array) -> None:
        """Add up what each element counts."""
        difference = predictions.astype(xp.float64) - targets
        self.total += float(xp.sum(self.of(difference)))
        self.count += targets.size

    def result(self) -> float:
        """Return the mean."""
        return self.total / self.count

    @abstractmethod
    def of(self, difference: Array) -> Array:
        """Return what each difference counts."""


class MeanSquaredError(Average, name="mse"):
    """Σ (x − t)² / n."""

    def of(self, difference: Array) -> Array:
        """Return squares."""
        return difference * difference


class MeanAbsoluteError(Average, name="mae"):
    """Σ |x − t| / n."""

    def of(self, difference: Array) -> Array:
        """Return absolute values."""
        return xp.abs(difference)
