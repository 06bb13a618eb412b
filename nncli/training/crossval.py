"""Cross-validation: how it begins, and what its folds say together."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nncli.config.load import Loaded
from nncli.config.write import to_yaml
from nncli.core.atomic import write_bytes, write_json
from nncli.core.errors import UsageError
from nncli.core.intervals import spread_of
from nncli.data.split import Fold
from nncli.experiment.build import build
from nncli.experiment.experiment import Experiment
from nncli.runs.drafts import create_directory
from nncli.runs.folds import CrossValidation, FoldRun
from nncli.training.session import as_given, copy_plugins, overrides_of
from nncli.training.threads import cores


def create_folds(
    loaded: Loaded,
    parent: Path,
    command: list[str],
    *,
    folds: int,
    repeats: int,
    jobs: int | None = None,
) -> CrossValidation:
    """Make the directory of a cross-validation, ``parent/<name>-cv-<number>``.

    The first fold is built once before, so that nothing is made of a config that
    cannot be trained.

    Args:
        loaded: The config, and the file that it was read from.
        parent: Where runs lie.
        command: The command line.
        folds: How many folds.
        repeats: How often they are drawn.
        jobs: How many are to be trained at the same time; None for as many as suit.

    Raises:
        ConfigError: Parts of the config do not fit each other or the data.
        UsageError: The folds can be drawn in one way only, and are to be repeated.
    """
    config, split = loaded.config, loaded.config.split
    if repeats > 1 and not split.drawn:
        order = "split.time" if split.time is not None else "split.order: given"
        raise UsageError(
            f"cv: expected --repeats 1, since {order} leaves one way to choose folds, "
            f"got {repeats}."
        )
    first = config.changed(split=split.changed(test=0.0, fold=Fold(1, folds)))
    experiment = build(dataclasses.replace(loaded, config=first))
    threads = config.training.threads
    if threads == "auto":
        together = jobs or default_jobs(1, folds * repeats)
        threads = max(1, cores() // together)
    facts = {
        "config": loaded.document.source,
        "overrides": overrides_of(loaded.document),
        "command": command,
        "folds": folds,
        "repeats": repeats,
        "kind": _kind(experiment),
        "threads": threads,
        "data_sha256": experiment.data_sha256,
    }

    def fill(path: Path) -> None:
        draft = CrossValidation(path)
        copy_plugins(loaded, draft.plugins)
        write_bytes(draft.config, as_given(loaded.document))
        write_bytes(draft.resolved, to_yaml(config.spec).encode())
        write_json(draft.facts, facts)

    return CrossValidation(create_directory(parent, f"{config.name}-cv", fill))


def default_jobs(threads: int, folds: int) -> int:
    """Return how many folds are trained at the same time."""
    return max(1, min(cores() // threads, folds))


def _kind(experiment: Experiment) -> str:
    """Say how rows come into folds."""
    split = experiment.config.split
    if split.time is not None:
        return f"Folds in the order of {split.time}"
    if split.group is not None:
        return f"Folds of whole groups of {split.group}"
    if split.order == "given":
        return "Folds in the given order"
    stratified = split.stratify and experiment.classes is not None
    return "Stratified folds" if stratified else "Folds drawn at random"


def results_of(
    plan: dict[str, Any], folds: Sequence[FoldRun], failed: dict[str, str]
) -> dict[str, Any]:
    """Return ``cv.json``: the plan, how each fold ended, and their scores together.

    Args:
        plan: What was planned.
        folds: All of them.
        failed: Why some have no result, by the name of their directory.
    """
    runs: list[dict[str, Any]] = []
    for fold in folds:
        unknown = {
            "fold": fold.number,
            "repeat": fold.repeat,
            "run": str(fold.run.path),
            "status": "failed",
            "error": failed.get(fold.run.path.name, ""),
        }
        runs.append(fold.result() or unknown)
    scored: list[dict[str, float | None]]
    scored = [run["scores"] for run in runs if run["status"] == "finished"]
    names = scored[0] if scored else ()
    metrics = {name: _together([scores[name] for scores in scored]) for name in names}
    return plan | {"metrics": metrics, "runs": runs}


def _together(values: Sequence[float | None]) -> dict[str, Any]:
    """Return mean, deviation and interval of a score, where it is defined."""
    defined = [value for value in values if value is not None]
    if not defined:
        return {"mean": None, "deviation": None, "interval": None, "values": []}
    spread = spread_of(defined)
    interval = None if spread.low is None else [spread.low, spread.high]
    return {
        "mean": spread.mean,
        "deviation": spread.deviation,
        "interval": interval,
        "values": defined,
    }
