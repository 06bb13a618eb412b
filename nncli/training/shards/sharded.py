"""Sharded: what a trainer trains with, where batches are cut into shards."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from nncli.experiment.experiment import Experiment
from nncli.training.evaluate import scored_parts
from nncli.training.shards.evaluate import SharedEvaluator
from nncli.training.shards.orders import Order
from nncli.training.shards.step import Places, ShardedStep
from nncli.training.shards.team import Team
from nncli.training.shards.worker import Worker
from nncli.training.threads import threads_of, using


class Sharded:
    """Steps and evaluations of a training whose batches are cut into shards.

    Inside a ``with`` block the other workers live. They are forked at its beginning,
    when the experiment is as the training begins with it, and no thread should run.
    With one worker, no block is needed.

    Args:
        experiment: What is trained.
        shards: Into how many shards each batch is cut.
        workers: How many processes share them.

    Attributes:
        batches: The places of the training's batches.
        step: Makes the steps.
        evaluators: Score each part that is scored while training.
    """

    def __init__(self, experiment: Experiment, shards: int, workers: int = 1) -> None:
        self.experiment = experiment
        self.team = Team(experiment, shards, workers)
        self.batches = Places(experiment)
        self.evaluators = {
            name: SharedEvaluator(experiment, part, self.team, number)
            for number, (name, part) in enumerate(scored_parts(experiment).items())
        }
        self.step = ShardedStep(experiment, self.team)
        # Asked before there are others: to find out, the network is run, and its
        # parameters and gradients, which are then shared, are put back.
        self._threads = threads_of(experiment)

    def __enter__(self) -> Self:
        self.team.start(self._follow)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.team.close()

    def _follow(self) -> None:
        """Do what the first worker says, as one of the others, until it is over."""
        worker = Worker(self.experiment, self.team)
        evaluators = list(self.evaluators.values())
        with using(self._threads):
            while (command := self.team.next_command()).order is not Order.END:
                if command.order is Order.EVALUATE:
                    evaluators[command.part].follow()
                else:
                    worker.obey(command)
