"""Experiment: what a config describes, made and fitted together."""

from __future__ import annotations

import math
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from nncli.config.schema import Config
from nncli.core.arrays import Array
from nncli.core.errors import DataError
from nncli.core.randomness import stream
from nncli.data.base import Rows, Transform
from nncli.data.batches import Batches
from nncli.data.labels import Labels
from nncli.data.vocabulary import Vocabulary
from nncli.experiment.part import Part
from nncli.experiment.target_scale import TargetScale
from nncli.losses.base import Loss, Targets
from nncli.metrics.base import Metric
from nncli.network.network import Network
from nncli.optimizers.average import WeightAverage
from nncli.optimizers.base import Optimizer
from nncli.schedules.base import Schedule
from nncli.tables.encoder import Encoder
from nncli.tables.raw import RawColumn


@dataclass
class Experiment:
    """Everything that a config describes, made and fitted together.

    Attributes:
        config: The typed config.
        parts: train, and validation and test where the config asks for them.
        labels: The classes in their own type; None where targets are numbers.
        threads: How many threads products use, where that was decided once.
        shards: Into how many shards a batch is cut, where that was decided once.
        encoder: How columns of a table become inputs, where the data is one.
        vocabulary: The tokens that inputs are the numbers of; None where they are none.
        step_columns: The columns of a table whose rows are steps of sequences; None
            where the data is no such table.
        target_scale: How targets are scaled for the loss; None where they are not.
        target_names: Names of the targets, where they have names.
        yes_or_no: Targets are labels, each 0 or 1, of which a row may have several.
        transforms: Fitted on the training part.
        network: Without a last activation that is fused into the loss.
        loss: What is computed, which may be the fused form of what the config says.
        fused: Name of the activation that is part of the loss, or "".
        data_sha256: Digest of all inputs and targets before the split.
        average: The moving average of the weights, where the config asks for one.
    """

    config: Config
    transforms: list[Transform]
    network: Network
    loss: Loss
    optimizer: Optimizer
    schedule: Schedule
    metrics: list[Metric]
    fused: str = ""
    data_sha256: str = ""
    parts: dict[str, Part] = field(default_factory=dict)
    average: WeightAverage | None = None
    labels: Labels | None = None
    encoder: Encoder | None = None
    vocabulary: Vocabulary | None = None
    step_columns: tuple[RawColumn, ...] | None = None
    target_scale: TargetScale | None = None
    target_names: tuple[str, ...] | None = None
    yes_or_no: bool = False
    threads: int | None = None
    shards: int | None = None

    @property
    def classes(self) -> tuple[str, ...] | None:
        """Names of the classes; None where targets are numbers."""
        return None if self.labels is None else self.labels.names

    @property
    def epoch_rows(self) -> int:
        """Rows of an epoch of training; 1 where a loaded model has none to train on."""
        if "train" not in self.parts:
            return 1
        part, size = self.parts["train"], self.config.training.batch_size
        rows = part.rows.per_epoch or len(part)
        if part.rows.stream and size != "full" and size < rows:
            rows -= rows % size
        return rows

    @property
    def batch_size(self) -> int:
        """Rows a training step."""
        size = self.config.training.batch_size
        rows = self.epoch_rows
        return rows if size == "full" else min(size, rows)

    @property
    def steps_per_epoch(self) -> int:
        """Training steps an epoch."""
        batches = math.ceil(self.epoch_rows / self.batch_size)
        return math.ceil(batches / self.config.training.accumulate)

    @property
    def total_steps(self) -> int:
        """Training steps in all, as the config says."""
        training = self.config.training
        return training.steps or (training.epochs or 0) * self.steps_per_epoch

    def in_use(self) -> AbstractContextManager[None]:
        """Let the network have, inside the block, the weights it is to be used with."""
        return nullcontext() if self.average is None else self.average.in_use()

    def prepare(self, rows: Rows, index: Array | None = None) -> Part:
        """Return rows as a part, prepared as those of the training part are.

        Args:
            rows: Where they are.
            index: Their places; None for all.
        """
        return Part(
            rows, index, self.transforms, partial(self.encode, rows), self.input_dtype
        )

    def encode(self, rows: Rows, values: Array) -> Array:
        """Return targets of some rows as the loss wants them."""
        if self.target_scale is not None:
            values = self.target_scale.scaled(values)
        return self.loss.encode(self.targets(rows, values))

    def in_units(self, values: Array) -> Array:
        """Return predictions, or encoded targets, in the units of the data."""
        scale = self.target_scale
        return values if scale is None else scale.unscaled(values)

    def targets(self, rows: Rows, values: Array) -> Targets:
        """Return targets of some rows beside the outputs they are compared with."""
        names = None if rows.classes is None else tuple(map(str, rows.classes))
        return Targets(values, names, self.network.shapes[-1], self.network.dtype)

    @property
    def input_dtype(self) -> np.dtype[Any]:
        """The type of the default input: the run's, or that of tokens."""
        spec = next(iter(self.network.inputs.values()))
        return np.dtype(np.int64) if spec.below is not None else self.network.dtype

    def batches(self, shard: tuple[int, int] | None = None) -> Batches:
        """Return the batches of training, or a shard of each; see Batches."""
        config, train = self.config, self.parts["train"]
        return Batches(
            train,
            self.batch_size,
            config.seed,
            config.augmentations,
            train.rows.per_epoch,
            train.rows.stream,
            shard,
        )

    def draw(self, seed: int) -> Rows:
        """Draw new rows of the dataset's kind, other than those of any training.

        Raises:
            DataError: The dataset is not drawn but given.
        """
        dataset = self.config.dataset
        if dataset is None or not dataset.drawn:
            name = f" {dataset.type_name}" if dataset else ""
            raise DataError(
                f"dataset{name}: expected one that is drawn from a "
                "formula, to draw fresh rows; this one is given. Use another split."
            )
        # A second key keeps the draw apart from the training data of every seed.
        return dataset.load(stream(seed, "data", 1))
