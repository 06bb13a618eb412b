"""State: all that the next step depends on, taken out of a training and put back."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from nncli.backend import Array
from nncli.build import Experiment
from nncli.errors import RunError
from nncli.registry import spec_of
from nncli.runs.checkpoint import Checkpoint

if TYPE_CHECKING:
    from nncli.training.trainer import Progress


def capture(experiment: Experiment, progress: Progress) -> Checkpoint:
    """Copy parameters, optimizer, layer state, transforms, generators and progress."""
    arrays = {name: array.copy() for name, array in _arrays(experiment).items()}
    for i, transform in enumerate(experiment.transforms):
        for name, array in transform.state.items():
            arrays[f"transforms.{i}.{name}"] = array
    meta = {
        "config": spec_of(experiment.config),
        "classes": experiment.classes,
        "data_sha256": experiment.data_sha256,
        "optimizer_steps": experiment.optimizer.steps,
        "generators": {"dropout": experiment.streams.dropout.bit_generator.state},
        "progress": dataclasses.asdict(progress),
    }
    return Checkpoint(arrays, meta)


def restore(
    experiment: Experiment, checkpoint: Checkpoint, progress: Progress | None = None
) -> None:
    """Put a checkpoint back into a freshly built experiment.

    Args:
        experiment: Built from the config in the checkpoint.
        checkpoint: What was captured.
        progress: Overwritten with the checkpoint's; None leaves it out.

    Raises:
        RunError: The checkpoint does not fit the experiment.
    """
    wanted = _arrays(experiment)
    for name, target in wanted.items():
        _copy(target, checkpoint.arrays.get(name), name)
    for i, transform in enumerate(experiment.transforms):
        for name, fitted in transform.state.items():
            key = f"transforms.{i}.{name}"
            _copy(fitted, checkpoint.arrays.get(key), key)
    try:
        state = checkpoint.meta["generators"]["dropout"]
        experiment.streams.dropout.bit_generator.state = state
        experiment.optimizer.steps = int(checkpoint.meta["optimizer_steps"])
        if progress is not None:
            for field in dataclasses.fields(progress):
                setattr(progress, field.name, checkpoint.meta["progress"][field.name])
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise RunError(
            f"checkpoint: expected the state of a training, got: {error!r}."
        ) from None


def _arrays(experiment: Experiment) -> dict[str, Array]:
    """Return every array that training changes, by its name in a checkpoint."""
    network, optimizer = experiment.network, experiment.optimizer
    arrays: dict[str, Array] = {
        name: tensor.data for name, tensor in network.flat.tensors.items()
    }
    arrays |= network.state
    arrays |= {f"optimizer.{name}": array for name, array in optimizer.state.items()}
    return arrays


def _copy(target: Array, source: Any, name: str) -> None:
    if source is None:
        raise RunError(f"checkpoint: expected an array {name}, found none.")
    if source.shape != target.shape or source.dtype != target.dtype:
        raise RunError(
            f"checkpoint: expected {name} with shape {target.shape} and type "
            f"{target.dtype}, got {source.shape} and {source.dtype}."
        )
    np.copyto(target, source)
