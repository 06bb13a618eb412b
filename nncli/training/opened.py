"""Opened: what a config, a run or a checkpoint on the command line stands for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nncli.core.errors import UsageError
from nncli.experiment.build import build
from nncli.experiment.experiment import Experiment
from nncli.runs.checkpoint import load_checkpoint
from nncli.runs.sources import config_of, load_source, trained_source
from nncli.training.session import rebuild
from nncli.training.state import Progress


@dataclass
class Opened:
    """An experiment with its data, and where its training stands.

    Attributes:
        experiment: What was built.
        progress: How far it was trained.
        checkpoint: Where its parameters come from; None where training begins.
    """

    experiment: Experiment
    progress: Progress
    checkpoint: Path | None


def open_source(
    given: Path, overrides: list[str], runs: Path, *, allow_plugins: bool
) -> Opened:
    """Build what a config describes, or what a run or a checkpoint holds.

    Args:
        given: A YAML file, the name of an example, a run (of which the best checkpoint
            is taken), or a checkpoint.
        overrides: ``path=value`` texts; those for a run leave all shapes as they are.
        runs: Where a bare name is looked up.
        allow_plugins: Whether the config may run the Python files it names.

    Raises:
        UsageError: There is nothing of that name, or it has no dataset.
        ConfigError: The config has problems.
        RunError: The checkpoint is damaged, or its data is not to be had.
    """
    path = trained_source(given, runs)
    if path is None:
        loaded = load_source(given, overrides, runs, allow_plugins=allow_plugins)
        if loaded.config.dataset is None:
            raise UsageError(
                f"{given}: expected a config with a dataset, of which rows are taken, "
                "got none (null). Name one behind the config, such as dataset=spiral."
            )
        return Opened(build(loaded), Progress(), None)
    checkpoint = load_checkpoint(path)
    if config_of(path, checkpoint).get("dataset") is None:
        raise UsageError(
            f"{path}: expected the checkpoint of a config with a dataset, of which "
            "rows are taken, got none: it was trained on rows of a program. Write a "
            "config with that data: nncli init FILE"
        )
    restored = rebuild(path, checkpoint, overrides, allow_plugins=allow_plugins)
    return Opened(restored.experiment, restored.progress, path)
