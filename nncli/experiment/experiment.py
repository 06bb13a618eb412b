"""Experiment: what a config describes, made and fitted together."""

from __future__ import annotations

import math
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

import numpy as np

from nncli.config.schema import Config
from nncli.core.arrays import DTYPES, Array
from nncli.core.errors import DataError
from nncli.core.randomness import stream
from nncli.data.base import Table, Transform
from nncli.losses.base import Loss, Targets
from nncli.metrics.base import Metric
from nncli.network.network import Network
from nncli.optimizers.average import WeightAverage
from nncli.optimizers.base import Optimizer
from nncli.schedules.base import Schedule


@dataclass(frozen=True)
class Part:
    """One part of the data, ready to train or to evaluate on.

    Attributes:
        x: (N, ...) transformed inputs in the dtype of the run.
        targets: (N, ...) targets as the loss wants them.
        weights: (N,) how much each row counts in the loss; None for 1.
    """

    x: Array
    targets: Array
    weights: Array | None = None

    def __len__(self) -> int:
        return len(self.x)


@dataclass
class Experiment:
    """Everything that a config describes, made and fitted together.

    Attributes:
        config: The typed config.
        parts: train, and validation and test where the config asks for them.
        classes: Names of the classes; None where targets are numbers.
        transforms: Fitted on the training part.
        network: Without a last activation that is fused into the loss.
        loss: What is computed, which may be the fused form of what the config says.
        fused: Name of the activation that is part of the loss, or "".
        data_sha256: Digest of all inputs and targets before the split.
        average: The moving average of the weights, where the config asks for one.
    """

    config: Config
    classes: tuple[str, ...] | None
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

    @property
    def batch_size(self) -> int:
        """Rows a training step; 1 where a loaded model has no rows to train on."""
        size = self.config.training.batch_size
        rows = len(self.parts["train"]) if "train" in self.parts else 1
        return rows if size == "full" else min(size, rows)

    @property
    def steps_per_epoch(self) -> int:
        """Training steps an epoch."""
        batches = math.ceil(len(self.parts["train"]) / self.batch_size)
        return math.ceil(batches / self.config.training.accumulate)

    def in_use(self) -> AbstractContextManager[None]:
        """Let the network have, inside the block, the weights it is to be used with."""
        return nullcontext() if self.average is None else self.average.in_use()

    def targets(self, table: Table) -> Targets:
        """Return a table's targets beside the outputs they are compared with."""
        shape, dtype = self.network.shapes[-1], DTYPES[self.config.precision]
        return Targets(table.y, table.classes, shape, dtype)

    def prepare(self, table: Table) -> Part:
        """Transform and encode rows as those of the training part were."""
        x = table.x
        for transform in self.transforms:
            x = transform(x)
        dtype = DTYPES[self.config.precision]
        targets = self.loss.encode(self.targets(table))
        weights = None if table.weights is None else table.weights.astype(dtype)
        return Part(np.ascontiguousarray(x, dtype), targets, weights)

    def draw(self, seed: int) -> Table:
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
