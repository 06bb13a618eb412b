"""Beside: scores of predictions, and what a guess gets by the same metrics.

A guess knows the targets of the training part and no inputs: the share of each class,
or the mean.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

from nncli.core.arrays import Array, counted, xp
from nncli.experiment.experiment import Experiment
from nncli.metrics.base import Metric
from nncli.metrics.ranking import RocAuc
from nncli.training.evaluate import scores_of

Scores = dict[str, float | None]


class Beside:
    """Metrics of predictions, and the same of a guess.

    Args:
        metrics: Descriptions, each key once.
    """

    def __init__(self, metrics: Sequence[Metric]) -> None:
        self.metrics = [metric.live() for metric in metrics]
        # Of equal scores half of the pairs are in order: no need to hold them all.
        measured = [m for m in self.metrics if not isinstance(m, RocAuc)]
        self.guessed = [metric.live() for metric in measured]

    def reset(self) -> None:
        """Forget all batches."""
        for metric in (*self.metrics, *self.guessed):
            metric.reset()

    def score(
        self,
        predictions: Array,
        guess: Array,
        targets: Array,
        lengths: Array | None = None,
    ) -> None:
        """Add a batch; see ``Metric.score``. The guess has the predictions' shape."""
        for metric in self.metrics:
            metric.score(predictions, targets, lengths)
        for metric in self.guessed:
            metric.score(guess, targets, lengths)

    def scores(self) -> Scores:
        """Return the scores of the predictions."""
        return scores_of(self.metrics)

    def baseline(self, scores: Scores) -> Scores:
        """Return the scores of the guess, in the same order.

        Args:
            scores: Those of the predictions.
        """
        guessed = scores_of(self.guessed)
        return {
            metric.key: guessed[metric.key]
            if metric.key in guessed
            else half(scores[metric.key])
            for metric in self.metrics
        }


class Assessment(ABC):
    """Watches predictions and targets, and scores them beside a guess.

    Class attributes:
        always: What is scored, whatever metrics the config names.
        baseline: What the guess is called.

    Attributes:
        guess: What is guessed for every row, in the shape of one prediction.
    """

    always: ClassVar[tuple[Metric, ...]]
    baseline: ClassVar[str]

    def __init__(self, experiment: Experiment, guess: Array) -> None:
        own = experiment.config.metrics
        keys = {metric.key for metric in own}
        more = [metric for metric in self.always if metric.key not in keys]
        self.guess = guess
        self.names = experiment.target_names
        self.beside = Beside([*own, *more])

    def name(self, column: int) -> str:
        """Return what one of several targets is called."""
        return str(column) if self.names is None else self.names[column]

    def reset(self) -> None:
        """Forget all batches."""
        self.beside.reset()
        self.better: Array = xp.zeros(())
        self.rows = 0

    def score(self, predictions: Array, targets: Array, lengths: Array | None) -> None:
        """Look at a batch; see ``Metric.score``."""
        guess = xp.broadcast_to(self.guess, predictions.shape)
        self.beside.score(predictions, guess, targets, lengths)
        rows = (counted(array, lengths) for array in (predictions, guess, targets))
        better = self.beats(*rows)
        self.better = self.better + better.sum(axis=0)
        self.rows += len(better)

    @abstractmethod
    def beats(self, predictions: Array, guess: Array, targets: Array) -> Array:
        """Say of each row, or each of its numbers, whether it beats the guess."""

    def scores(self) -> Scores:
        """Return the scores by key: the config's metrics first."""
        return self.beside.scores()

    def baseline_scores(self, scores: Scores) -> Scores:
        """Return the same of the guess.

        Args:
            scores: What ``scores`` returned.
        """
        return self.beside.baseline(scores)

    def guessed(self) -> dict[str, Any]:
        """Say what is guessed, as JSON values."""
        return {"values": self.guess.ravel().tolist()}

    def details(self) -> dict[str, Any]:
        """Return what there is beside scores of the whole, as JSON values."""
        return {}

    def result(self) -> dict[str, Any]:
        """Return all that was found, as JSON values."""
        scores = self.scores()
        return {
            **scores,
            "baseline": {
                "predicts": self.baseline,
                **self.guessed(),
                "scores": self.baseline_scores(scores),
            },
            "better_than_baseline": float(xp.mean(self.better) / self.rows),
            **self.details(),
        }


def half(area: float | None) -> float | None:
    """Return the ROC-AUC of equal scores, where there is one."""
    return None if area is None else 0.5
