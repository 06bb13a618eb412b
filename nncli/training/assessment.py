"""Assessment: what people look at in predictions of classes, labels or numbers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nncli.core.arrays import Array, xp
from nncli.experiment.experiment import Experiment
from nncli.experiment.part import Part
from nncli.losses.binary import Binary
from nncli.metrics.calibration import CalibrationError
from nncli.metrics.classification import Accuracy, LogLoss, log_losses
from nncli.metrics.ranking import RocAuc
from nncli.metrics.regression import (
    MeanAbsoluteError,
    RootMeanSquaredError,
    RSquared,
    Spread,
)
from nncli.training.beside import Assessment, Beside, Scores, half
from nncli.training.evaluate import per_class, scores_of
from nncli.training.of_tokens import OfTokens

MOST_COLUMNS = 100
"""Numbers a row up to which each of them has scores of its own."""


class OfClasses(Assessment):
    """One class a row: the guess is the share of each class in the training part.

    A row is better where the right class got a higher probability.
    """

    always = (Accuracy(), RocAuc(), CalibrationError(), LogLoss())
    baseline = "majority class"

    def __init__(self, experiment: Experiment, train: Part) -> None:
        names = experiment.classes or ()
        counts = xp.zeros(len(names), xp.int64)
        for (block,) in train.rows.blocks("y", index=train.index):
            labels = block.ravel().astype(xp.int64)
            counts += xp.bincount(labels, minlength=len(names))
        self.majority = names[int(counts.argmax())]
        shares = counts / counts.sum()
        if experiment.network.shapes[-1][-1] == 1:
            shares = shares[1:]
        # In the type of the predictions: log losses cut both off at the same place.
        super().__init__(experiment, shares.astype(experiment.network.dtype))

    def beats(self, predictions: Array, guess: Array, targets: Array) -> Array:
        """Compare the losses of each row."""
        ours, theirs = log_losses(predictions, targets), log_losses(guess, targets)
        return (ours < theirs).ravel()

    def guessed(self) -> dict[str, Any]:
        """Name the class."""
        return {"class": self.majority}


class OfLabels(Assessment):
    """Any of K labels a row: the guess is the share of each in the training part.

    Each label of each row is a decision between two classes; ``subset_accuracy`` is the
    share of rows whose labels are all right, as scikit-learn's ``accuracy_score``. A
    row is better where its labels' log losses add up to less.
    """

    # What is of single decisions sees predictions and targets in another shape.
    always = ()
    baseline = "share of each label"

    def __init__(self, experiment: Experiment, train: Part) -> None:
        shares = _mean(experiment, train).astype(experiment.network.dtype)
        super().__init__(experiment, shares)
        self.count = experiment.network.shapes[-1][-1]
        self.decisions = Beside([Accuracy(), CalibrationError(), LogLoss()])
        self.ranked = [RocAuc().live() for _ in range(self.count)]

    def reset(self) -> None:
        """Forget all batches."""
        super().reset()
        self.decisions.reset()
        for ranked in self.ranked:
            ranked.reset()
        self.confusion = xp.zeros((self.count, 2, 2), int)
        self.whole = self.guessed_whole = 0

    def score(self, predictions: Array, targets: Array, lengths: Array | None) -> None:
        """Look at a batch, and at each label in it."""
        super().score(predictions, targets, lengths)
        p, t = predictions.reshape(-1, self.count), _yes(targets, self.count)
        guess = xp.broadcast_to(self.guess, predictions.shape).reshape(p.shape)
        self.decisions.score(p.reshape(-1, 1), guess.reshape(-1, 1), t.ravel())
        decided = xp.asarray(p > 0.5, int)
        self.whole += int((decided == t).all(axis=1).sum())
        self.guessed_whole += int(((guess > 0.5) == t).all(axis=1).sum())
        for k in range(self.count):
            self.ranked[k].update(p[:, k : k + 1], t[:, k])
        pairs = 4 * xp.arange(self.count) + 2 * t + decided
        counts = xp.bincount(pairs.ravel(), minlength=4 * self.count)
        self.confusion += counts.reshape(-1, 2, 2)

    def beats(self, predictions: Array, guess: Array, targets: Array) -> Array:
        """Compare the losses of each row's labels."""
        t = _yes(targets, self.count)
        ours, theirs = (
            log_losses(p.reshape(*t.shape, 1), t).sum(axis=1)
            for p in (predictions, guess)
        )
        return xp.asarray(ours < theirs)

    def scores(self) -> Scores:
        """Return the scores; ROC-AUC is the mean over the labels that have one."""
        areas = [m.result() for m in self.ranked]
        known = [area for area in areas if not math.isnan(area)]
        return {
            **super().scores(),
            **self.decisions.scores(),
            "subset_accuracy": self.whole / self.rows,
            "roc_auc": float(np.mean(known)) if known else None,
        }

    def baseline_scores(self, scores: Scores) -> Scores:
        """Return the same of the guess."""
        return {
            **super().baseline_scores(scores),
            **self.decisions.baseline(scores),
            "subset_accuracy": self.guessed_whole / self.rows,
            "roc_auc": half(scores["roc_auc"]),
        }

    def details(self) -> dict[str, Any]:
        """Return a table of the labels."""
        table = []
        for k, (counts, ranked) in enumerate(
            zip(self.confusion, self.ranked, strict=True)
        ):
            yes = per_class(counts, ("no", "yes"))[1]
            del yes["class"]
            table.append({"label": self.name(k), **yes, **scores_of([ranked])})
        return {"labels": table}


class OfNumbers(Assessment):
    """Numbers: the guess is their mean over the training part.

    A number is better where it is nearer to the target; of several numbers a row, up to
    100, each has its own scores.
    """

    always = (RootMeanSquaredError(), MeanAbsoluteError(), RSquared())
    baseline = "mean"

    def __init__(self, experiment: Experiment, train: Part) -> None:
        super().__init__(experiment, _mean(experiment, train))
        several = 1 < self.guess.size <= MOST_COLUMNS
        count = self.guess.size if several else 0
        self.columns = [Beside(self.always) for _ in range(count)]

    def reset(self) -> None:
        """Forget all batches."""
        super().reset()
        for column in self.columns:
            column.reset()

    def score(self, predictions: Array, targets: Array, lengths: Array | None) -> None:
        """Look at a batch, and at each column of it."""
        super().score(predictions, targets, lengths)
        guess = xp.broadcast_to(self.guess, predictions.shape)
        rows = [a.reshape(len(a), -1) for a in (predictions, guess, targets)]
        for k, column in enumerate(self.columns):
            column.score(*(a[:, k : k + 1] for a in rows))

    def beats(self, predictions: Array, guess: Array, targets: Array) -> Array:
        """Compare the distances of each number."""
        ours, theirs = xp.abs(predictions - targets), xp.abs(guess - targets)
        better: Array = (ours < theirs).reshape(len(targets), -1)
        return better

    def details(self) -> dict[str, Any]:
        """Return a table of the columns, where there are several."""
        if not self.columns:
            return {}
        table = []
        for k, column in enumerate(self.columns):
            scores = column.scores()
            line: dict[str, Any] = {
                "column": self.name(k),
                **scores,
                "baseline": column.baseline(scores),
                "better_than_baseline": float(self.better[k] / self.rows),
            }
            table.append(line)
        return {"columns": table}


def assessment_of(experiment: Experiment, part: Part) -> Assessment:
    """Return what suits an experiment's targets: tokens, classes, labels or numbers.

    Several labels at once are numbers, all of them 0 or 1, whose loss is binary.

    Args:
        experiment: With its training part.
        part: What is scored.
    """
    train = experiment.parts["train"]
    if experiment.vocabulary is not None and part.rows.fields["y"].shape:
        return OfTokens(experiment, train, [*experiment.vocabulary.names])
    if experiment.classes is not None:
        return OfClasses(experiment, train)
    if isinstance(experiment.loss, Binary) and all(map(_decided, (train, part))):
        return OfLabels(experiment, train)
    return OfNumbers(experiment, train)


def _mean(experiment: Experiment, part: Part) -> Array:
    """Return the mean of the targets, in the shape of one prediction."""
    spread = Spread()
    for (block,) in part.rows.blocks("y", index=part.index):
        spread.add(block.astype(xp.float64).reshape(len(block), -1))
    mean: Array = spread.mean.reshape(experiment.network.shapes[-1])
    return mean


def _decided(part: Part) -> bool:
    """Whether all targets are 0 or 1."""
    blocks = part.rows.blocks("y", index=part.index)
    return all(bool(((y == 0) | (y == 1)).all()) for (y,) in blocks)


def _yes(targets: Array, labels: int) -> Array:
    """Return (n, labels) zeros and ones as indices of two classes."""
    yes: Array = xp.asarray(targets.reshape(-1, labels), int)
    return yes
