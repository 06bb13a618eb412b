"""Recorder: what some of a training's steps tell of themselves."""

from __future__ import annotations

import math
import time
from typing import Any

from nncli.config.schema import Recording
from nncli.core.arrays import Array, xp
from nncli.experiment.experiment import Experiment
from nncli.training.samples import described
from nncli.training.state import Progress

ROWS = 200
"""How many steps of a training are recorded, where nobody says how many."""

AT_LEAST = 25
"""How many steps are made for one that is recorded, where nobody says it."""

WITH_LAYERS, LAYERS_EVERY = 20, 5
"""How many of these have the layers, and how many are recorded for one with them, at
least."""


class Recorder:
    """Makes the steps of a training that are recorded.

    A row has ``step`` (made so far, this one included), ``epoch`` (with its fraction),
    ``seconds`` (of training, over all its parts), ``loss`` (the objective before the
    step), ``lr``, ``gradient_norm`` (before clipping), ``update_ratio`` (the norm of
    what the parameters changed by, divided by theirs before) and ``layers``. Of each
    layer by its place: ``label``, ``activations`` and ``gradients`` (mean, deviation,
    share of zeros and histogram of up to 1,024 elements of the layer's outputs, and of
    the loss's derivative by them) and ``update_ratio`` of its own parameters. What
    there is not, or is not finite, is null.

    Where a step has several batches, the last one is looked at; where batches are cut
    into shards, the first shard. The step is the same to the bit as one that is not
    recorded: values are copied when it computes them anyway.

    Args:
        experiment: What is trained.
        recording: Which steps, and whether with layers.
        steps: How many the training has.
        seconds: How long it has taken already.

    Attributes:
        due: How many steps are made before the next one that is recorded.
    """

    def __init__(
        self,
        experiment: Experiment,
        recording: Recording,
        steps: int,
        seconds: float = 0.0,
    ) -> None:
        self.every, layers = strides(recording, steps)
        self.layers_every = layers if recording.layers else 0
        self._flat = experiment.network.flat
        self._steps_per_epoch = experiment.steps_per_epoch
        self._labels = {
            layer.label: path for path, layer in experiment.network.nested.items()
        }
        self._began = time.perf_counter() - seconds
        self.due = 0

    def go_on(self, step: int) -> None:
        """Go on after so many steps."""
        self.due = -(-step // self.every) * self.every

    def run(
        self, step: Any, batch: Any, lr: float, at: Progress
    ) -> tuple[float, dict[str, Any]]:
        """Make a step, as ``step.run`` does.

        Args:
            step: Makes the steps.
            batch: What it is made with.
            lr: Its learning rate.
            at: How far the training is before it.

        Returns:
            The loss before the step, and the row.

        Raises:
            DivergedError: The loss or a gradient is not finite.
        """
        self.go_on(at.step + 1)
        gradient, values = step.gradient, self._flat.values
        before = values.copy()
        gradient.samples = None
        gradient.wanted = bool(self.layers_every) and at.step % self.layers_every == 0
        try:
            loss: float = step.run(batch, lr, at.step + 1)
        finally:
            gradient.wanted = False
        row: dict[str, Any] = {
            "step": at.step + 1,
            "epoch": at.epoch + (at.batch + 1) / self._steps_per_epoch,
            "seconds": time.perf_counter() - self._began,
            "loss": loss,
            "lr": lr,
            "gradient_norm": _finite(math.sqrt(step.square)),
        }
        with xp.errstate(all="ignore"):
            change = values - before
            row["update_ratio"] = _ratio(change, before)
            if gradient.samples is not None:
                row["layers"] = self._layers(gradient.samples, change, before)
        return loss, row

    def _layers(self, samples: Any, change: Array, before: Array) -> dict[str, Any]:
        """Return what is told of each layer, by its place."""
        kinds = [samples.values, samples.grads]
        taken = [sample for kind in kinds for sample in kind.values()]
        told = iter(described(taken) if taken else [])
        values, grads = ({label: next(told) for label in kind} for kind in kinds)
        ratios = self._ratios(change, before)
        return {
            self._labels[label]: {
                "label": label,
                "activations": facts,
                "gradients": grads.get(label),
                "update_ratio": ratios.get(self._labels[label]),
            }
            for label, facts in values.items()
        }

    def _ratios(self, change: Array, before: Array) -> dict[str, float | None]:
        """Return the ratio of each layer with parameters, by its place."""
        squares: dict[str, list[float]] = {}
        views = self._flat.views(change), self._flat.views(before)
        for name, moved in views[0].items():
            sums = squares.setdefault(name.rpartition(".")[0], [0.0, 0.0])
            for i, array in enumerate((moved, views[1][name])):
                sums[i] += float(xp.vdot(array, array))
        return {path: _root(*sums) for path, sums in squares.items()}


def strides(recording: Recording, steps: int) -> tuple[int, int]:
    """Return which steps are recorded, and which of them with layers: one in so many.

    Args:
        recording: What the config says.
        steps: How many the training has.
    """
    if recording.every != "auto":
        return recording.every, recording.every
    every = max(AT_LEAST, -(-steps // ROWS))
    return every, every * max(LAYERS_EVERY, -(-steps // (every * WITH_LAYERS)))


def _ratio(change: Array, before: Array) -> float | None:
    return _root(float(xp.dot(change, change)), float(xp.dot(before, before)))


def _root(part: float, whole: float) -> float | None:
    return _finite(math.sqrt(part / whole)) if whole else None


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
