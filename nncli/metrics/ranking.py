"""Scores of how well probabilities put rows in order, over all thresholds."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Literal

from nncli.core.arrays import Array, xp
from nncli.metrics.base import Metric


class Ranking(Metric):
    """Base of scores over all thresholds.

    They need the order of all rows, so they keep the probabilities and classes of all
    batches, and nothing else. Two classes are scored by the probability of class 1;
    more of them one against the rest, averaged.
    """

    average: Literal["macro", "weighted"] = "macro"

    task = "classification"

    def reset(self) -> None:
        self._scores: list[Array] = []
        self._targets: list[Array] = []

    def update(self, predictions: Array, targets: Array) -> None:
        """Keep the batch."""
        first = 1 if predictions.shape[-1] == 2 else 0
        rows = predictions.reshape(-1, predictions.shape[-1])
        # A copy: the buffers of a batch are written over by the next one.
        self._scores.append(rows[:, first:].copy())
        self._targets.append(targets.ravel().copy())

    def result(self) -> float:
        """Return the score, or the mean over the classes that have one."""
        scores = xp.concatenate(self._scores)
        targets = xp.concatenate(self._targets)
        if scores.shape[1] == 1:
            return self.binary(*levels(scores[:, 0], targets == 1))
        total = weights = 0.0
        for k in range(scores.shape[1]):
            mine = targets == k
            count = int(xp.count_nonzero(mine))
            if not self.counts(count, len(targets)):
                continue
            weight = float(count) if self.average == "weighted" else 1.0
            total += weight * self.binary(*levels(scores[:, k], mine))
            weights += weight
        return total / weights if weights else math.nan

    @abstractmethod
    def binary(self, positive: Array, negative: Array) -> float:
        """Return the score of one class against the rest.

        Args:
            positive: Rows of the class at each distinct score, the highest first.
            negative: The other rows there.
        """

    @abstractmethod
    def counts(self, rows: int, total: int) -> bool:
        """Say whether a class with so many rows of all has a score."""


def levels(scores: Array, positive: Array) -> tuple[Array, Array]:
    """Count rows at each distinct score: equal scores are one threshold."""
    _, place = xp.unique(-scores, return_inverse=True)
    there = xp.bincount(place[positive], minlength=int(place.max()) + 1)
    return there, xp.bincount(place) - there


class RocAuc(Ranking, name="roc_auc"):
    """Share of pairs, one row in the class and one not, that are in the right order.

    A tie counts half: the area under the receiver operating characteristic.
    scikit-learn's ``roc_auc_score`` with ``multi_class="ovr"``. Where only one class
    has rows there are no pairs: undefined, null in the results. Among more than two
    classes, one without rows is left out.

    Args:
        average: Of more than two classes: macro, the mean; weighted, by their rows.
    """

    def binary(self, positive: Array, negative: Array) -> float:
        """Return the share of pairs, from whole numbers."""
        pairs = int(positive.sum()) * int(negative.sum())
        if not pairs:
            return math.nan
        below = int(negative.sum()) - xp.cumsum(negative)
        return int((positive * (2 * below + negative)).sum()) / (2 * pairs)

    def counts(self, rows: int, total: int) -> bool:
        """Need rows on both sides."""
        return 0 < rows < total


class AveragePrecision(Ranking, name="average_precision"):
    """Σ (Rᵢ − Rᵢ₋₁)·Pᵢ over all thresholds, with precision P and recall R.

    scikit-learn's ``average_precision_score``; 0 where class 1 of two has no rows.
    Among more than two classes, one without rows is left out.

    Args:
        average: Of more than two classes: macro, the mean; weighted, by their rows.
    """

    def binary(self, positive: Array, negative: Array) -> float:
        """Return the sum over thresholds."""
        precision = xp.cumsum(positive) / xp.cumsum(positive + negative)
        total = int(positive.sum())
        return float((positive * precision).sum() / total) if total else 0.0

    def counts(self, rows: int, total: int) -> bool:
        """Need rows of the class."""
        return rows > 0
