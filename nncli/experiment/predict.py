"""Predict: what a trained network gives for rows."""

from __future__ import annotations

import numpy as np

from nncli.autograd.tape import no_grad
from nncli.autograd.tensor import Tensor
from nncli.core.arrays import Array
from nncli.data.base import Rows
from nncli.data.labels import Labels
from nncli.experiment.experiment import Experiment
from nncli.experiment.part import Part
from nncli.network.network import AT_ONCE


def predictions(experiment: Experiment, rows: Rows) -> Array:
    """Return probabilities of classes, or numbers, for rows as the dataset has them.

    Args:
        experiment: With fitted transforms.
        rows: Their inputs; targets are not looked at.

    Returns:
        (N, ...) what ``Loss.predictions`` makes of the network's outputs.
    """
    return part_predictions(experiment, experiment.prepare(rows))


def part_predictions(experiment: Experiment, part: Part) -> Array:
    """Return what ``predictions`` does, for the rows of a part."""
    network = experiment.network
    size = network.rows_within(AT_ONCE)
    network.set_training(False)
    found = []
    with no_grad(), experiment.in_use():
        for start in range(0, max(1, len(part)), size):
            batch = part.batch(slice(start, min(start + size, len(part))))
            outputs = network(batch.x)
            found.append(experiment.loss.predictions(Tensor(outputs.data)).data)
    return np.concatenate(found)


def named_predictions(values: Array, labels: Labels | None) -> dict[str, Array]:
    """Return columns: the prediction, and the probability of each class.

    Args:
        values: (N, ...) what ``predictions`` returns.
        labels: The classes; None where targets are numbers.
    """
    if labels is None:
        return named_columns("prediction", values)
    if values.shape[-1] == 1 and len(labels.values) == 2:
        values = np.concatenate([1 - values, values], axis=-1)
    found = named_columns("prediction", labels.decode(values.argmax(axis=-1)))
    if values.ndim == 2:
        for place, name in enumerate(labels.names):
            found[f"probability_{name}"] = values[:, place]
    return found


def named_columns(name: str, values: Array) -> dict[str, Array]:
    """Return (N, ...) values as columns: ``name``, or ``name_0``, ... for several."""
    wide = values.reshape(len(values), -1)
    if wide.shape[1] == 1:
        return {name: wide[:, 0]}
    return {f"{name}_{place}": wide[:, place] for place in range(wide.shape[1])}
