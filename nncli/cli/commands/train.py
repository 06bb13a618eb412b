"""``nncli train``: train the network of a config, or go on with a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nncli.cli.completion import complete_config, complete_run
from nncli.cli.console import (
    AllowPlugins,
    Json,
    Overrides,
    Threads,
)
from nncli.cli.jobs import Fresh, Resumed, run_job, try_job
from nncli.cli.training import View
from nncli.core.errors import UsageError

EPILOG = """\b
Examples:
  nncli train spiral
  nncli train spiral optimizer.lr=0.01 training.epochs=500
  nncli train --resume runs/spiral-1
  nncli train --resume spiral-1 training.epochs=20000 optimizer.lr=0.01
  nncli train spiral --from spiral-1
  nncli train digits --dry-run
  mpirun -n 4 nncli train digits
  nncli train digits --tensorboard logs
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
    plots: Annotated[
        bool | None,
        typer.Option(
            "--plots/--no-plots",
            envvar="NNCLI_PLOTS",
            help="Whether the run draws itself at its end, into its directory plots. "
            "By default it does; in a terminal you do not wait for it.",
            show_default=False,
        ),
    ] = None,
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
    tensorboard: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Write event files for TensorBoard too, into a directory there that "
            "is called as the run.",
        ),
    ] = None,
    allow_plugins: AllowPlugins = False,
    json: Json = False,
) -> None:
    """Train the network of a config, or go on with a run."""
    changes = list(overrides or [])
    view = View(quiet=quiet, json=json, tensorboard=tensorboard, plots=plots)
    if tensorboard is not None:
        from nncli.training.tensorboard import require_writer

        # Before anything is made.
        require_writer()
    if threads is not None:
        changes.append(f"training.threads={threads}")
    if resume is not None:
        _refuse_with_resume(name, dry_run, start)
        if config is not None and "=" not in config:
            raise UsageError(
                f"train: --resume uses the run's own config; leave out {config}."
            )
        changes = ([config] if config else []) + changes
        run_job(Resumed(resume, runs_dir, changes, allow_plugins), view, workers)
        return
    if config is None:
        raise UsageError("train: expected a CONFIG, for example: nncli train spiral")
    if name is not None:
        changes.append(f"name={name!r}")
    job = Fresh(config, runs_dir, changes, allow_plugins, start)
    if dry_run:
        try_job(job, json, workers)
        return
    run_job(job, view, workers)


def _refuse_with_resume(name: str | None, dry_run: bool, start: Path | None) -> None:
    if name is not None or dry_run or start is not None:
        raise UsageError(
            "train: --resume goes on with a run as it is; leave out --name, --from and "
            "--dry-run."
        )
