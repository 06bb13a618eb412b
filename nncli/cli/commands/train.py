"""``nncli train``: train the network of a config, or go on with a run."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nncli.cli.completion import complete_config, complete_run
from nncli.cli.console import (
    AllowPlugins,
    Json,
    Overrides,
    Threads,
    columns,
    note,
    say,
    say_json,
    say_wrapped,
)
from nncli.cli.training import View, run_training
from nncli.core.errors import UsageError

if TYPE_CHECKING:
    from nncli.experiment.experiment import Experiment

EPILOG = """\b
Examples:
  nncli train spiral
  nncli train spiral optimizer.lr=0.01 training.epochs=500
  nncli train --resume runs/spiral-1
  nncli train --resume spiral-1 training.epochs=20000 optimizer.lr=0.01
  nncli train spiral --from spiral-1
  nncli train digits --dry-run
"""


def train(
    config: Annotated[
        str | None,
        typer.Argument(
            metavar="CONFIG",
            help="A YAML file, or the name of an example: spiral; or a run whose "
            "config is taken.",
            autocompletion=complete_config,
            show_default=False,
        ),
    ] = None,
    overrides: Overrides = None,
    resume: Annotated[
        Path | None,
        typer.Option(
            "--resume",
            metavar="RUN",
            help="Go on with this run.",
            autocompletion=complete_run,
        ),
    ] = None,
    start: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="RUN|CHECKPOINT",
            help="Begin with the weights from there that fit by name and shape.",
            autocompletion=complete_run,
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(help="Name of the run directory, instead of the config's."),
    ] = None,
    runs_dir: Annotated[
        Path,
        typer.Option(
            "--runs-dir", metavar="DIR", help="Where runs are made and looked up."
        ),
    ] = Path("runs"),
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Build, make one step, show the network, write nothing."
        ),
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Show no progress.")
    ] = False,
    threads: Threads = None,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=1024,
            help="Processes that share a step, instead of what suits the machine; bits "
            "do not depend on it.",
        ),
    ] = None,
    allow_plugins: AllowPlugins = False,
    json: Json = False,
) -> None:
    """Train the network of a config, or go on with a run."""
    changes = list(overrides or [])
    view = View(quiet=quiet, json=json)
    if threads is not None:
        changes.append(f"training.threads={threads}")
    if resume is not None:
        _refuse_with_resume(name, dry_run, start)
        if config is not None and "=" not in config:
            raise UsageError(
                f"train: --resume uses the run's own config; leave out {config}."
            )
        changes = ([config] if config else []) + changes
        _resume(resume, runs_dir, changes, allow_plugins, view, workers)
        return
    if config is None:
        raise UsageError("train: expected a CONFIG, for example: nncli train spiral")
    from nncli.experiment.build import build
    from nncli.runs.sources import load_source

    if name is not None:
        changes.append(f"name={name!r}")
    loaded = load_source(config, changes, runs_dir, allow_plugins=allow_plugins)
    experiment = build(loaded)
    facts = {} if start is None else {"from": _begin_with(experiment, start, runs_dir)}
    if facts and not json:
        _tell_weights(facts["from"])
    if dry_run:
        _dry_run(experiment, json)
        return
    from nncli.training.session import create_run
    from nncli.training.state import Progress

    command = ["nncli", *sys.argv[1:]]
    run = create_run(experiment, loaded, runs_dir, command, facts)
    with run.lock():
        run_training(experiment, run, Progress(), view, workers=workers)


def _begin_with(experiment: Experiment, start: Path, runs: Path) -> dict[str, Any]:
    from nncli.runs.sources import find_checkpoint
    from nncli.training.transfer import take_weights

    return take_weights(experiment, find_checkpoint(start, runs))


def _tell_weights(facts: dict[str, Any]) -> None:
    """Say which tensors were taken from a checkpoint, and which were not."""
    taken, left = facts["taken"], facts["left"]
    say(f"from {facts['checkpoint']}")
    say_wrapped(f"taken:      {', '.join(taken)}", hang=12)
    for name, reason in left.items():
        say_wrapped(f"not taken:  {name}: {reason}", hang=12)


def _refuse_with_resume(name: str | None, dry_run: bool, start: Path | None) -> None:
    if name is not None or dry_run or start is not None:
        raise UsageError(
            "train: --resume goes on with a run as it is; leave out --name, --from and "
            "--dry-run."
        )


def _resume(
    given: Path,
    runs: Path,
    changes: list[str],
    allow_plugins: bool,
    view: View,
    workers: int | None,
) -> None:
    from nncli.runs.sources import find_run
    from nncli.training.resume import resume_run
    from nncli.training.session import edited_configs

    run = find_run(given, runs)
    with run.lock():
        for file in edited_configs(run):
            note(
                f"note: {file} was edited. What counts is the run's own config, in its "
                "checkpoint; for another one, start a new run."
            )
        restored = resume_run(run, changes, allow_plugins=allow_plugins)
        run_training(
            restored.experiment, run, restored.progress, view, changes, workers
        )


def _dry_run(experiment: Experiment, json: bool) -> None:
    from nncli.training.cost import summary_facts, summary_text
    from nncli.training.trainer import Trainer

    facts = summary_facts(experiment)
    trainer = Trainer(experiment, None)
    batch = next(trainer.batches.epoch(0))
    trainer.step.run(batch, trainer.lr, 1)
    if json:
        say_json(facts)
        return
    say(summary_text(facts, columns()))
    say("One step went well. Nothing was written.")
