"""ShardedStep: a training step whose batch is cut among workers."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from nncli.core.arrays import quiet_context, xp
from nncli.core.errors import DivergedError
from nncli.experiment.experiment import Experiment
from nncli.training.gradient import REMEDY, Gradient
from nncli.training.shards.orders import Command, Order
from nncli.training.shards.shared import read_text
from nncli.training.shards.team import Team
from nncli.training.shards.worker import Worker


@dataclass(frozen=True)
class Place:
    """Which batch it is; every worker takes its own rows of it."""

    epoch: int
    batch: int


class Places:
    """The batches of training by their places; see Batches."""

    def __init__(self, experiment: Experiment) -> None:
        self._batches = experiment.batches()

    def __len__(self) -> int:
        return len(self._batches)

    def epoch(self, epoch: int, first: int = 0) -> Iterator[Place]:
        """Yield the batches of an epoch, from the one with index ``first`` on."""
        for batch in range(first, len(self)):
            yield Place(epoch, batch)


class ShardedStep:
    """Makes the steps of a training as the first of its workers; see TrainingStep."""

    def __init__(self, experiment: Experiment, team: Team) -> None:
        self.experiment = experiment
        self.team = team
        self.worker = Worker(experiment, team)
        self._quiet = quiet_context()

    @property
    def gradient(self) -> Gradient:
        """What computes the gradient of the first shard."""
        return self.worker.gradients[0]

    @property
    def square(self) -> float:
        """Σ g² of the last step's gradient, before its norm was clipped."""
        return self.worker.square

    def run(self, place: Place, lr: float, number: int) -> float:
        """Make one step and return its objective.

        Raises:
            DivergedError: The loss or a gradient is not finite; the parameters are
                then still those before the step.
            WorkerLostError: A worker has ended.
        """
        try:
            if self.experiment.optimizer.full_batch:
                return self._quiet.run(self._minimize, place, lr, number)
            return self._all(Order.STEP, place, number, lr)
        except Exception as error:
            error.add_note(f"making training step {number}")
            raise

    def gather(self, place: Place, number: int) -> None:
        """Keep a batch's gradient for the next step; see TrainingStep."""
        self._all(Order.GATHER, place, number)

    def _all(self, order: Order, place: Place, number: int, lr: float = 0.0) -> float:
        """Let all workers do something, this one too; return the objective."""
        command = Command(order, place.epoch, place.batch, number, lr)
        self.team.order(command)
        value = self.worker.obey(command)
        self.team.over()
        if math.isnan(value):
            self._diverged(number)
        return value

    def _diverged(self, number: int) -> None:
        """Let every shard say what it found.

        Raises:
            DivergedError: Always.
        """
        command = Command(Order.EXAMINE, number=number)
        self.team.order(command)
        self.worker.obey(command)
        self.team.over()
        for fault in self.team.faults:
            text = read_text(fault)
            if text:
                raise DivergedError(text)
        raise DivergedError(
            f"step {number}: training diverged: the sum of the gradients is not "
            f"finite. {REMEDY.format(lr=self.experiment.optimizer.lr)}"
        )

    def _minimize(self, place: Place, lr: float, number: int) -> float:
        """Let the optimizer look at as many points as it wants, with all rows."""
        experiment, values = self.experiment, self.experiment.network.flat.values
        before = values.copy()
        seen: list[float] = []

        def objective() -> float:
            order = Order.AGAIN if seen else Order.DIFFERENTIATE
            seen.append(self._all(order, place, number))
            return seen[-1]

        try:
            experiment.optimizer.minimize(lr, objective)
        except DivergedError:
            xp.copyto(values, before)
            raise
        if experiment.average is not None:
            experiment.average.update(experiment.optimizer.steps)
        return seen[0]
