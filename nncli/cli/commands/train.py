"""``nncli train``: train the network of a config, or go on with a run."""

from __future__ import annotations

import contextlib
import shlex
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nncli.cli.completion import complete_config, complete_run
from nncli.cli.console import (
    AllowPlugins,
    Json,
    Overrides,
    Threads,
    duration,
    note,
    say,
    say_json,
    say_of_run,
)
from nncli.cli.process import stopping_signals
from nncli.core.errors import DivergedError, InterruptedRun, UsageError
from nncli.core.text import json_text

if TYPE_CHECKING:
    from nncli.experiment.experiment import Experiment
    from nncli.runs.directory import RunDirectory
    from nncli.training.state import Progress
    from nncli.training.trainer import Trainer

EPILOG = """\b
Examples:
  nncli train spiral
  nncli train spiral optimizer.lr=0.01 training.epochs=500
  nncli train --resume runs/spiral-1
  nncli train --resume runs/spiral-1 training.epochs=20000
  nncli train digits --dry-run
"""


def train(
    config: Annotated[
        str | None,
        typer.Argument(
            metavar="CONFIG",
            help="The YAML file, or the name of an example: spiral.",
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
            help="Go on with this run directory.",
            autocompletion=complete_run,
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(help="Name of the run directory, instead of the config's."),
    ] = None,
    runs_dir: Annotated[
        Path, typer.Option("--runs-dir", help="Where run directories are made.")
    ] = Path("runs"),
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Build, make one step, show the network, write nothing."
        ),
    ] = False,
    threads: Threads = None,
    allow_plugins: AllowPlugins = False,
    json: Json = False,
) -> None:
    """Train the network of a config, or go on with a run."""
    changes = list(overrides or [])
    if threads is not None:
        changes.append(f"training.threads={threads}")
    if resume is not None:
        _refuse_with_resume(name, dry_run)
        if config is not None and "=" not in config:
            raise UsageError(
                f"train: --resume uses the run's own config; leave out {config}."
            )
        changes = ([config] if config else []) + changes
        _resume(resume, changes, allow_plugins, json)
        return
    if config is None:
        raise UsageError("train: expected a CONFIG, for example: nncli train spiral")
    from nncli.config.load import load_config
    from nncli.experiment.build import build

    if name is not None:
        changes.append(f"name={name!r}")
    loaded = load_config(Path(config), changes, allow_plugins=allow_plugins)
    experiment = build(loaded)
    if dry_run:
        _dry_run(experiment, json)
        return
    from nncli.training.session import create_run
    from nncli.training.state import Progress

    command = ["nncli", *sys.argv[1:]]
    run = create_run(experiment, loaded, runs_dir, command)
    with run.lock():
        _train(experiment, run, Progress(), json)


def _refuse_with_resume(name: str | None, dry_run: bool) -> None:
    if name is not None or dry_run:
        raise UsageError(
            "train: --resume goes on with a run as it is; leave out --name and "
            "--dry-run."
        )


def _resume(path: Path, changes: list[str], allow_plugins: bool, json: bool) -> None:
    from nncli.runs.directory import RunDirectory
    from nncli.training.session import edited_configs, resume_run

    run = RunDirectory.open(path)
    with run.lock():
        for file in edited_configs(run):
            note(
                f"note: {file} was edited. What counts is the run's own config, in its "
                "checkpoint; for another one, start a new run."
            )
        restored = resume_run(run, changes, allow_plugins=allow_plugins)
        _train(restored.experiment, run, restored.progress, json)


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
    say(summary_text(facts))
    say("One step went well. Nothing was written.")


def _train(
    experiment: Experiment, run: RunDirectory, progress: Progress, json: bool
) -> None:
    from nncli.cli.onlookers import Onlookers
    from nncli.cli.views import LogWriter, make_view
    from nncli.training.trainer import Trainer

    onlookers = Onlookers([make_view(), LogWriter()])
    trainer = Trainer(experiment, run, [onlookers], progress)
    (note if json else say_of_run)(f"run {run.path}")
    # A summary tells that a training came to its end.
    run.summary.unlink(missing_ok=True)
    began = time.perf_counter()
    failure: DivergedError | None = None
    try:
        with _interruptible(trainer, run):
            trainer.fit()
    except DivergedError as error:
        failure = error
    except InterruptedRun:
        raise
    except Exception as error:
        _keep_failure(trainer, run, error, time.perf_counter() - began)
        raise
    result = _finish(trainer, run, failure, time.perf_counter() - began)
    if json:
        say_of_run(json_text(result))
    if failure is not None:
        best = f"\nThe best checkpoint is kept: {run.best}" if run.best.exists() else ""
        raise DivergedError(f"{failure}{best}") from None
    if not trainer.done:
        raise InterruptedRun(
            f"stopped after step {trainer.progress.step}; everything is saved.\n"
            f"{_go_on(run)}"
        )
    if not json:
        _report(result, run)


def _keep_failure(
    trainer: Trainer, run: RunDirectory, error: Exception, seconds: float
) -> None:
    """Write to the run how it failed, if anything can be written at all."""
    from nncli.cli.views import dated
    from nncli.config.plugins import plugin_failure
    from nncli.core.files import append_text
    from nncli.runs.atomic import write_json

    text = str(plugin_failure(error) or error) or type(error).__name__
    with contextlib.suppress(OSError):
        append_text(run.log, dated(f"failed: {text}"))
        facts = _facts(trainer, run, "failed", seconds)
        write_json(run.summary, facts | {"error": text})


def _go_on(run: RunDirectory) -> str:
    return f"Go on with: nncli train --resume {shlex.quote(str(run.path))}"


def _finish(
    trainer: Trainer, run: RunDirectory, failure: DivergedError | None, seconds: float
) -> dict[str, Any]:
    """Write the summary."""
    from nncli.runs.atomic import write_json

    status = "finished" if trainer.done else "interrupted"
    result = _facts(trainer, run, "diverged" if failure else status, seconds)
    write_json(run.summary, result)
    return result


def _facts(
    trainer: Trainer, run: RunDirectory, status: str, seconds: float
) -> dict[str, Any]:
    at = trainer.progress
    rows = run.rows()
    return {
        "run": str(run.path),
        "status": status,
        "stopped_early": at.stopped,
        "epochs": at.epoch,
        "steps": at.step,
        "seconds": round(seconds, 3),
        "monitor": trainer.experiment.config.training.monitor,
        "best": {"epoch": at.best_epoch, "value": at.best},
        "last": rows[-1] if rows else None,
    }


def _report(result: dict[str, Any], run: RunDirectory) -> None:
    from nncli.cli.console import number
    from nncli.cli.views import scores_text

    early = " (stopped early)" if result["stopped_early"] else ""
    say_of_run(
        f"{result['epochs']:,} epochs{early}, {result['steps']:,} steps in "
        f"{duration(result['seconds'])}"
    )
    for part in ("train", "validation"):
        if part in result["last"]:
            say_of_run(f"{part + ':':<12}{scores_text(result['last'][part])}")
    best = result["best"]
    say_of_run(
        f"{'best:':<12}{result['monitor']} {number(best['value'])} after epoch "
        f"{best['epoch']:,}"
    )
    say_of_run(f"run {run.path}")
    say_of_run(f"next: nncli eval {shlex.quote(str(run.path))}")


@contextlib.contextmanager
def _interruptible(trainer: Trainer, run: RunDirectory) -> Iterator[None]:
    """Let the first Ctrl-C, SIGTERM or SIGHUP end after the step, a second at once."""
    stopped = False

    def stop(_signal: int, _frame: Any) -> None:
        nonlocal stopped
        if stopped:
            # A third one lets the second clean up.
            return
        if trainer.interrupted:
            stopped = True
            raise InterruptedRun(
                f"stopped at once; the last checkpoint is kept.\n{_go_on(run)}"
            )
        trainer.interrupted = True

    before = {which: signal.signal(which, stop) for which in stopping_signals()}
    try:
        yield
    finally:
        for which, handler in before.items():
            signal.signal(which, handler)
