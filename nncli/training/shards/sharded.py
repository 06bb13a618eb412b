"""Sharded: what a trainer trains with, where batches are cut into shards."""

from __future__ import annotations

from types import TracebackType
from typing import Self, overload

from nncli.core.errors import UsageError
from nncli.experiment.experiment import Experiment
from nncli.training.evaluate import scored_parts
from nncli.training.shards.evaluate import SharedEvaluator
from nncli.training.shards.orders import Command, Order
from nncli.training.shards.ranked import RankedTeam
from nncli.training.shards.ranks import Ranks
from nncli.training.shards.step import Places, ShardedStep
from nncli.training.shards.team import Team
from nncli.training.shards.worker import Worker
from nncli.training.threads import FORKS, shards_of, threads_of, using, workers_for


class Sharded:
    """Steps and evaluations of a training whose batches are cut into shards.

    Inside a ``with`` block the other workers live. They are forked at its beginning,
    when the experiment is as the training begins with it, and no thread should run.
    With one worker, no block is needed.

    Args:
        experiment: What is trained.
        shards: Into how many shards each batch is cut.
        workers: How many processes share them, of each rank.
        ranks: The ranks of MPI that share them; None for none.

    Attributes:
        batches: The places of the training's batches.
        step: Makes the steps.
        evaluators: Score each part that is scored while training.
    """

    def __init__(
        self,
        experiment: Experiment,
        shards: int,
        workers: int = 1,
        ranks: Ranks | None = None,
    ) -> None:
        self.experiment = experiment
        self.team = (
            Team(experiment, shards, workers)
            if ranks is None
            else RankedTeam(experiment, shards, workers, ranks)
        )
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
        self.team.start(self.follow)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.team.close()

    def collect(self) -> None:
        """Have here what a checkpoint holds; it tells nothing of workers and ranks."""
        self.team.collect()
        self.step.worker.noise.reset()

    def follow(self) -> None:
        """Do what the first worker says, as one of the others, until it is over."""
        worker = Worker(self.experiment, self.team)
        evaluators = list(self.evaluators.values())
        with using(self._threads):
            while (command := self.team.next_command()).order is not Order.END:
                if command.order is Order.EVALUATE:
                    evaluators[command.part].follow()
                elif command.order is Order.COLLECT:
                    self.team.collect()
                else:
                    self._obey(worker, command)

    def _obey(self, worker: Worker, command: Command) -> None:
        try:
            worker.obey(command)
        except Exception as error:
            error.add_note(f"making training step {command.number}")
            raise


@overload
def shared_by(experiment: Experiment, workers: int, ranks: Ranks) -> Sharded: ...


@overload
def shared_by(experiment: Experiment, workers: int | None) -> Sharded | None: ...


def shared_by(
    experiment: Experiment, workers: int | None, ranks: Ranks | None = None
) -> Sharded | None:
    """Return the workers that share a training; None where it is not cut into shards.

    Args:
        experiment: What to train.
        workers: How many at most; None for what suits the machine.
        ranks: The ranks of MPI, each with so many workers; None for none.

    Raises:
        UsageError: This system cannot fork.
    """
    shards, _ = shards_of(experiment)
    if not FORKS and (workers or 1) > 1:
        raise UsageError(
            f"--workers: expected 1 on this system, where processes cannot be forked "
            f"safely, got {workers}. Ranks of MPI share a step here too: mpirun -n "
            f"{workers}"
        )
    if shards == 1 and ranks is None:
        return None
    return Sharded(experiment, shards, workers or workers_for(shards), ranks)
