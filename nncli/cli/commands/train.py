"""``nncli train``: train the network of a config, or go on with a run."""

from __future__ import annotations

import contextlib
import shlex
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nncli.cli.completion import complete_config, complete_run
from nncli.cli.console import (
    AllowPlugins,
    Json,
    Overrides,
    Threads,
    note,
    out,
    say,
    say_json,
    say_of_run,
    say_wrapped,
)
from nncli.cli.process import stopping_signals
from nncli.core.errors import DivergedError, InterruptedRun, UsageError
from nncli.core.text import count, duration, json_text, number, scores_text

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
        _resume(resume, runs_dir, changes, allow_plugins, view)
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
        _train(experiment, run, Progress(), view)


@dataclass(frozen=True)
class View:
    """What is printed of a training.

    Attributes:
        quiet: No progress.
        json: The result as JSON.
    """

    quiet: bool
    json: bool


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
    given: Path, runs: Path, changes: list[str], allow_plugins: bool, view: View
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
        _train(restored.experiment, run, restored.progress, view, changes)


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
    say(summary_text(facts, out().width))
    say("One step went well. Nothing was written.")


def _train(
    experiment: Experiment,
    run: RunDirectory,
    progress: Progress,
    view: View,
    changes: list[str] | None = None,
) -> None:
    from nncli.cli.onlookers import Onlookers
    from nncli.cli.views import LogWriter, make_view
    from nncli.training.trainer import Trainer

    views = [] if view.quiet else [make_view()]
    onlookers = Onlookers([*views, LogWriter(changes)])
    trainer = Trainer(experiment, run, [onlookers], progress)
    first = progress.step
    if not view.json:
        say_of_run(f"run {run.path}")
    elif not view.quiet:
        note(f"run {run.path}")
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
    if view.json:
        say_of_run(json_text(result))
    if failure is not None:
        best = f"\nThe best checkpoint is kept: {run.best}" if run.best.exists() else ""
        raise DivergedError(f"{failure}{best}") from None
    if not trainer.done:
        raise InterruptedRun(
            f"stopped after step {trainer.progress.step}; everything is saved.\n"
            f"{_go_on(run)}"
        )
    if not view.json:
        _report(result, run, result["steps"] - first)


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
    at, facts = trainer.progress, run.facts()
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
        "overrides": facts.get("overrides", []),
        "changes": facts.get("changes", []),
        "from": facts.get("from"),
    }


def _report(result: dict[str, Any], run: RunDirectory, made: int) -> None:
    early = " (stopped early)" if result["stopped_early"] else ""
    # Of a run that went on, the time is that of its last part.
    part = "" if made == result["steps"] else f", {made:,} of them now,"
    say_of_run(
        f"{count(result['epochs'], 'epoch')}{early}, {count(result['steps'], 'step')}"
        f"{part} in {duration(result['seconds'])}",
        hang=0,
    )
    for name in ("train", "validation"):
        if name in result["last"]:
            scores = scores_text(result["last"][name], between="\xa0")
            say_of_run(f"{name + ':':<12}{scores}", hang=12)
    best = result["best"]
    if best["value"] is not None:
        say_of_run(
            f"{'best:':<12}{result['monitor']} {number(best['value'])} after epoch "
            f"{best['epoch']:,}",
            hang=12,
        )
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
