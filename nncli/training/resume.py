"""Resume: a run goes on from its last checkpoint, as it was or a little changed."""

from __future__ import annotations

import copy
import json
from typing import Any

from nncli.config.override import apply_overrides
from nncli.config.read import Document
from nncli.config.schema import Config, Training
from nncli.config.validate import validate
from nncli.config.write import to_yaml, with_comments
from nncli.core.arrays import xp
from nncli.core.errors import ConfigError, UsageError
from nncli.core.text import count
from nncli.experiment.build import train_as
from nncli.experiment.crosschecks import lonely_row
from nncli.experiment.experiment import Experiment
from nncli.runs.atomic import write_bytes, write_json
from nncli.runs.checkpoint import load_checkpoint, save_checkpoint
from nncli.runs.directory import RunDirectory
from nncli.runs.manifest import now
from nncli.training.session import Restored, rebuild
from nncli.training.state import Progress, capture

RATE = "optimizer.lr"
SECTION = "training."


def resume_run(
    run: RunDirectory, overrides: list[str], *, allow_plugins: bool
) -> Restored:
    """Build a run's experiment as its last checkpoint left it.

    Rows that were logged after that checkpoint are dropped, for they will be made
    again. Every key of ``training`` may be changed, and ``optimizer.lr``; what was
    changed, and when, is noted in the manifest.

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
    if overrides:
        _change(run, restored, overrides)
    _refuse_finished(run, restored)
    run.keep_rows(restored.progress.rows)
    if overrides:
        # The checkpoint first: it alone decides what a resumed run does.
        save_checkpoint(run.last, capture(restored.experiment, restored.progress))
        write_bytes(run.resolved, to_yaml(restored.experiment.config.spec).encode())
        _note(run, restored.progress, overrides)
    return restored


def facts_of(run: RunDirectory) -> dict[str, Any]:
    """Return a run's manifest; nothing where it was lost."""
    try:
        facts = json.loads(run.manifest.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return facts if isinstance(facts, dict) else {}


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
    lonely = lonely_row(experiment)
    if lonely:
        raise ConfigError([lonely])


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
        at.best, at.best_epoch = None, 0
        at.reference, at.stalled_from, at.stopped = None, at.epoch, False
        experiment.schedule.state.update(experiment.config.schedule.live().state)
    if new.early_stopping != old.early_stopping:
        if old.early_stopping is None:
            at.reference, at.stalled_from = None, at.epoch
        stopping = new.early_stopping
        waited = at.epoch - at.stalled_from
        at.stopped = stopping is not None and waited >= stopping.patience


def _note(run: RunDirectory, at: Progress, overrides: list[str]) -> None:
    """Write into the run what was changed, and when."""
    change = {
        "at": now(),
        "epoch": at.epoch,
        "step": at.step,
        "overrides": overrides,
    }
    facts = facts_of(run)
    facts["changes"] = [*facts.get("changes", []), change]
    write_json(run.manifest, facts)
    title = f"Changed after {count(at.epoch, 'epoch')}, {change['at']}:"
    given = run.config.read_bytes() if run.config.exists() else b""
    write_bytes(run.config, with_comments(given, [title, *overrides]))


def _refuse_finished(run: RunDirectory, restored: Restored) -> None:
    at, training = restored.progress, restored.experiment.config.training
    # Without a summary the run was killed between its last checkpoint and its end.
    if not at.done(training.epochs) or not run.summary.exists():
        return
    epochs = count(at.epoch, "epoch")
    if at.stopped and training.early_stopping is not None:
        patience = training.early_stopping.patience
        raise UsageError(
            f"{run.path}: the run stopped early after {epochs}. To go on, add "
            f"training.early_stopping.patience={2 * patience}, or "
            "training.early_stopping=null for all epochs."
        )
    raise UsageError(
        f"{run.path}: the run is finished after {epochs}. To go on, add "
        f"training.epochs={2 * at.epoch}."
    )
