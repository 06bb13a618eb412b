"""Evaluator: loss and metrics of one part of the data, with the network in use."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from nncli.autograd.replay import Replay
from nncli.autograd.tape import labelled, no_grad, record
from nncli.core.arrays import Array, counted, xp
from nncli.core.errors import DivergedError
from nncli.core.randomness import stream
from nncli.data.batches import Batch, Batches
from nncli.experiment.experiment import Experiment
from nncli.experiment.part import Part
from nncli.metrics.base import Metric, decide
from nncli.network.network import AT_ONCE


@dataclass(frozen=True)
class Scored:
    """What is known of one batch that was evaluated; good until the next one.

    Attributes:
        predictions: (n, ...) what metrics see.
        targets: (n, ...) as the loss wants them.
        lengths: (n,) of sequences; None for none.
        loss: The mean over the batch, or the sum.
        amount: What the batch counts for in a mean; 1 of a sum.
    """

    predictions: Array
    targets: Array
    lengths: Array | None
    loss: float
    amount: float


class Watcher(Protocol):
    """Who sees what metrics see, batch by batch in the order of the rows."""

    def reset(self) -> None:
        """Forget all batches."""

    def score(self, predictions: Array, targets: Array, lengths: Array | None) -> None:
        """Look at a batch; see ``Metric.score``."""


class Evaluator:
    """Scores a part batch by batch; records once for each size, then replays.

    Args:
        experiment: Network, loss and metrics.
        part: What to score.
        confusion: Also count which class was taken for which.
        metrics: What is scored beside the loss; None for the experiment's metrics.
        watchers: Who else sees predictions and targets.
    """

    def __init__(
        self,
        experiment: Experiment,
        part: Part,
        confusion: bool = False,
        metrics: Sequence[Metric] | None = None,
        watchers: Sequence[Watcher] = (),
    ) -> None:
        self.experiment = experiment
        self.network = experiment.network
        self.loss = experiment.loss
        self.metrics = experiment.metrics if metrics is None else metrics
        self.watchers = watchers
        self.labelled = experiment.classes is not None
        classes = len(experiment.classes or ())
        self.confusion: Array | None = (
            xp.zeros((classes, classes), int) if confusion and self.labelled else None
        )
        self.batches = Batches(part, self.network.rows_within(AT_ONCE))
        self._plans: dict[int, tuple[Replay, Array, Array]] = {}

    def run(self) -> dict[str, float | None]:
        """Return the loss (without the penalties on weights) and every metric.

        The loss is the mean over all rows, or their sum, as the loss's ``reduction``
        says: the same for every size of batch.
        A metric that is undefined for these rows is None.

        Raises:
            DivergedError: The loss is not finite; the message begins with the layer.
        """
        for each in (*self.metrics, *self.watchers):
            each.reset()
        if self.confusion is not None:
            self.confusion.fill(0)
        mean = self.loss.reduction == "mean"
        total = amounts = 0.0
        with xp.errstate(all="ignore"), self.experiment.in_use():
            for scored in self._scored():
                total += scored.loss * scored.amount
                amounts += scored.amount
                self._score(scored)
        # All rows ignored: nothing was added up, and nothing to divide by.
        value = total / (amounts or 1.0) if mean else total
        return {"loss": value, **scores_of(self.metrics)}

    def _scored(self) -> Iterator[Scored]:
        """Yield what is known of each batch, in order."""
        for batch in self.batches.epoch(0):
            yield self.scored(batch)

    def scored(self, batch: Batch) -> Scored:
        """Run a batch forward.

        Raises:
            DivergedError: The loss is not finite; the message begins with the layer.
        """
        replay, predictions, loss = self._forward(batch)
        if not xp.isfinite(loss):
            raise DivergedError(_origin(replay))
        mean = self.loss.reduction == "mean"
        targets, lengths = batch.targets.data, batch.lengths
        amount = float(self.loss.amount(targets, lengths)) if mean else 1.0
        return Scored(predictions, targets, lengths, loss.item(), amount)

    def _forward(self, batch: Batch) -> tuple[Replay, Array, Array]:
        plan = self._plans.get(batch.rows)
        if plan is not None:
            plan[0].forward()
            return plan
        self.network.set_training(False)
        with no_grad(), record() as steps:
            outputs = self.network(batch.x)
            with labelled(f"loss {self.loss.type_name}"):
                loss = self.loss(outputs, batch.targets, batch.weights)
                predictions = self.loss.predictions(outputs)
        replay = Replay(steps, [predictions, loss])
        self._plans[batch.rows] = replay, replay.values[0], replay.values[1]
        # The recording itself was the first run, over buffers of its own.
        return replay, predictions.data, loss.data

    def _score(self, scored: Scored) -> None:
        predictions, targets = scored.predictions, scored.targets
        lengths = scored.lengths
        if self.labelled:
            targets = labels_of(targets)
        else:
            predictions = self.experiment.in_units(predictions)
            targets = self.experiment.in_units(targets)
        for each in (*self.metrics, *self.watchers):
            each.score(predictions, targets, lengths)
        if self.confusion is not None:
            true = counted(targets, lengths)
            taken = counted(decide(predictions), lengths)
            xp.add.at(self.confusion, (true, taken), 1)


def scored_parts(experiment: Experiment) -> dict[str, Part]:
    """Return the parts that are scored while training, by name.

    Of the training part as many rows as the config says, drawn once for all.
    """
    parts = {name: part for name, part in experiment.parts.items() if name != "test"}
    train, wanted = (
        parts["train"].without_overlap(),
        experiment.config.training.evaluate_rows,
    )
    parts["train"] = train
    if wanted is None:
        wanted = len(parts["validation"]) if "validation" in parts else "all"
    if wanted != "all" and wanted < len(train):
        rng = stream(experiment.config.seed, "evaluation")
        chosen = rng.choice(len(train), wanted, replace=False)
        parts["train"] = train.some(np.sort(chosen))
    return parts


def labels_of(targets: Array) -> Array:
    """Return class indices of encoded targets: indices, 0 and 1, or one-hot rows."""
    return targets if targets.dtype.kind in "iu" else decide(targets)


def _origin(replay: Replay) -> str:
    """Say which layer gave the first number that is not finite."""
    for step, _, value in replay.trace():
        if not xp.isfinite(value).all():
            return f"the output of {step.label} is not finite."
    return "the loss is not finite."


def scores_of(metrics: Sequence[Metric]) -> dict[str, float | None]:
    """Return results by key; None where a metric is undefined."""
    results = {metric.key: float(metric.result()) for metric in metrics}
    return {k: v if math.isfinite(v) else None for k, v in results.items()}


def per_class(confusion: Array, classes: tuple[str, ...]) -> list[dict[str, Any]]:
    """Return precision, recall and F1 of each class.

    precision = right / predicted, recall = right / rows, F1 = their harmonic mean;
    None where a class was never predicted, or has no rows.

    Args:
        confusion: (K, K) how many rows of class i (row) were taken for j (column).
        classes: The K names.
    """
    table = []
    for k, name in enumerate(classes):
        right = int(confusion[k, k])
        predicted, rows = int(confusion[:, k].sum()), int(confusion[k].sum())
        both = predicted + rows
        table.append(
            {
                "class": name,
                "rows": rows,
                "precision": right / predicted if predicted else None,
                "recall": right / rows if rows else None,
                "f1": 2 * right / both if both else None,
            }
        )
    return table
