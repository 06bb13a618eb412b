"""Scores of predicted classes that are made of three counts for each class."""

from __future__ import annotations

import math
from typing import Literal

from nncli.core.arrays import Array, xp
from nncli.core.errors import ShapeError
from nncli.metrics.base import Metric, decide

Average = Literal["macro", "micro", "weighted", "binary"]


class Counts(Metric):
    """Base of scores that need no more than three counts for each of K classes.

    Attributes:
        right: (K,) how many rows of each class were taken for it.
        predicted: (K,) how many rows were taken for each class.
        rows: (K,) how many rows each class has.
    """

    task = "classification"

    def reset(self) -> None:
        self.right = self.predicted = self.rows = xp.zeros(0, xp.int64)

    def update(self, predictions: Array, targets: Array) -> None:
        """Count the rows of a batch by class."""
        classes = max(predictions.shape[-1], 2)
        if not self.rows.size:
            self.right, self.predicted, self.rows = xp.zeros((3, classes), xp.int64)
        chosen, true = decide(predictions).ravel(), targets.ravel()
        self.right += xp.bincount(true[chosen == true], minlength=classes)
        self.predicted += xp.bincount(chosen, minlength=classes)
        self.rows += xp.bincount(true, minlength=classes)

    def averaged(self, above: Array, below: Array, average: Average) -> float:
        """Return the average of above / below of each class; 0 / 0 counts as 0."""
        if average == "micro":
            return float(above.sum() / below.sum())
        shares = above / xp.maximum(below, 1)
        if average == "binary":
            if len(shares) != 2:
                raise ShapeError(
                    f"{self.type_name}: expected two classes for average: binary, got "
                    f"{len(shares)}. Use macro, micro or weighted."
                )
            return float(shares[1])
        seen = self.rows + self.predicted > 0
        weights = self.rows if average == "weighted" else seen
        return float((shares * weights).sum() / weights.sum())


class Precision(Counts, name="precision"):
    """Right / predicted, the share of the rows taken for a class that belong to it.

    scikit-learn's ``precision_score`` with ``zero_division=0``; a class that has no
    rows and is never predicted is left out of the averages.

    Args:
        average: macro: mean over the classes; weighted: by their rows; micro: of all
            rows together (then it is the accuracy); binary: of class 1 of two.
    """

    average: Average = "macro"

    def result(self) -> float:
        """Return the average of right / predicted."""
        return self.averaged(self.right, self.predicted, self.average)


class Recall(Counts, name="recall"):
    """Right / rows, the share of a class's rows that were taken for it.

    scikit-learn's ``recall_score`` with ``zero_division=0``; a class that has no rows
    and is never predicted is left out of the averages.

    Args:
        average: macro: mean over the classes; weighted: by their rows (then it is the
            accuracy); micro: of all rows together (too); binary: of class 1 of two.
    """

    average: Average = "macro"

    def result(self) -> float:
        """Return the average of right / rows."""
        return self.averaged(self.right, self.rows, self.average)


class F1(Counts, name="f1"):
    """2·right / (predicted + rows), the harmonic mean of precision and recall.

    scikit-learn's ``f1_score`` with ``zero_division=0``; a class that has no rows and
    is never predicted is left out of the averages.

    Args:
        average: macro: mean over the classes; weighted: by their rows; micro: of all
            rows together (then it is the accuracy); binary: of class 1 of two.
    """

    average: Average = "macro"

    def result(self) -> float:
        """Return the average of 2·right / (predicted + rows)."""
        return self.averaged(2 * self.right, self.predicted + self.rows, self.average)


class BalancedAccuracy(Counts, name="balanced_accuracy"):
    """Mean over the classes of right / rows, over those classes that have rows.

    scikit-learn's ``balanced_accuracy_score``.
    """

    def result(self) -> float:
        """Return the mean recall."""
        there = self.rows > 0
        return float((self.right[there] / self.rows[there]).mean())


class Matthews(Counts, name="matthews"):
    """(c·n − Σ pₖtₖ) / √((n² − Σ pₖ²)(n² − Σ tₖ²)): a correlation from −1 to 1.

    n rows, c right ones, pₖ predicted as and tₖ in class k. 0 where all rows are in one
    class, or taken for one. For two classes Matthews's φ. scikit-learn's
    ``matthews_corrcoef``. Source: Gorodkin 2004.
    """

    def result(self) -> float:
        """Return the correlation."""
        # Python's integers: squares of counts may be larger than 64 bits.
        p, t = self.predicted.tolist(), self.rows.tolist()
        n, c = sum(t), sum(self.right.tolist())
        both = c * n - sum(a * b for a, b in zip(p, t, strict=True))
        spread = (n * n - sum(a * a for a in p)) * (n * n - sum(b * b for b in t))
        return both / math.sqrt(spread) if spread else 0.0
