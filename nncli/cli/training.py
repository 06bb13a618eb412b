"""A training at the terminal: its views, its end, its report."""

from __future__ import annotations

import contextlib
import shlex
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nncli.cli.console import columns, note, say, say_json, say_of_run
from nncli.cli.pictures import draw_later, draw_run
from nncli.core.errors import DivergedError, InterruptedRun
from nncli.core.stopping import stopping_signals
from nncli.core.text import count, duration, json_text, number, scores_text

if TYPE_CHECKING:
    from nncli.experiment.experiment import Experiment
    from nncli.runs.directory import RunDirectory
    from nncli.training.shards.sharded import Sharded
    from nncli.training.state import Progress
    from nncli.training.trainer import Trainer


@dataclass(frozen=True)
class View:
    """What is printed of a training.

    Attributes:
        quiet: No progress.
        json: The result as JSON.
        tensorboard: Where event files for TensorBoard go; None for nowhere.
        plots: Whether the run draws itself at its end; None for without making a
            person at a terminal wait.
    """

    quiet: bool
    json: bool
    tensorboard: Path | None = None
    plots: bool | None = False


def run_training(
    experiment: Experiment,
    run: RunDirectory,
    progress: Progress,
    view: View,
    changes: list[str] | None = None,
    sharded: Sharded | None = None,
) -> None:
    """Train, and tell how it went.

    Args:
        experiment: What to train.
        run: Where it is written.
        progress: How far it is.
        view: What is printed.
        changes: Overrides that it was resumed with.
        sharded: The workers that share a step; None for this process alone.

    Raises:
        DivergedError: A loss or gradient is not finite.
        InterruptedRun: A signal ended it after a step; everything is saved.
        WorkerLostError: Another process that shared the steps was ended.
    """
    from nncli.cli.onlookers import Onlookers
    from nncli.cli.views import LogWriter, make_view
    from nncli.training.shards.group import WorkerLostError
    from nncli.training.tensorboard import TensorBoard
    from nncli.training.trainer import Trainer

    views = [] if view.quiet else [make_view()]
    if view.tensorboard is not None:
        views.append(TensorBoard(view.tensorboard / run.path.name))
    onlookers = Onlookers([*views, LogWriter(run, changes)])
    trainer = Trainer(experiment, run, [onlookers], progress, sharded=sharded)
    first = progress.step
    if not view.json:
        say_of_run(f"run {run.path}")
    elif not view.quiet:
        note(f"run {run.path}")
    if not view.quiet:
        for text in experiment.parts["train"].rows.notes:
            note(f"note: {text}")
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
        if isinstance(error, WorkerLostError):
            raise WorkerLostError(f"{error}\n{_go_on(run)}") from None
        raise
    result = _finish(trainer, run, failure, time.perf_counter() - began)
    if view.json:
        say_of_run(json_text(result))
    if failure is None and trainer.done and not view.json:
        _report(result, run, result["steps"] - first, trainer.best_at)
    if result["last"] is not None:
        _draw(run, experiment, view, stopped=result["status"] == "interrupted")
    if failure is not None:
        best = f"\nThe best checkpoint is kept: {run.best}" if run.best.exists() else ""
        raise DivergedError(f"{failure}{best}") from None
    if not trainer.done:
        raise InterruptedRun(
            f"stopped after step {trainer.progress.step}; everything is saved.\n"
            f"{_go_on(run)}"
        )


def _draw(
    run: RunDirectory, experiment: Experiment, view: View, *, stopped: bool
) -> None:
    """Draw the run as it was asked for; who has stopped it does not wait for that."""
    if view.plots is None and draw_later(run, experiment):
        return
    if view.plots is not False and not stopped:
        draw_run(run, experiment)


def show_one_step(experiment: Experiment, sharded: Sharded | None, json: bool) -> None:
    """Make one training step, show the network; write nothing."""
    from nncli.training.cost import summary_facts, summary_text
    from nncli.training.trainer import Trainer

    facts = summary_facts(experiment)
    trainer = Trainer(experiment, None, sharded=sharded)
    trainer.step.run(next(trainer.batches.epoch(0)), trainer.lr, 1)
    if json:
        say_json(facts)
        return
    say(summary_text(facts, columns()))
    say("One step went well. Nothing was written.")


def _keep_failure(
    trainer: Trainer, run: RunDirectory, error: Exception, seconds: float
) -> None:
    """Write to the run how it failed, if anything can be written at all."""
    from nncli.cli.views import dated
    from nncli.config.plugins import plugin_failure
    from nncli.core.atomic import write_json
    from nncli.core.files import append_text

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
    from nncli.core.atomic import write_json

    status = "finished" if trainer.done else "interrupted"
    result = _facts(trainer, run, "diverged" if failure else status, seconds)
    write_json(run.summary, result)
    return result


def _facts(
    trainer: Trainer, run: RunDirectory, status: str, seconds: float
) -> dict[str, Any]:
    from nncli.runs.rows import last_row

    at, facts = trainer.progress, run.facts()
    return {
        "run": str(run.path),
        "status": status,
        "stopped_early": at.stopped,
        "epochs": at.epoch,
        "steps": at.step,
        "seconds": round(seconds, 3),
        "monitor": trainer.experiment.config.training.monitor,
        "best": {"epoch": at.best_epoch, "step": at.best_step, "value": at.best},
        "last": last_row(run.metrics) or None,
        "overrides": facts.get("overrides", []),
        "changes": facts.get("changes", []),
        "from": facts.get("from"),
    }


def _report(result: dict[str, Any], run: RunDirectory, made: int, best_at: str) -> None:
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
            f"{'best:':<12}{result['monitor']} {number(best['value'])} after {best_at}",
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
