"""Session: from a config to a run, and from a run or checkpoint back."""

from __future__ import annotations

import contextlib
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nncli.config.load import Loaded, load_values
from nncli.config.read import Document
from nncli.config.write import to_yaml
from nncli.core import errors
from nncli.core.errors import ConfigError, RunError, UsageError
from nncli.core.files import open_file
from nncli.data.labels import Labels
from nncli.experiment.build import assemble, build
from nncli.experiment.experiment import Experiment
from nncli.runs.atomic import write_bytes, write_json
from nncli.runs.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from nncli.runs.directory import RunDirectory
from nncli.runs.manifest import manifest
from nncli.training.state import Progress, capture, progress_of, restore
from nncli.training.threads import threads_of


@dataclass
class Restored:
    """An experiment as a checkpoint left it."""

    experiment: Experiment
    checkpoint: Checkpoint
    progress: Progress


def create_run(
    experiment: Experiment, loaded: Loaded, parent: Path, command: list[str]
) -> RunDirectory:
    """Make a run directory whose first checkpoint is the untrained network."""
    document, config = loaded.document, experiment.config

    def fill(run: RunDirectory) -> None:
        threads = threads_of(experiment)
        facts = manifest(config.seed, experiment.data_sha256, command, threads)
        write_json(run.manifest, facts)
        _write_configs(run, _as_given(document), experiment)
        write_bytes(run.metrics, b"")
        save_checkpoint(run.last, capture(experiment, Progress()))

    return RunDirectory.create(parent, config.name, fill)


def _as_given(document: Document) -> str:
    if document.text and not document.overrides and "name" in _keys(document):
        return "\n".join(document.text) + "\n"
    return to_yaml(document.value)


def _write_configs(run: RunDirectory, given: str, experiment: Experiment) -> None:
    """Write both configs, and before them into the manifest what is written."""
    texts = given.encode(), to_yaml(experiment.config.spec).encode()
    facts = run.facts()
    known = _written(facts)
    digests = [digest for text in texts if (digest := _sha256(text)) not in known]
    write_json(run.manifest, facts | {"configs_sha256": [*known, *digests]})
    for path, text in zip((run.config, run.resolved), texts, strict=True):
        write_bytes(path, text)


def edited_configs(run: RunDirectory) -> list[Path]:
    """Return the run's configs that somebody else has written since."""
    known = _written(run.facts())
    edited = []
    for path in (run.config, run.resolved):
        with contextlib.suppress(OSError), open_file(path) as file:
            if known and _sha256(file.read()) not in known:
                edited.append(path)
    return edited


def _written(facts: dict[str, Any]) -> list[str]:
    """Return the digests of every config that the run wrote."""
    known = facts.get("configs_sha256")
    return known if isinstance(known, list) else []


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _keys(document: Document) -> set[Any]:
    """Return the top-level keys that the file itself has."""
    return {path[0] for path in document.key_marks if len(path) == 1}


def restore_checkpoint(path: Path, *, allow_plugins: bool) -> Restored:
    """Build the experiment that a checkpoint describes, and fill it.

    Raises:
        RunError: The file is no whole checkpoint, or its data is not to be had.
        UsageError: Its config names plugins and they are not allowed.
    """
    checkpoint = load_checkpoint(path)
    return _rebuild(path, checkpoint, [], allow_plugins)


def restore_without_data(
    checkpoint: Checkpoint, source: str, *, allow_plugins: bool
) -> Restored:
    """Make the experiment of a checkpoint, to use it or to train it on other rows.

    Args:
        checkpoint: Of a run, or of a model.
        source: What messages call it.
        allow_plugins: Whether its config may run the Python files it names.

    Raises:
        RunError: It is not the checkpoint of a model.
        ConfigError: Its config has problems.
    """
    meta = checkpoint.meta
    try:
        value, shape, names = meta["config"], meta["input_shape"], meta["classes"]
        columns = meta.get("columns")
        loaded = load_values(value, source=source, allow_plugins=allow_plugins)
        labels = Labels.of_checkpoint(meta, source)
        if labels is None and names is not None:
            labels = Labels(np.array(names, str))
        sizes = tuple(int(size) for size in shape)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise RunError(
            f"{source}: expected the checkpoint of a model, got: {error!r}."
        ) from None
    experiment = assemble(loaded.config, sizes, labels)
    experiment.columns = None if columns is None else tuple(map(str, columns))
    for i, transform in enumerate(experiment.transforms):
        prefix = f"transforms.{i}."
        transform.state = {
            name.removeprefix(prefix): array
            for name, array in checkpoint.arrays.items()
            if name.startswith(prefix)
        }
    return Restored(experiment, checkpoint, restore(experiment, checkpoint))


def resume_run(
    run: RunDirectory, overrides: list[str], *, allow_plugins: bool
) -> Restored:
    """Build a run's experiment as its last checkpoint left it.

    Rows that were logged after that checkpoint are dropped, for they will be made
    again. What says how long it is, ``training.epochs`` or ``training.steps``, may be
    changed, to go on after the end.

    Raises:
        RunError: The run cannot be continued.
        UsageError: Something else than its length is changed, or there is
            nothing left to do.
    """
    checkpoint = load_checkpoint(run.last)
    length = _length(checkpoint)
    for text in overrides:
        if text.partition("=")[0] != length:
            raise UsageError(
                f"override {text!r}: a run that is resumed can only be changed in "
                f"{length}. Start a new run for other changes."
            )
    restored = _rebuild(run.last, checkpoint, overrides, allow_plugins)
    _refuse_finished(run, restored)
    _take_best(run, restored.progress)
    run.keep_rows(restored.progress.rows)
    if overrides:
        # The checkpoint first: it alone decides what a resumed run does.
        save_checkpoint(run.last, capture(restored.experiment, restored.progress))
        resolved = to_yaml(restored.experiment.config.spec)
        _write_configs(run, resolved, restored.experiment)
    return restored


def _take_best(run: RunDirectory, progress: Progress) -> None:
    """Let the best checkpoint on disk count, which may be newer than the last one.

    A training that diverged leaves such a one, and a worse one shall not replace it.
    """
    progress.best, progress.best_epoch, progress.best_step = None, 0, 0
    if run.best.exists():
        try:
            at = progress_of(load_checkpoint(run.best), str(run.best))
        except RunError as error:
            raise RunError(f"{error} Without this file, the run can go on.") from None
        progress.best, progress.best_epoch = at.best, at.best_epoch
        progress.best_step = at.best_step


def _refuse_finished(run: RunDirectory, restored: Restored) -> None:
    at, end = restored.progress, restored.experiment.total_steps
    # Without a summary the run was killed between its last checkpoint and its end.
    if not at.done(end) or not run.summary.exists():
        return
    if at.stopped:
        raise UsageError(
            f"{run.path}: the run stopped early after {at.epoch} epochs. For more, "
            "start a new run with a larger training.early_stopping.patience."
        )
    by_steps = restored.experiment.config.training.steps is not None
    made, unit = (at.step, "steps") if by_steps else (at.epoch, "epochs")
    raise UsageError(
        f"{run.path}: the run is finished after {made} {unit}. To go on, add "
        f"training.{unit}={2 * made}."
    )


def _length(checkpoint: Checkpoint) -> str:
    """Return the key that says how long a run is: the only one that may change."""
    config = checkpoint.meta.get("config")
    training = config.get("training") if isinstance(config, dict) else None
    by_steps = isinstance(training, dict) and training.get("steps") is not None
    return "training.steps" if by_steps else "training.epochs"


def _rebuild(
    path: Path, checkpoint: Checkpoint, overrides: list[str], allow_plugins: bool
) -> Restored:
    value = checkpoint.meta.get("config")
    if not isinstance(value, dict):
        raise RunError(f"{path}: expected a config in the checkpoint, found none.")
    try:
        loaded = load_values(
            value,
            overrides,
            source=str(path),
            folder=path.parent,
            allow_plugins=allow_plugins,
        )
        experiment = build(loaded)
    except ConfigError as error:
        # By another command line.
        mendable: list[errors.Path] = [("plugins",)]
        if overrides:
            mendable.append(("training", "epochs"))
        if any(problem.path in mendable for problem in error.problems):
            raise
        raise RunError(f"{path}: its config cannot be used here:\n{error}") from None
    except RecursionError:
        raise RunError(f"{path}: its config has too many levels.") from None
    if checkpoint.meta.get("data_sha256") != experiment.data_sha256:
        name = experiment.config.dataset.type_name if experiment.config.dataset else ""
        raise RunError(
            f"{path}: the data of dataset {name} is "
            "not what the run was trained on. Bring back the old data."
        )
    at = restore(experiment, checkpoint)
    steps = experiment.steps_per_epoch
    if at.batch >= steps or at.step != at.epoch * steps + at.batch:
        raise RunError(
            f"{path}: expected a place in a training of {steps} steps an epoch, got "
            f"epoch {at.epoch}, batch {at.batch}, step {at.step}."
        )
    return Restored(experiment, checkpoint, at)
