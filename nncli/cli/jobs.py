"""Jobs: a new training and one that goes on, here or on the ranks of MPI."""

from __future__ import annotations

import contextlib
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nncli.cli.console import note, say, say_wrapped
from nncli.cli.training import View, run_training, show_one_step

if TYPE_CHECKING:
    from nncli.config.load import Loaded
    from nncli.experiment.experiment import Experiment
    from nncli.runs.directory import RunDirectory
    from nncli.training.session import Restored
    from nncli.training.shards.sharded import Sharded
    from nncli.training.state import Progress


@dataclass
class Job(ABC):
    """What ``nncli train`` is asked to train.

    Attributes:
        source: The config, or the run.
        runs_dir: Where runs lie.
        changes: Overrides.
        allow_plugins: Whether the config may run the Python that it names.
    """

    source: str | Path
    runs_dir: Path
    changes: list[str]
    allow_plugins: bool

    def hold(self, stack: contextlib.ExitStack) -> None:
        """Keep others from writing to the run until the stack is closed."""
        del stack

    @abstractmethod
    def build(self) -> Experiment:
        """Build the experiment; nothing is written."""

    @abstractmethod
    def begin(
        self, stack: contextlib.ExitStack, view: View
    ) -> tuple[RunDirectory, Progress]:
        """Return the run, ready to be written to, and how far it is."""


@dataclass
class Fresh(Job):
    """A new run.

    Attributes:
        start: Where first weights come from; None for the config's own.
    """

    start: Path | None = None

    def build(self) -> Experiment:
        """Read the config and the data, and take first weights."""
        from nncli.experiment.build import build
        from nncli.runs.sources import find_checkpoint, load_source
        from nncli.training.transfer import take_weights

        self.loaded: Loaded = load_source(
            str(self.source),
            self.changes,
            self.runs_dir,
            allow_plugins=self.allow_plugins,
        )
        self.experiment = build(self.loaded)
        self.facts: dict[str, Any] = {}
        if self.start is not None:
            checkpoint = find_checkpoint(self.start, self.runs_dir)
            self.facts = {"from": take_weights(self.experiment, checkpoint)}
        return self.experiment

    def begin(
        self, stack: contextlib.ExitStack, view: View
    ) -> tuple[RunDirectory, Progress]:
        """Make the run's directory."""
        from nncli.training.session import create_run
        from nncli.training.state import Progress

        if self.facts and not view.json:
            _tell_weights(self.facts["from"])
        command = ["nncli", *sys.argv[1:]]
        run = create_run(
            self.experiment, self.loaded, self.runs_dir, command, self.facts
        )
        stack.enter_context(run.lock())
        return run, Progress()


@dataclass
class Resumed(Job):
    """A run that goes on."""

    def hold(self, stack: contextlib.ExitStack) -> None:
        """Take the run's lock."""
        stack.enter_context(self.run.lock())

    @cached_property
    def run(self) -> RunDirectory:
        """The run.

        Raises:
            RunError: There is none.
        """
        from nncli.runs.sources import find_run

        return find_run(Path(self.source), self.runs_dir)

    def build(self) -> Experiment:
        """Build what the last checkpoint holds."""
        from nncli.training.resume import continued

        self.restored: Restored = continued(
            self.run, self.changes, allow_plugins=self.allow_plugins
        )
        return self.restored.experiment

    def begin(
        self, stack: contextlib.ExitStack, view: View
    ) -> tuple[RunDirectory, Progress]:
        """Note in the run that it goes on."""
        from nncli.training.resume import go_on
        from nncli.training.session import edited_configs

        run = self.run
        for file in edited_configs(run):
            note(
                f"note: {file} was edited. What counts is the run's own config, in its "
                "checkpoint; for another one, start a new run."
            )
        go_on(run, self.restored, self.changes)
        return run, self.restored.progress


def run_job(job: Job, view: View, workers: int | None) -> None:
    """Train, with the workers of this machine or with the ranks that mpirun started.

    Args:
        job: What to train.
        view: What is printed.
        workers: How many processes share a step, of each rank; None for what suits the
            machine, or one a rank.
    """

    def lead(made: Experiment, by: Sharded | None, stack: contextlib.ExitStack) -> None:
        run, progress = job.begin(stack, view)
        changes = job.changes if isinstance(job, Resumed) else None
        run_training(made, run, progress, view, changes, by)

    _share(job, workers, lead)


def try_job(job: Job, json: bool, workers: int | None) -> None:
    """Make one step as ``run_job`` would, show the network, write nothing."""

    def lead(made: Experiment, by: Sharded | None, stack: contextlib.ExitStack) -> None:
        del stack
        show_one_step(made, by, json)

    _share(job, workers, lead)


def _share(
    job: Job,
    workers: int | None,
    lead: Callable[[Experiment, Sharded | None, contextlib.ExitStack], None],
) -> None:
    """Let the first of all workers lead, and the others follow it."""
    from nncli.cli.ranks import built, ending_all, ranks_here
    from nncli.training.shards.sharded import shared_by

    ranks = ranks_here()
    with contextlib.ExitStack() as stack:
        if ranks is None:
            job.hold(stack)
            experiment = job.build()
            sharded = shared_by(experiment, workers)
            stack.enter_context(sharded or contextlib.nullcontext())
            lead(experiment, sharded, stack)
            return
        stack.enter_context(ending_all(ranks))
        experiment = built(ranks, job, stack, workers or 1)
        sharded = shared_by(experiment, workers or 1, ranks)
        stack.enter_context(sharded)
        if ranks.rank:
            sharded.follow()
        else:
            lead(experiment, sharded, stack)


def _tell_weights(facts: dict[str, Any]) -> None:
    """Say which tensors were taken from a checkpoint, and which were not."""
    taken, left = facts["taken"], facts["left"]
    say(f"from {facts['checkpoint']}")
    say_wrapped(f"taken:      {', '.join(taken)}", hang=12)
    for name, reason in left.items():
        say_wrapped(f"not taken:  {name}: {reason}", hang=12)
