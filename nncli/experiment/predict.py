"""Predict: what a trained network gives for rows."""

from __future__ import annotations

import numpy as np

from nncli.autograd.tape import no_grad
from nncli.autograd.tensor import Tensor
from nncli.core.arrays import Array
from nncli.data.base import Rows
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
    return predictions_of(experiment, experiment.prepare(rows))


def predictions_of(experiment: Experiment, part: Part) -> Array:
    """Return probabilities of classes, or numbers, for a part; see ``predictions``."""
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
