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

from nncli.cli.console import (
    AllowPlugins,
    Json,
    Overrides,
    note,
    out,
    say,
    say_json,
    say_wrapped,
)
from nncli.core.errors import DivergedError, InterruptedRun, UsageError
from nncli.core.text import count, duration, number, scores_text

if TYPE_CHECKING:
    from nncli.experiment.experiment import Experiment
    from nncli.runs.directory import RunDirectory
    from nncli.training.state import Progress
    from nncli.training.trainer import Trainer

EPILOG = """\b
Examples:
  nncli train configs/spiral.yaml
  nncli train configs/spiral.yaml optimizer.lr=0.01 training.epochs=500
  nncli train --resume runs/spiral-1
  nncli train --resume spiral-1 training.epochs=20000 optimizer.lr=0.01
  nncli train configs/spiral.yaml --from spiral-1
  nncli train configs/digits.yaml --dry-run
"""


def train(
    config: Annotated[
        str | None,
        typer.Argument(
            metavar="CONFIG",
            help="A YAML file, or a run whose config is taken.",
            show_default=False,
        ),
    ] = None,
    overrides: Overrides = None,
    resume: Annotated[
        Path | None,
        typer.Option("--resume", metavar="RUN", help="Go on with this run."),
    ] = None,
    start: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="RUN|CHECKPOINT",
            help="Begin with the weights from there that fit by name and shape.",
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
    allow_plugins: AllowPlugins = False,
    json: Json = False,
) -> None:
    """Train the network of a config, or go on with a run."""
    changes = list(overrides or [])
    view = View(quiet=quiet, json=json)
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
        raise UsageError(
            "train: expected a CONFIG, for example: nncli train configs/spiral.yaml"
        )
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

    run = find_run(given, runs)
    with run.lock():
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
    from nncli.cli.views import LogWriter, make_view
    from nncli.training.trainer import Trainer

    views = [] if view.quiet else [make_view()]
    trainer = Trainer(experiment, run, [*views, LogWriter(changes)], progress)
    first = progress.step
    if not view.json:
        say(f"run {run.path}")
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
    result = _finish(trainer, run, failure, time.perf_counter() - began)
    if view.json:
        say_json(result)
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


def _go_on(run: RunDirectory) -> str:
    return f"Go on with: nncli train --resume {shlex.quote(str(run.path))}"


def _finish(
    trainer: Trainer, run: RunDirectory, failure: DivergedError | None, seconds: float
) -> dict[str, Any]:
    """Write the summary."""
    from nncli.runs.atomic import write_json
    from nncli.training.resume import facts_of

    at, facts = trainer.progress, facts_of(run)
    rows = run.rows()
    status = "finished" if trainer.done else "interrupted"
    result = {
        "run": str(run.path),
        "status": "diverged" if failure else status,
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
    write_json(run.summary, result)
    return result


def _report(result: dict[str, Any], run: RunDirectory, made: int) -> None:
    early = " (stopped early)" if result["stopped_early"] else ""
    # Of a run that went on, the time is that of its last part.
    part = "" if made == result["steps"] else f", {made:,} of them now,"
    say_wrapped(
        f"{count(result['epochs'], 'epoch')}{early}, {count(result['steps'], 'step')}"
        f"{part} in {duration(result['seconds'])}"
    )
    for name in ("train", "validation"):
        if name in result["last"]:
            scores = scores_text(result["last"][name], between="\xa0")
            say_wrapped(f"{name + ':':<12}{scores}", hang=12)
    best = result["best"]
    if best["value"] is not None:
        say_wrapped(
            f"{'best:':<12}{result['monitor']} {number(best['value'])} after epoch "
            f"{best['epoch']:,}",
            hang=12,
        )
    say(f"next: nncli eval {shlex.quote(str(run.path))}")


@contextlib.contextmanager
def _interruptible(trainer: Trainer, run: RunDirectory) -> Iterator[None]:
    """Let the first Ctrl-C (or SIGTERM) end after the step, the second at once."""

    def stop(_signal: int, _frame: Any) -> None:
        if trainer.interrupted:
            raise InterruptedRun(
                f"stopped at once; the last checkpoint is kept.\n{_go_on(run)}"
            )
        trainer.interrupted = True

    signals = (signal.SIGINT, signal.SIGTERM)
    before = {which: signal.signal(which, stop) for which in signals}
    try:
        yield
    finally:
        for which, handler in before.items():
            signal.signal(which, handler)
