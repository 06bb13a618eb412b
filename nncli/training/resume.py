"""Resume: a run goes on from its last checkpoint, as it was or a little changed."""

from __future__ import annotations

import copy
from typing import Any

from nncli.config.override import apply_overrides
from nncli.config.read import Document
from nncli.config.schema import Config, Training
from nncli.config.validate import validate
from nncli.config.write import with_comments
from nncli.core.arrays import xp
from nncli.core.errors import ConfigError, RunError, UsageError
from nncli.core.files import open_file
from nncli.core.text import count
from nncli.experiment.build import train_as
from nncli.experiment.crosschecks import unfit_batches
from nncli.experiment.experiment import Experiment
from nncli.runs.checkpoint import load_checkpoint, save_checkpoint
from nncli.runs.directory import RunDirectory
from nncli.runs.manifest import now
from nncli.training.session import Restored, rebuild, write_configs
from nncli.training.state import Progress, capture, progress_of

RATE = "optimizer.lr"
SECTION = "training."


def resume_run(
    run: RunDirectory, overrides: list[str], *, allow_plugins: bool
) -> Restored:
    """Build a run's experiment as its last checkpoint left it, and let it go on.

    Rows that were logged after that checkpoint are dropped, for they will be made
    again. What was changed, and when, is noted in the manifest.

    Raises:
        NncliError: As of ``continued``.
    """
    restored = continued(run, overrides, allow_plugins=allow_plugins)
    go_on(run, restored, overrides)
    return restored


def continued(
    run: RunDirectory, overrides: list[str], *, allow_plugins: bool
) -> Restored:
    """Build a run's experiment as its last checkpoint left it; write nothing.

    Every key of ``training`` may be changed, and ``optimizer.lr``.

    Raises:
        RunError: The run cannot be continued.
        UsageError: Something else is changed, or there is nothing left to do.
        ConfigError: A change is not a valid one.
    """
    for text in overrides:
        name = text.partition("=")[0]
        if name != RATE and not name.startswith(SECTION):
            raise UsageError(
                f"override {text!r}: a run that is resumed can only be changed in "
                f"{SECTION}* and {RATE}. For other changes start a new run with its "
                f"weights: nncli train CONFIG {text} --from {run.path}"
            )
    checkpoint = load_checkpoint(run.last)
    rates = [text for text in overrides if text.partition("=")[0] == RATE]
    restored = rebuild(run.last, checkpoint, rates, allow_plugins=allow_plugins)
    _take_best(run, restored)
    if overrides:
        _change(run, restored, overrides)
    _refuse_finished(run, restored)
    return restored


def go_on(run: RunDirectory, restored: Restored, overrides: list[str]) -> None:
    """Write to a run that it goes on as ``continued`` has built it."""
    run.keep_rows(restored.progress.rows)
    run.keep_records(restored.progress.step)
    if overrides:
        # The checkpoint first: it alone decides what a resumed run does.
        save_checkpoint(run.last, capture(restored.experiment, restored.progress))
        _note(run, restored, overrides)


def _take_best(run: RunDirectory, restored: Restored) -> None:
    """Let the best checkpoint on disk count, which may be newer than the last one.

    A training that diverged leaves such a one, and a worse one shall not replace it.
    """
    at = restored.progress
    at.best, at.best_epoch, at.best_step = None, 0, 0
    if not run.best.exists():
        return
    try:
        found = load_checkpoint(run.best)
        best = progress_of(found, str(run.best))
    except RunError as error:
        raise RunError(f"{error} Without this file, the run can go on.") from None
    if _monitor(found.meta.get("config")) == _monitor(restored.experiment.config.spec):
        # That of another score is no value of this one.
        at.best, at.best_epoch, at.best_step = (
            best.best,
            best.best_epoch,
            best.best_step,
        )


def _monitor(config: Any) -> Any:
    training = config.get("training") if isinstance(config, dict) else None
    return training.get("monitor") if isinstance(training, dict) else None


def _change(run: RunDirectory, restored: Restored, overrides: list[str]) -> None:
    """Let the rest of a training be another one."""
    experiment, at = restored.experiment, restored.progress
    document = Document(str(run.last), copy.deepcopy(experiment.config.spec))
    apply_overrides(document, overrides)
    before, config = experiment.config.training, validate(document)
    try:
        _train_as(experiment, config)
    except ConfigError as error:
        raise document.error(error.problems) from None
    _replace(experiment, at, before, config.training)


def _train_as(experiment: Experiment, config: Config) -> None:
    average = experiment.average
    train_as(experiment, config.training)
    if average is not None and experiment.average is not None:
        # Another decay goes on with the average that there is.
        xp.copyto(experiment.average.values, average.values)
    problems = unfit_batches(experiment)
    if problems:
        raise ConfigError(problems)


def _replace(
    experiment: Experiment, at: Progress, old: Training, new: Training
) -> None:
    """Let the place in a training be one of the training as it is now."""
    if (new.batch_size, new.accumulate) != (old.batch_size, old.accumulate):
        # An epoch that is under way begins again, for its batches are others.
        at.batch = 0
        at.offset = at.step - at.epoch * experiment.steps_per_epoch
    if new.monitor != old.monitor:
        # Values of another score say nothing: neither here nor in the schedule.
        at.best, at.best_epoch, at.best_step = None, 0, 0
        at.reference, at.stalled_from, at.stopped = None, at.epoch, False
        experiment.schedule.state.update(experiment.config.schedule.live().state)
    if new.early_stopping != old.early_stopping:
        if old.early_stopping is None:
            at.reference, at.stalled_from = None, at.epoch
        stopping = new.early_stopping
        waited = at.epoch - at.stalled_from
        at.stopped = stopping is not None and waited >= stopping.patience


def _note(run: RunDirectory, restored: Restored, overrides: list[str]) -> None:
    """Write into the run what was changed, and when."""
    at, facts = restored.progress, run.facts()
    change = {
        "at": now(),
        "epoch": at.epoch,
        "step": at.step,
        "overrides": overrides,
    }
    facts["changes"] = [*facts.get("changes", []), change]
    title = f"Changed after {count(at.epoch, 'epoch')}, {change['at']}:"
    given = b""
    if run.config.exists():
        with open_file(run.config) as file:
            given = file.read()
    given = with_comments(given, [title, *overrides])
    write_configs(run, given, restored.experiment, facts)


def _refuse_finished(run: RunDirectory, restored: Restored) -> None:
    at, experiment = restored.progress, restored.experiment
    training = experiment.config.training
    # Without a summary the run was killed between its last checkpoint and its end.
    if not at.done(at.end_of(experiment)) or not run.summary.exists():
        return
    epochs = count(at.epoch, "epoch")
    if at.stopped and training.early_stopping is not None:
        patience = training.early_stopping.patience
        raise UsageError(
            f"{run.path}: the run stopped early after {epochs}. To go on, add "
            f"training.early_stopping.patience={2 * patience}, or "
            "training.early_stopping=null for all epochs."
        )
    by_steps = training.steps is not None
    made, noun = (at.step, "step") if by_steps else (at.epoch, "epoch")
    raise UsageError(
        f"{run.path}: the run is finished after {count(made, noun)}. To go on, add "
        f"training.{noun}s={2 * made}."
    )
