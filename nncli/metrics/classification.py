"""Scores of classes and of their probabilities, row by row."""

from __future__ import annotations

from nncli.core.arrays import Array, xp
from nncli.core.signature import Positive
from nncli.metrics.base import Metric, decide


class Accuracy(Metric, name="accuracy"):
    """Share of rows whose most probable class is the right one.

    With one output, the class is 1 where the probability is above ½.
    """

    task = "classification"

    def reset(self) -> None:
        self.right = 0
        self.rows = 0

    def update(self, predictions: Array, targets: Array) -> None:
        """Count the right rows."""
        self.right += int(xp.count_nonzero(decide(predictions) == targets))
        self.rows += targets.size

    def result(self) -> float:
        """Return right / rows."""
        return self.right / self.rows


class TopK(Metric, name="top_k"):
    """Share of rows whose right class is among the k most probable ones.

    Of equal probabilities the later class comes first, as in scikit-learn's
    ``top_k_accuracy_score``; 1 where there are no more than k classes.

    Args:
        k: How many classes count.
    """

    k: Positive = 5

    task = "classification"

    def reset(self) -> None:
        self.right = 0
        self.rows = 0

    def update(self, predictions: Array, targets: Array) -> None:
        """Count the rows before whose class fewer than k others come."""
        self.rows += targets.size
        if predictions.shape[-1] == 1:
            hits = (decide(predictions) == targets) | (self.k > 1)
        else:
            mine = xp.take_along_axis(predictions, targets[..., None], axis=-1)
            later = xp.arange(predictions.shape[-1]) > targets[..., None]
            before = (predictions > mine) | ((predictions == mine) & later)
            hits = before.sum(axis=-1) < self.k
        self.right += int(xp.count_nonzero(hits))

    def result(self) -> float:
        """Return right / rows."""
        return self.right / self.rows


def log_losses(predictions: Array, targets: Array) -> Array:
    """Return −ln p(right class) of each row, with p between ε and 1 − ε, in float64.

    Args:
        predictions: (..., K) or (..., 1) probabilities; ε is their type's resolution.
        targets: (...) class indices.
    """
    if predictions.shape[-1] == 1:
        one = predictions[..., 0]
        p = xp.where(targets == 1, one, 1 - one)
    else:
        index = targets[..., None]
        p = xp.take_along_axis(predictions, index, axis=-1)[..., 0]
    eps = xp.finfo(p.dtype).eps
    p = xp.clip(p, eps, 1 - eps).astype(xp.float64)
    losses: Array = -xp.log(p)
    return losses


class Likelihood(Metric):
    """Base of scores of the probability that the right class was given."""

    task = "classification"
    higher_is_better = False

    def reset(self) -> None:
        self.total = 0.0
        self.rows = 0

    def update(self, predictions: Array, targets: Array) -> None:
        """Add up −ln p of the right classes, with p at least ε and at most 1 − ε."""
        self.total += float(log_losses(predictions, targets).sum())
        self.rows += targets.size

    def mean(self) -> float:
        """Return the mean of −ln p."""
        return self.total / self.rows


class LogLoss(Likelihood, name="log_loss"):
    """−Σ ln p(right class) / n, with p between ε and 1 − ε, the dtype's resolution.

    The cross-entropy, whatever the loss is. Probabilities are taken as they are, not
    made to sum to 1. scikit-learn's ``log_loss``.
    """

    def result(self) -> float:
        """Return the mean of −ln p."""
        return self.mean()
