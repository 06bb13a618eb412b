"""Predict: what a trained network gives for rows."""

from __future__ import annotations

from collections.abc import Sequence

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

    Numbers are in the units of the data.

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
    return experiment.in_units(np.concatenate(found))


def prediction_columns(
    values: Array,
    labels: Labels | None,
    names: Sequence[str] | None = None,
    *,
    proba: bool = True,
    yes_or_no: bool = False,
) -> dict[str, Array]:
    """Return what a table of predictions holds, by column.

    Args:
        values: (N, ..., K) what ``predictions`` gave.
        labels: The classes; None where targets are numbers.
        names: Of several numbers a row; None for 0, 1, ...
        proba: Add the probabilities of classes, or of labels.
        yes_or_no: Values are the probabilities of labels, which are 0 or 1.

    Returns:
        ``prediction``, and of classes ``probability_<class>`` of each; of several
        numbers a row ``prediction_<name>`` of each. Of labels ``prediction_<name>`` is
        1 or 0, and ``probability_<name>`` follows.
    """
    if labels is None and yes_or_no:
        found = number_columns("prediction", (values > 0.5).astype(int), names)
        more = number_columns("probability", values, names) if proba else {}
        return found | more
    if labels is None:
        return number_columns("prediction", values, names)
    if values.shape[-1] == 1 and len(labels.values) == 2:
        values = np.concatenate([1 - values, values], axis=-1)
    found = {"prediction": labels.decode(values.argmax(axis=-1))}
    for place, name in enumerate(labels.names if proba else ()):
        found[f"probability_{name}"] = values[..., place]
    return found


def number_columns(
    name: str, values: Array, names: Sequence[str] | None = None
) -> dict[str, Array]:
    """Return the numbers of each row as columns: one of the name, or name_0, name_1.

    Args:
        name: Of what they are.
        values: (N, ...) numbers.
        names: What stands for 0, 1, ...
    """
    wide = values.reshape(len(values), -1)
    if wide.shape[1] == 1:
        return {name: wide[:, 0]}
    names = names or tuple(map(str, range(wide.shape[1])))
    return {f"{name}_{one}": wide[:, i] for i, one in enumerate(names)}
