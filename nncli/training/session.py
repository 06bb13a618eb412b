"""Session: from a config to a run, and from a run or checkpoint back."""

from __future__ import annotations

import contextlib
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nncli.config.load import Loaded, load_values, plugin_copies
from nncli.config.read import Document
from nncli.config.write import to_yaml, with_comments
from nncli.core.atomic import write_bytes, write_json
from nncli.core.errors import ConfigError, RunError
from nncli.core.files import open_file
from nncli.data.labels import Labels
from nncli.experiment.build import assemble, build
from nncli.experiment.experiment import Experiment
from nncli.layers.base import InputSpec
from nncli.runs.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from nncli.runs.directory import RunDirectory
from nncli.runs.manifest import manifest
from nncli.runs.sources import config_of, plugins_of
from nncli.training.fitted import fitted_from
from nncli.training.state import Progress, capture, restore
from nncli.training.threads import shards_of, threads_of


@dataclass
class Restored:
    """An experiment as a checkpoint left it."""

    experiment: Experiment
    checkpoint: Checkpoint
    progress: Progress


def create_run(
    experiment: Experiment,
    loaded: Loaded,
    parent: Path,
    command: list[str],
    facts: dict[str, Any] | None = None,
    directory: str | None = None,
) -> RunDirectory:
    """Make a run directory whose first checkpoint is the untrained network.

    Args:
        experiment: What shall be trained.
        loaded: Its config, and the file that it was read from.
        parent: Where runs lie.
        command: The command line.
        facts: What else the manifest shall tell.
        directory: Its name; None for that of the config, with a number.
    """
    document, config = loaded.document, experiment.config

    def fill(run: RunDirectory) -> None:
        copy_plugins(loaded, run.plugins)
        told = manifest(
            config.seed,
            experiment.data_sha256,
            command,
            overrides_of(document),
            threads_of(experiment),
            shards_of(experiment)[0],
        )
        write_configs(run, as_given(document), experiment, told | (facts or {}))
        write_bytes(run.metrics, b"")
        save_checkpoint(run.last, capture(experiment, Progress()))

    name = directory or config.name
    return RunDirectory.create(parent, name, fill, numbered=directory is None)


def as_given(document: Document) -> bytes:
    """Return the file as it was written, with overrides as comments on top."""
    if not document.raw:
        return to_yaml(document.value).encode()
    changes = overrides_of(document)
    if not changes:
        return document.raw
    return with_comments(document.raw, ["Changed on the command line:", *changes])


def write_configs(
    run: RunDirectory, given: bytes, experiment: Experiment, facts: dict[str, Any]
) -> None:
    """Write both configs, and before them into the manifest what is written.

    Args:
        run: Where.
        given: The bytes of config.yaml.
        experiment: Whose config resolved.yaml holds in full.
        facts: What else the manifest says.
    """
    resolved, known = to_yaml(experiment.config.spec).encode(), _written(facts)
    texts = [given, resolved]
    if known and run.config in edited_configs(run):
        # What somebody has edited stays edited, with a comment on top as well.
        texts.remove(given)
    every = list(dict.fromkeys([*known, *map(_sha256, texts)]))
    write_json(run.manifest, facts | {"configs_sha256": every})
    write_bytes(run.config, given)
    write_bytes(run.resolved, resolved)


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


def copy_plugins(loaded: Loaded, folder: Path) -> None:
    """Keep the plugins in the run, so that it goes on with the code it began with."""
    if loaded.plugins:
        folder.mkdir()
    files = [Path(file) for file in loaded.config.plugins]
    copies = plugin_copies(files, folder)
    for source, copy in zip(loaded.plugins, copies, strict=True):
        if copy is not None:
            write_bytes(copy, source.read_bytes())


def overrides_of(document: Document) -> list[str]:
    """Return the overrides that made a difference, in their order."""
    return list(dict.fromkeys(document.overrides.values()))


def restore_checkpoint(path: Path, *, allow_plugins: bool) -> Restored:
    """Build the experiment that a checkpoint describes, and fill it.

    Raises:
        RunError: The file is no whole checkpoint, or its data is not to be had.
        UsageError: Its config names plugins and they are not allowed.
    """
    checkpoint = load_checkpoint(path)
    return rebuild(path, checkpoint, [], allow_plugins=allow_plugins)


def restore_network(path: Path, *, allow_plugins: bool) -> Restored:
    """Make the experiment of a checkpoint's file, without the data of its training.

    Raises:
        RunError: The file is no whole checkpoint, or not that of a model.
        UsageError: Its config names plugins and they are not allowed.
    """
    return restore_without_data(
        load_checkpoint(path),
        str(path),
        allow_plugins=allow_plugins,
        copies=plugins_of(path),
    )


def restore_without_data(
    checkpoint: Checkpoint,
    source: str,
    *,
    allow_plugins: bool,
    copies: Path | None = None,
) -> Restored:
    """Make the experiment of a checkpoint, to use it or to train it on other rows.

    Args:
        checkpoint: Of a run, or of a model.
        source: What messages call it.
        allow_plugins: Whether its config may run the Python files it names.
        copies: Where its run keeps copies of its plugins, which are run instead.

    Raises:
        RunError: It is not the checkpoint of a model.
        ConfigError: Its config has problems.
    """
    meta = checkpoint.meta
    try:
        value, shape, names = meta["config"], meta["input_shape"], meta["classes"]
        loaded = load_values(
            value, source=source, allow_plugins=allow_plugins, copies=copies
        )
        labels = Labels.of_checkpoint(meta, source)
        if labels is None and names is not None:
            labels = Labels(np.array(names, str))
        sizes = tuple(int(size) for size in shape)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise RunError(
            f"{source}: expected the checkpoint of a model, got: {error!r}."
        ) from None
    fitted = fitted_from(meta, source)
    below = None if fitted.vocabulary is None else len(fitted.vocabulary)
    experiment = assemble(loaded.config, InputSpec(sizes, below), labels, files=False)
    fitted.put(experiment)
    encoder = experiment.encoder
    if encoder is not None and (len(encoder.features),) != sizes:
        raise RunError(
            f"{source}: expected columns that become {sizes} inputs, got "
            f"{len(encoder.features)}."
        )
    for i, transform in enumerate(experiment.transforms):
        prefix = f"transforms.{i}."
        transform.state = {
            name.removeprefix(prefix): array
            for name, array in checkpoint.arrays.items()
            if name.startswith(prefix)
        }
    return Restored(experiment, checkpoint, restore(experiment, checkpoint))


def rebuild(
    path: Path, checkpoint: Checkpoint, overrides: list[str], *, allow_plugins: bool
) -> Restored:
    """Build the experiment that a checkpoint describes, data included, and fill it.

    Args:
        path: Where the checkpoint lies.
        checkpoint: What was read.
        overrides: ``path=value`` texts that leave the shapes of everything as they are.
        allow_plugins: Whether its config may run the Python files it names.

    Raises:
        RunError: It is no whole checkpoint, or its data is not to be had.
        UsageError: Its config names plugins and they are not allowed.
    """
    value = config_of(path, checkpoint)
    try:
        loaded = load_values(
            value,
            overrides,
            source=str(path),
            folder=path.parent,
            allow_plugins=allow_plugins,
            copies=plugins_of(path),
        )
        experiment = build(loaded, files=False)
    except ConfigError as error:
        if overrides or any(p.path == ("plugins",) for p in error.problems):
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
    if fitted_from(checkpoint.meta, str(path)).vocabulary != experiment.vocabulary:
        raise RunError(
            f"{path}: expected the vocabulary that its data gives, got another one. "
            "The checkpoint was changed: use another one of the run."
        )
    at = restore(experiment, checkpoint)
    steps = experiment.steps_per_epoch
    if at.batch >= steps or at.step != at.epoch * steps + at.batch + at.offset:
        raise RunError(
            f"{path}: expected a place in a training of {steps} steps an epoch, got "
            f"epoch {at.epoch}, batch {at.batch}, step {at.step}."
        )
    return Restored(experiment, checkpoint, at)
