"""Twin: an experiment as it stands, once more in float64."""

from __future__ import annotations

from nncli.autograd.tensor import Tensor
from nncli.core.arrays import Array, xp
from nncli.data.batches import Batch
from nncli.experiment.build import assemble
from nncli.experiment.experiment import Experiment
from nncli.runs.checkpoint import Checkpoint
from nncli.training.state import Progress, capture, restore


def float64_twin(experiment: Experiment) -> Experiment:
    """Return an experiment with the same numbers in float64, without rows.

    Parameters, what layers and the optimizer remember, and the generator of noise are
    those of now; what is done to the twin changes nothing of the experiment.
    """
    config = experiment.config.changed(precision="float64")
    inputs = experiment.network.inputs
    twin = assemble(config, inputs, experiment.labels, files=False)
    # The loss may have taken something from the training rows.
    twin.loss = experiment.loss
    known = capture(experiment, Progress())
    arrays = {name: _wide(array) for name, array in known.arrays.items()}
    restore(twin, Checkpoint(arrays, known.meta))
    return twin


def float64_batch(batch: Batch) -> Batch:
    """Return a batch with the same numbers in float64; integers stay integers."""
    weights = None if batch.weights is None else _widened(batch.weights)
    return Batch(_widened(batch.x), _widened(batch.targets), batch.rows, weights)


def _widened(tensor: Tensor) -> Tensor:
    return Tensor(_wide(tensor.data), lengths=tensor.lengths)


def _wide(array: Array) -> Array:
    return array.astype(xp.float64) if array.dtype.kind == "f" else array.copy()
