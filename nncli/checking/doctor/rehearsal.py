"""Rehearsal: the first steps of a training, made on a network that stays as it was."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from itertools import count, islice
from typing import Literal

import numpy as np

from nncli.autograd.tape import no_grad
from nncli.autograd.tensor import Tensor
from nncli.checking.doctor.look import Look, look, norm
from nncli.core.arrays import Array, xp
from nncli.core.errors import DivergedError
from nncli.data.batches import Batch, Batches
from nncli.experiment.experiment import Experiment
from nncli.network.network import Network
from nncli.network.trial import trial
from nncli.optimizers.base import Optimizer
from nncli.training.step import TrainingStep

BEGINS_LOW = 0.5
"""Share of the learning rate below which a schedule begins as a warmup does."""

WHOLE = 1.0
"""Size of a first step, as a share of the weights, that leaves nothing of them."""

Brake = Literal["weight_decay", "penalties", "clip_norm", "clip_value"]
"""What keeps weights small, or the steps that change them."""


@dataclass(frozen=True)
class Rehearsal:
    """What happened in the first steps of a training.

    Attributes:
        lr: The learning rate.
        losses: Of each step's batch before the step, without penalties on weights.
        ratios: Norm of the first step's change of a weight to that of the weight, for
            each weight that is not zero at first.
        exploded: A loss or a gradient was not finite.
        after: The look at the end; None where it exploded.
    """

    lr: float
    losses: tuple[float, ...]
    ratios: tuple[float, ...]
    exploded: bool
    after: Look | None = None

    @property
    def last(self) -> float:
        """Mean loss of the last third of the steps; infinity where it exploded."""
        if self.exploded:
            return math.inf
        third = max(1, len(self.losses) // 3)
        return float(np.mean(self.losses[-third:]))

    @property
    def ratio(self) -> float | None:
        """The median of ``ratios`` that are not 0; None where there is none."""
        moved = [ratio for ratio in self.ratios if ratio]
        return float(np.median(moved)) if moved else None


def rehearse(
    experiment: Experiment,
    factor: float,
    steps: int,
    rows: int,
    seen: Batch,
    without: Brake | None = None,
) -> Rehearsal:
    """Make the first steps of a training, then put everything back.

    Batches, optimizer and clipping are those of the config. The rate is constant, but
    for a schedule that begins low, which is a ramp over the first third.

    Args:
        experiment: What is trained.
        factor: What the learning rate is multiplied by.
        steps: How many steps are made.
        rows: Rows of a batch.
        seen: What is looked at in the end.
        without: What is left out, to see what it does.
    """
    config, network = experiment.config, experiment.network
    training, optimizer = config.training, config.optimizer
    if without == "weight_decay":
        optimizer = _without_decay(optimizer)
    lr = config.optimizer.lr * factor
    begin = experiment.schedule.rate(1.0, 0, 0.0, max(experiment.total_steps, 1))
    ramp = max(1, steps // 3) if begin < BEGINS_LOW else 1
    losses: list[float] = []
    ratios: list[float] = []
    after = None
    free = without_penalties(network) if without == "penalties" else nullcontext()
    with trial(network, training=True), free:
        step = TrainingStep(
            network,
            experiment.loss,
            optimizer.over(network.flat),
            None if without == "clip_norm" else training.clip_norm,
            None if without == "clip_value" else training.clip_value,
        )
        network.begin_epoch()
        for i, batch in enumerate(_batches(experiment, steps, rows), start=1):
            before = network.flat.values.copy() if i == 1 else None
            try:
                penalty = _penalty(network)
                loss = step.run(batch, lr * min(1.0, i / ramp), i)
                losses.append(loss - penalty)
            except DivergedError:
                break
            if before is not None:
                ratios = [ramp * ratio for ratio in _ratios(network, before)]
        else:
            after = look(experiment, seen)
        network.begin_epoch()
    return Rehearsal(lr, tuple(losses), tuple(ratios), len(losses) < steps, after)


def _without_decay(optimizer: Optimizer) -> Optimizer:
    return type(optimizer)(**optimizer.arguments | {"weight_decay": 0.0})


@contextmanager
def without_penalties(network: Network) -> Iterator[None]:
    """Leave out the penalties on weights inside the block."""
    every, network.penalties = network.penalties, []
    try:
        yield
    finally:
        network.penalties = every


def _batches(experiment: Experiment, steps: int, rows: int) -> Iterator[Batch]:
    """Yield a training's first batches, the short one at the end of an epoch left out.

    Losses of fewer rows would differ for the rows alone.
    """
    train, config = experiment.parts["train"], experiment.config
    batches = Batches(
        train,
        rows,
        config.seed,
        config.augmentations,
        train.rows.per_epoch,
        train.rows.stream,
    )
    epochs = (batches.epoch(epoch) for epoch in count())
    every = (batch for epoch in epochs for batch in epoch if batch.rows == batches.size)
    return islice(every, steps)


def _penalty(network: Network) -> float:
    """Return the sum of the penalties on weights."""
    if not network.penalties:
        return 0.0
    with no_grad():
        return network.with_penalties(Tensor(xp.zeros((), network.dtype))).item()


def _ratios(network: Network, before: Array) -> list[float]:
    """Return by how much each weight has changed, as a share of what it was."""
    was, now = (network.flat.views(array) for array in (before, network.flat.values))
    found = []
    for name, tensor in network.flat.tensors.items():
        size = norm(was[name])
        if tensor.ndim > 1 and size > 0:
            found.append(norm(now[name] - was[name]) / size)
    return found
