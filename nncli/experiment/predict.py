"""Predict: what a trained network gives for rows."""

from __future__ import annotations

import numpy as np

from nncli.autograd.tape import no_grad
from nncli.autograd.tensor import Tensor
from nncli.core.arrays import DTYPES, Array
from nncli.experiment.experiment import Experiment

ROWS = 1024
"""How many rows are computed at a time."""


def predictions(experiment: Experiment, x: Array) -> Array:
    """Return probabilities of classes, or numbers, for rows as the dataset has them.

    Args:
        experiment: With fitted transforms.
        x: (N, ...) inputs.

    Returns:
        (N, ...) what ``Loss.predictions`` makes of the network's outputs.
    """
    for transform in experiment.transforms:
        x = transform(x)
    inputs = np.asarray(x, DTYPES[experiment.config.precision])
    network = experiment.network
    network.set_training(False)
    with no_grad(), experiment.in_use():
        parts = [
            network(Tensor(inputs[start : start + ROWS])).data
            for start in range(0, max(1, len(inputs)), ROWS)
        ]
        return experiment.loss.predictions(Tensor(np.concatenate(parts))).data
