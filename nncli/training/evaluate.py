"""Evaluator: loss and metrics of one part of the data, with the network in use."""

from __future__ import annotations

from typing import Any

from nncli.autograd.replay import Replay
from nncli.autograd.tape import no_grad, record
from nncli.backend import Array, xp
from nncli.build import Experiment, Part
from nncli.data.batches import Batch, Batches
from nncli.metrics.base import Metric, decide

MIN_BATCH = 512


class Evaluator:
    """Scores a part batch by batch; records once for each size, then replays.

    Args:
        experiment: Network, loss and metrics.
        part: What to score.
        confusion: Also count which class was taken for which.
    """

    def __init__(
        self, experiment: Experiment, part: Part, confusion: bool = False
    ) -> None:
        self.network = experiment.network
        self.loss = experiment.loss
        self.metrics = experiment.metrics
        self.labelled = experiment.classes is not None
        classes = len(experiment.classes or ())
        self.confusion: Array | None = (
            xp.zeros((classes, classes), int) if confusion and self.labelled else None
        )
        size = max(experiment.batch_size, MIN_BATCH)
        self.batches = Batches(part.x, part.targets, size)
        self._plans: dict[int, tuple[Replay, Array, Array]] = {}

    def run(self) -> dict[str, float]:
        """Return the loss (without the prices of weights) and every metric."""
        for metric in self.metrics:
            metric.reset()
        total = 0.0
        for batch in self.batches.epoch(0):
            outputs, loss = self._forward(batch)
            total += loss.item() * batch.rows
            if self.metrics or self.confusion is not None:
                self._score(self.loss.predictions(outputs), batch)
        scores = {"loss": total / len(self.batches.x)}
        scores.update(_scores(self.metrics))
        return scores

    def _forward(self, batch: Batch) -> tuple[Array, Array]:
        plan = self._plans.get(batch.rows)
        with xp.errstate(all="ignore"):
            if plan is None:
                self.network.set_training(False)
                with no_grad(), record() as steps:
                    outputs = self.network(batch.x)
                    loss = self.loss(outputs, batch.targets)
                plan = (Replay(steps, None, []), outputs.data, loss.data)
                self._plans[batch.rows] = plan
            else:
                plan[0].forward()
        return plan[1:]

    def _score(self, predictions: Array, batch: Batch) -> None:
        targets = batch.targets.data
        if self.labelled:
            targets = labels_of(targets)
        for metric in self.metrics:
            metric.update(predictions, targets)
        if self.confusion is not None:
            xp.add.at(self.confusion, (targets, decide(predictions)), 1)


def labels_of(targets: Array) -> Array:
    """Return class indices of encoded targets: indices, 0 and 1, or one-hot rows."""
    return targets if targets.dtype.kind in "iu" else decide(targets)


def _scores(metrics: list[Metric]) -> dict[str, float]:
    return {metric.type_name: metric.result() for metric in metrics}


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
