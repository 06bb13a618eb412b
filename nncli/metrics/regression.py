"""Scores of predicted numbers."""

from __future__ import annotations

import math
from abc import abstractmethod

from nncli.core.arrays import Array, xp
from nncli.metrics.base import Metric


class Average(Metric):
    """Base of scores that average something over all elements, in float64."""

    task = "regression"
    higher_is_better = False

    def reset(self) -> None:
        self.total = 0.0
        self.count = 0

    def update(self, predictions: Array, targets: Array) -> None:
        """Add up what each element counts."""
        difference = predictions.astype(xp.float64) - targets
        self.total += float(xp.sum(self.of(difference, targets)))
        self.count += targets.size

    def result(self) -> float:
        """Return the mean."""
        return self.total / self.count

    @abstractmethod
    def of(self, difference: Array, targets: Array) -> Array:
        """Return what each difference counts."""


class MeanSquaredError(Average, name="mse"):
    """Σ (x − t)² / n."""

    def of(self, difference: Array, targets: Array) -> Array:
        """Return squares."""
        return difference * difference


class MeanAbsoluteError(Average, name="mae"):
    """Σ |x − t| / n."""

    def of(self, difference: Array, targets: Array) -> Array:
        """Return absolute values."""
        return xp.abs(difference)


class MeanAbsolutePercentageError(Average, name="mape"):
    """Σ |x − t| / max(|t|, ε) / n, a share: 0.1 is ten percent. ε = 2⁻⁵².

    scikit-learn's ``mean_absolute_percentage_error``; in Keras it is in percent.
    """

    def of(self, difference: Array, targets: Array) -> Array:
        """Return absolute values in shares of the target's."""
        size = xp.abs(targets.astype(xp.float64))
        return xp.abs(difference) / xp.maximum(size, xp.finfo(xp.float64).eps)


class Spread:
    """Mean and Σ (a − mean)² of each column, batch by batch.

    Two batches are joined by their means (Chan et al. 1979), which loses no digits
    where the mean is large. Everything is measured from the first row, so that a column
    that never changes has a spread of exactly 0.
    """

    def __init__(self) -> None:
        self.count = 0

    def add(self, rows: Array) -> None:
        """Join a batch (n, columns)."""
        if not self.count:
            self.origin = rows[0].copy()
            self.shift = xp.zeros(rows.shape[1])
            self.squares = xp.zeros(rows.shape[1])
        moved = rows - self.origin
        mean = moved.mean(axis=0)
        squares = ((moved - mean) ** 2).sum(axis=0)
        before, self.count = self.count, self.count + len(rows)
        step = mean - self.shift
        self.squares += squares + step**2 * (before * len(rows) / self.count)
        self.shift += step * (len(rows) / self.count)

    @property
    def mean(self) -> Array:
        """The mean of each column."""
        mean: Array = self.origin + self.shift
        return mean


class Explained(Metric):
    """Base of scores that compare the spread of errors with that of the targets.

    Each number of a row is a column of its own, and the score is the mean over columns.
    """

    task = "regression"

    def reset(self) -> None:
        self.errors = Spread()
        self.targets = Spread()

    def update(self, predictions: Array, targets: Array) -> None:
        """Add the batch to both spreads."""
        wide = targets.astype(xp.float64).reshape(len(targets), -1)
        self.errors.add(wide - predictions.reshape(wide.shape))
        self.targets.add(wide)

    def square_errors(self) -> Array:
        """Return Σ (x − t)² of each column."""
        errors = self.errors
        whole: Array = errors.squares + errors.count * errors.mean**2
        return whole

    def share(self, left: Array) -> float:
        """Return the mean of 1 − left / spread; of a spread of 0, 1 if none is left."""
        spread = self.targets.squares
        flat = spread == 0
        shares = xp.where(flat, left == 0, 1 - left / xp.where(flat, 1, spread))
        return float(shares.mean())


class RootMeanSquaredError(Explained, name="rmse"):
    """√(Σ (x − t)² / n), with several numbers a row the mean of each one's root.

    scikit-learn's ``root_mean_squared_error``.
    """

    higher_is_better = False

    def result(self) -> float:
        """Return the mean of the roots."""
        return float(xp.sqrt(self.square_errors() / self.errors.count).mean())


class RSquared(Explained, name="r2"):
    """1 − Σ (x − t)² / Σ (t − mean)², the mean over columns.

    With several numbers a row each is a column. 1 is perfect, 0 no better than the
    mean. Where the targets are all equal it is 1 for perfect predictions, else 0; of
    one row it is undefined, null in the results. scikit-learn's ``r2_score``.
    """

    def result(self) -> float:
        """Return the mean over columns."""
        if self.targets.count < 2:
            return math.nan
        return self.share(self.square_errors())


class ExplainedVariance(Explained, name="explained_variance"):
    """1 − Var(t − x) / Var(t): like r2, but a constant error costs nothing.

    With several numbers a row the mean of each one's. Where the targets are all equal
    it is 1 if the errors are too, else 0. scikit-learn's ``explained_variance_score``.
    """

    def result(self) -> float:
        """Return the mean over columns."""
        return self.share(self.errors.squares)
