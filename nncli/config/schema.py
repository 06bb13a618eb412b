"""Schema: the typed config."""

from __future__ import annotations

from dataclasses import field
from functools import cached_property
from typing import Annotated, Any, Literal

from annotated_types import Ge, Le
from pydantic import Field

from nncli.core.description import Section
from nncli.core.errors import ArgumentError
from nncli.core.registry import spec_of
from nncli.core.signature import (
    Fraction,
    NonNegative,
    Positive,
    PositiveFloat,
)
from nncli.data.base import Augmentation, Dataset, Transform
from nncli.data.split import Split
from nncli.layers.base import Layer
from nncli.losses.base import Loss
from nncli.metrics.base import Metric
from nncli.optimizers.base import Optimizer
from nncli.schedules.base import Schedule
from nncli.schedules.decay import Constant

Seed = Annotated[int, Ge(0), Le(2**63 - 1)]


Threads = Annotated[int, Ge(1), Le(1024)]
Shards = Annotated[int, Ge(1), Le(1024)]


class EarlyStopping(Section):
    """Stop when the monitored value has not improved for a while.

    Attributes:
        patience: Epochs to go on without an improvement. Example: 30.
        min_delta: By how much a value must be better to count as an improvement.
            Example: 0.001.
    """

    patience: Positive
    min_delta: NonNegative = 0.0


class Averaging(Section):
    """Evaluate and use a moving average of the weights instead of the last ones.

    Attributes:
        decay: Share of the average that stays at each step. Example: 0.99.
    """

    decay: Fraction = 0.999


class Recording(Section):
    """Which steps are recorded in a run's records.jsonl, and what of them.

    Attributes:
        every: Steps between two that are recorded; ``auto`` for at most some 200 of a
            training, the first one among them, and some 20 of these with the layers.
            Example: 50.
        layers: Whether values and gradients of the layers are told too. Example: false.
    """

    every: Positive | Literal["auto"] = "auto"
    layers: bool = True


class Training(Section):
    """How long and in which portions.

    Attributes:
        epochs: Passes over the training part; null where steps say how long.
            Example: 100.
        steps: Steps in all, instead of epochs; null where epochs say how long.
            Example: 2000.
        batch_size: Rows a step; ``full`` for all of them. Example: 64.
        evaluate_every: Epochs between two evaluations; the last one always counts.
            Example: 10.
        evaluate_steps: Steps between two evaluations, instead of epochs; null for
            evaluate_every. Example: 250.
        evaluate_rows: At most so many rows of the training part are scored at an
            evaluation, always the same ones; ``all``, or null for as many as the
            validation part has (all, where there is none). Example: 1000.
        monitor: ``loss`` or a metric: decides which checkpoint is the best one. Of
            the validation part, where there is one, else of the training part.
            Example: accuracy.
        clip_norm: Scale a gradient down to at most this Euclidean norm; null for never.
            Example: 1.0.
        clip_value: Cut each element of a gradient to at most this size, before
            clip_norm; null for never. Example: 0.5.
        accumulate: Batches a step: their gradients are averaged as if they were one
            batch. What is left at the end of an epoch makes a step of its own.
            Example: 4.
        average: A moving average of the weights, for evaluations and all use of the
            network; null for none. Checkpoints hold both. Example: {decay: 0.99}.
        threads: Threads that products of matrices use; ``auto`` for one where steps are
            small, and all cores where they are large. A run that is resumed uses as
            many as it began with: bits depend on it. Example: 2.
        shards: Into how many parts each batch is cut, which worker processes (or ranks
            of MPI) differentiate side by side; ``auto`` for one where steps are small,
            and two where they are large. How many workers there are makes no
            difference to bits, the number of shards does: a run that is resumed has as
            many as it began with. Example: 4.
        early_stopping: When to stop before the last epoch; null for never.
            Example: {patience: 30}.
        checkpoint_seconds: Seconds that lie at least between two checkpoints while
            training; 0 writes one at every evaluation. Example: 60.
        record: Which steps of a run tell of themselves in its records.jsonl: loss,
            gradient norm, values of the layers; null for none. Example: {every: 50}.
    """

    epochs: Positive | None = None
    steps: Positive | None = None
    batch_size: Positive | Literal["full"] = 32
    evaluate_every: Positive = 1
    evaluate_steps: Positive | None = None
    evaluate_rows: Positive | Literal["all"] | None = None
    monitor: str = "loss"
    clip_norm: PositiveFloat | None = None
    clip_value: PositiveFloat | None = None
    accumulate: Positive = 1
    average: Averaging | None = None
    threads: Threads | Literal["auto"] = "auto"
    shards: Shards | Literal["auto"] = "auto"
    early_stopping: EarlyStopping | None = None
    checkpoint_seconds: NonNegative = 10.0
    record: Recording | None = field(default_factory=Recording)

    @property
    def unit(self) -> Literal["epoch", "step"]:
        """What evaluations, and so lines of progress, are counted by."""
        return "step" if self.evaluate_steps else "epoch"

    def __post_init__(self) -> None:
        """Refuse a training without an end, and to gather batches where is only one."""
        if (self.epochs is None) == (self.steps is None):
            found = "neither" if self.epochs is None else "both"
            raise ArgumentError(
                "expected epochs (passes over the training part) or steps, got "
                f"{found}. Set epochs, for example epochs: 100."
            )
        if self.accumulate > 1 and self.batch_size == "full":
            raise ArgumentError(
                f"expected accumulate 1 with batch_size full, got {self.accumulate}: "
                "an epoch then has one batch. Set batch_size to a number."
            )


class Config(Section):
    """One experiment.

    Attributes:
        dataset: Where the rows come from; null where a program hands them over.
            Example: {type: spiral, samples: 100}.
        layers: The network, from input to output.
            Example: [{type: dense, units: 8}, relu, {type: dense, units: 3}].
        loss: What training makes small. Example: softmax_cross_entropy.
        optimizer: How parameters move. Example: {type: adam, lr: 0.01}.
        training: How long and in which portions. Example: {epochs: 100}.
        name: Name of the run directory; by default the file's name. Example: first.
        seed: Seed of everything random. Example: 7.
        precision: Element type of the whole run. Example: float64.
        split: Which rows are kept from training. Example: {validation: 0.2}.
        transforms: Changes of the inputs, in order, fitted on the training part.
            Example: [standardize].
        augmentations: Random changes of training batches, in order.
            Example: [{type: gaussian_noise, std: 0.1}].
        schedule: How the learning rate changes. Example: cosine.
        metrics: What is scored beside the loss. Example: [accuracy].
        plugins: Python files with components of your own; relative to this file.
            Example: [my_layers.py].
    """

    dataset: Dataset | None
    # A model that is made in Python may begin without layers; a file may not.
    layers: Annotated[list[Layer], Field(json_schema_extra={"minItems": 1})]
    loss: Loss
    optimizer: Optimizer
    training: Training
    name: str = "run"
    seed: Seed = 0
    precision: Literal["float32", "float64"] = "float32"
    split: Split = field(default_factory=Split)
    transforms: list[Transform] = field(default_factory=list)
    augmentations: list[Augmentation] = field(default_factory=list)
    schedule: Schedule = field(default_factory=Constant)
    metrics: list[Metric] = field(default_factory=list)
    plugins: list[str] = field(default_factory=list)

    @cached_property
    def spec(self) -> dict[str, Any]:
        """The config as plain values, every default filled in; not to be changed."""
        spec: dict[str, Any] = spec_of(self)
        return spec
