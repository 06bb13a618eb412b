"""State: all that the next step depends on, taken out of a training and put back."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from nncli.core.arrays import Array
from nncli.core.errors import RunError
from nncli.core.signature import Count
from nncli.core.text import show
from nncli.experiment.experiment import Experiment
from nncli.runs.checkpoint import Checkpoint
from nncli.training.fitted import fitted_of


@dataclass
class Progress:
    """How far a training is.

    Attributes:
        epoch: Finished epochs.
        batch: Finished steps of the epoch that is under way.
        step: Finished steps.
        rows: Evaluations made.
        loss: Sum of the losses of the steps since the last evaluation.
        losses: How many these are.
        best: The best monitored value so far, None before the first evaluation.
        best_epoch: The epoch after which it was measured.
        best_step: The step after which it was measured.
        stalled_from: The epoch of the last improvement by more than min_delta.
        reference: The value of that improvement.
        stopped: Early stopping ended the training.
        offset: Steps more than epochs of the present length have: the size of batches
            was another before.
    """

    # It is read back from files: see _progress.
    __pydantic_config__: ClassVar = {
        "strict": True,
        "allow_inf_nan": False,
        "revalidate_instances": "always",
    }

    epoch: Count = 0
    batch: Count = 0
    step: Count = 0
    rows: Count = 0
    loss: float = 0.0
    losses: Count = 0
    best: float | None = None
    best_epoch: Count = 0
    best_step: Count = 0
    stalled_from: Count = 0
    reference: float | None = None
    stopped: bool = False
    offset: int = 0

    def go_on(self) -> None:
        """Begin another training behind this one: its early stopping is its own."""
        if self.batch:
            # It was cut off within an epoch, and its rows may be others now.
            self.epoch, self.batch = self.epoch + 1, 0
        self.stopped, self.reference, self.stalled_from = False, None, self.epoch

    def end_of(self, experiment: Experiment) -> int:
        """Return the step that a training ends with, as its config says now."""
        by_steps = experiment.config.training.steps is not None
        return experiment.total_steps + (0 if by_steps else self.offset)

    def done(self, end: int) -> bool:
        """Whether a training of so many steps is over."""
        return self.stopped or self.step >= end


def capture(experiment: Experiment, progress: Progress) -> Checkpoint:
    """Copy parameters, optimizer, layer state, transforms, generators and progress."""
    arrays = {name: array.copy() for name, array in _arrays(experiment).items()}
    for i, transform in enumerate(experiment.transforms):
        for name, array in transform.state.items():
            arrays[f"transforms.{i}.{name}"] = array
    labels = experiment.labels
    meta = {
        "config": experiment.config.spec,
        "classes": experiment.classes,
        "labels": None if labels is None else labels.to_json(),
        "fitted": fitted_of(experiment).to_json(),
        "threads": experiment.threads,
        "shards": experiment.shards,
        "input_shape": experiment.network.shapes[0],
        "data_sha256": experiment.data_sha256,
        "optimizer_steps": experiment.optimizer.steps,
        "schedule": dict(experiment.schedule.state),
        "generators": {"noise": experiment.network.streams.noise.bit_generator.state},
        "progress": dataclasses.asdict(progress),
    }
    return Checkpoint(arrays, meta)


def restore(experiment: Experiment, checkpoint: Checkpoint) -> Progress:
    """Put a checkpoint back into a freshly built experiment.

    Args:
        experiment: Built from the config in the checkpoint.
        checkpoint: What was captured.

    Returns:
        How far the training was.

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
    strange = checkpoint.arrays.keys() - wanted.keys()
    strange = {name for name in strange if not name.startswith("transforms.")}
    if strange:
        raise RunError(f"checkpoint: expected no array {min(strange)}, found one.")
    try:
        progress = progress_of(checkpoint)
        state = checkpoint.meta["generators"]["noise"]
        experiment.network.streams.noise.bit_generator.state = state
        experiment.optimizer.steps = _count(checkpoint.meta["optimizer_steps"])
        experiment.threads = _decided(checkpoint.meta.get("threads"))
        # Before there were shards, there was one.
        experiment.shards = _decided(checkpoint.meta.get("shards", 1))
        _refill(experiment.schedule.state, checkpoint.meta.get("schedule", {}))
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise RunError(
            f"checkpoint: expected the state of a training, got: {error!r}."
        ) from None
    return progress


def progress_of(checkpoint: Checkpoint, source: str = "checkpoint") -> Progress:
    """Return how far the training was.

    Raises:
        RunError: A value is missing, unknown or not of its type.
    """
    from pydantic import TypeAdapter, ValidationError

    given = checkpoint.meta.get("progress")
    names = [field.name for field in dataclasses.fields(Progress)]
    if not isinstance(given, dict) or given.keys() != set(names):
        raise RunError(
            f"{source}: expected the progress of a training ({', '.join(names)}), got "
            f"{show(given)}."
        )
    try:
        return TypeAdapter(Progress).validate_python(Progress(**given))
    except ValidationError as error:
        place = error.errors()[0]
        raise RunError(
            f"{source}: expected the progress of a training, got {place['loc'][-1]} "
            f"{show(place['input'])}."
        ) from None


def _decided(value: Any) -> int | None:
    """Return a number of threads or shards; None where nothing was decided yet."""
    return None if value is None else 1 + _count(value - 1) % 1024


def _count(value: Any) -> int:
    if not isinstance(value, int) or not 0 <= value < 2**63:
        raise ValueError(f"expected a number of steps, got {value!r}")
    return value


def _refill(memory: dict[str, float], given: Any) -> None:
    if memory.keys() != given.keys() or not all(
        isinstance(value, float) and math.isfinite(value) for value in given.values()
    ):
        raise ValueError(f"expected what the schedule remembers, got {given!r}")
    memory.update(given)


def _arrays(experiment: Experiment) -> dict[str, Array]:
    """Return every array that training changes, by its name in a checkpoint."""
    network, optimizer = experiment.network, experiment.optimizer
    arrays: dict[str, Array] = {
        name: tensor.data
        for name, tensor in (network.flat.tensors | network.frozen).items()
    }
    arrays |= network.state
    arrays |= {f"optimizer.{name}": array for name, array in optimizer.state.items()}
    if experiment.average is not None:
        averages = experiment.average.arrays
        arrays |= {f"average.{name}": array for name, array in averages.items()}
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
