"""Examination: an experiment, and what a short look at it measures."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from nncli.autograd.tape import no_grad, record
from nncli.checking.doctor.baseline import constant_loss
from nncli.checking.doctor.look import Look, look
from nncli.checking.doctor.rehearsal import Brake, Rehearsal, rehearse
from nncli.config.load import Loaded
from nncli.core.arrays import Array, counted
from nncli.core.errors import dotted
from nncli.core.randomness import stream
from nncli.data.batches import Batch
from nncli.experiment.build import build
from nncli.experiment.experiment import Experiment
from nncli.experiment.part import Part
from nncli.layers.base import Layer
from nncli.network.trial import trial

ROWS = 256
"""Rows of the training part that are looked at, where they are small."""

WORK = 6e10
"""Operations of a check's rehearsals together, about: a few seconds on one core."""

MOST_STEPS, LEAST_STEPS = 60, 16
"""Steps of a rehearsal. With fewer, the mean over its last third is too noisy."""

SHARES = 6
"""Rehearsals that WORK is shared by."""

CALL = 2e5
"""Operations that an op takes the time of, however small its arrays are."""

MOST_RATES = 10_000
"""Steps whose rates are asked for."""

FALL = 0.1
"""Share of the loss that good first steps take away.

Of the loss of the best constant output: coming down to that from a larger first loss
is nothing learned yet.
"""

LARGE = 2e10
"""Operations of all rehearsals from which on they take longer than a second or two."""


class Examination:
    """An experiment, and measurements that are made when a check first wants them.

    All of it is a function of the config, whose seed draws the rows that are looked
    at. How much is looked at is decided by the work that it takes, never by a clock.
    The network is left as it was.

    Args:
        loaded: The config.
        trained: The same with the parameters of a training, if there was one.

    Attributes:
        experiment: What the config describes.
        given: The config as it was written, as plain values.

    Raises:
        ConfigError: Parts of the config do not fit each other or the data.
        DataError: The data cannot be read.
    """

    def __init__(self, loaded: Loaded, trained: Experiment | None = None) -> None:
        self._trained = trained
        self.given: dict[str, Any] = loaded.document.value
        self.experiment = build(loaded)
        self.config = self.experiment.config
        self.network = self.experiment.network
        self.train: Part = self.experiment.parts["train"].without_overlap()
        self._rehearsals: dict[tuple[float, Brake | None], Rehearsal] = {}

    @cached_property
    def _cost(self) -> tuple[float, float]:
        """Operations of one row in a step, and those whose time the calls take."""
        with trial(self.network, training=False), no_grad(), record() as steps:
            self.network(self.network.zeros(2))
        each = sum(step.flops() for step in steps) / 2
        calls = sum(step.flops() / max(step.flops_at_once(), 1) for step in steps)
        # A product has two on the way back.
        return 3 * max(each, 1.0), 3 * CALL * (calls + len(steps))

    def steps_within(self, work: float, rows: int, least: int, most: int) -> int:
        """Return how many training steps of so many rows take some work."""
        each, calls = self._cost
        return min(max(int(work / (rows * each + calls)), least), most)

    def rows_within(self, work: float, least: int, most: int) -> int:
        """Return how many rows, once forward and backward, take some work."""
        most = min(most, self.network.max_rows or most)
        least = min(max(least, self.network.min_rows), most)
        return min(max(int(work / self._cost[0]), least), most)

    @cached_property
    def rows(self) -> int:
        """How many rows a batch of a rehearsal has: the config's, or fewer."""
        size = self.experiment.batch_size
        work = WORK / (SHARES * LEAST_STEPS)
        return max(min(size, self.rows_within(work, 32, size)), 1)

    @cached_property
    def steps(self) -> int:
        """How many steps a rehearsal has."""
        return self.steps_within(WORK / SHARES, self.rows, LEAST_STEPS, MOST_STEPS)

    @property
    def slow(self) -> bool:
        """Whether the rehearsals take long enough for somebody to wonder."""
        each, calls = self._cost
        return SHARES * self.steps * (self.rows * each + calls) > LARGE

    def place(self, layer: Layer, *inside: str) -> str:
        """Return where the config names a layer, as an override says it."""
        first, *rest = layer.source
        # The network of a table may begin with a layer that no config names.
        more = len(self.config.layers) - len(self.given["layers"])
        return dotted(("layers", int(first) - more, *rest, *inside))

    def drawn(self, rows: int) -> Batch:
        """Return rows of the training part that the seed draws."""
        rng = stream(self.config.seed, "check")
        chosen = rng.choice(len(self.train), min(rows, len(self.train)), replace=False)
        return self.train.batch(np.sort(chosen))

    @cached_property
    def batch(self) -> Batch:
        """Rows of the training part, as the network gets them."""
        return self.drawn(self.rows_within(WORK / 20, 8, ROWS))

    @cached_property
    def inputs(self) -> Array | None:
        """(n, ...) numbers of ``batch``, padding left out; None where it has tokens."""
        x = self.batch.x
        if x.data.dtype.kind != "f":
            return None
        return counted(x.data, x.lengths)

    @cached_property
    def known(self) -> float:
        """The loss of what knows nothing of the inputs, or of the first values.

        Of the best constant output, or of no training, whichever is less.
        """
        loss = self.experiment.loss
        constant = constant_loss(loss, self.batch, self.first.outputs)
        return min(self.rehearsal(0.0).last, constant)

    @property
    def steps_tell(self) -> bool:
        """Whether first steps say something: not those of a search along a line."""
        searches = self.experiment.optimizer.full_batch
        return not searches and self.network.flat.values.size > 0

    def learned(self, rehearsal: Rehearsal) -> float:
        """Return how far the loss came below that of what knows nothing."""
        return self.known - rehearsal.last

    def good(self, rehearsal: Rehearsal) -> bool:
        """Whether first steps learn as much as those of a sound training."""
        return self.learned(rehearsal) >= FALL * abs(self.known) > 0

    @cached_property
    def full_steps(self) -> float:
        """How many steps at the full rate all steps of the training make together.

        As far as rates and steps are in proportion: a step at half of the rate that
        the optimizer has is half of a step.
        """
        total = self.experiment.total_steps
        times = np.unique(np.linspace(0, total - 1, min(total, MOST_RATES)).astype(int))
        each = self.experiment.steps_per_epoch
        rate = self.experiment.schedule.live().rate
        shares = [rate(1.0, int(step), step / each, total) for step in times]
        return float(np.mean(shares)) * total

    @property
    def whole(self) -> float:
        """How many rehearsals those are; a shorter training is one of its own."""
        return self.full_steps / min(self.steps, self.experiment.total_steps)

    @cached_property
    def first(self) -> Look:
        """The look at the network's first values."""
        with trial(self.network, training=True):
            return look(self.experiment, self.batch)

    @cached_property
    def trained(self) -> Look | None:
        """The look at the values behind a training; None where there was none."""
        if self._trained is None:
            return None
        with trial(self._trained.network, training=True):
            return look(self._trained, self.batch)

    def rehearsal(self, factor: float = 1.0, without: Brake | None = None) -> Rehearsal:
        """Return the first steps of training with the learning rate times a factor.

        Args:
            factor: That.
            without: A brake that is left out.
        """
        key = factor, without
        if key not in self._rehearsals:
            self._rehearsals[key] = rehearse(
                self.experiment, factor, self.steps, self.rows, self.batch, without
            )
        return self._rehearsals[key]
