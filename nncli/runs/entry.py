"""Entry: how a run is getting on, as its files tell it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from nncli.core.errors import RunError
from nncli.core.files import open_file
from nncli.core.text import show
from nncli.runs.directory import RunDirectory
from nncli.runs.folds import read_json
from nncli.runs.locks import is_held
from nncli.runs.rows import MAX_ROW_BYTES, last_row
from nncli.runs.tags import read_tags
from nncli.runs.untrusted import count, from_json, mapping, number, scores, text, texts

PARTS = ("train", "validation", "test")
STATES = {
    "running": "a process is training it",
    "done": "it came to its end",
    "stopped": "somebody stopped it; it can go on",
    "crashed": "it was killed, or failed; it can go on",
    "diverged": "a loss or a gradient was not finite",
    "damaged": "its files do not say",
}
"""How a run is getting on."""

ENDS = {
    "finished": "done",
    "interrupted": "stopped",
    "diverged": "diverged",
    "failed": "crashed",
}

_NO_SCORES = {"epoch", "step", "rows", "seed", "tokens", "better_than_baseline"}


@dataclass(frozen=True)
class Entry:
    """A run, or a cross-validation, as its files tell it; nothing in them is trusted.

    Attributes:
        name: Of its directory.
        path: Its directory.
        state: One of ``STATES``.
        kind: ``run`` or ``cross-validation``.
        started: When it was made, ISO 8601.
        seconds: How long it was trained, of a run that went on its last part; where it
            has not ended, from its start to its last evaluation.
        epochs: Finished epochs.
        steps: Finished steps.
        monitor: The score that decides which checkpoint is the best.
        best_step: The step of the best checkpoint.
        train: Scores of the training part at that step.
        validation: Those of the validation part.
        test: What ``eval`` found of the test part; of a cross-validation the means.
        test_step: The step of the checkpoint that these are of.
        overrides: What was changed on the command line, later changes included.
        tags: Words that a person gave it.
        problems: What is wrong with its files, and why it failed.
    """

    name: str
    path: str
    state: str
    kind: str = "run"
    started: str | None = None
    seconds: float | None = None
    epochs: int | None = None
    steps: int | None = None
    monitor: str | None = None
    best_step: int | None = None
    train: dict[str, float | None] = field(default_factory=dict)
    validation: dict[str, float | None] = field(default_factory=dict)
    test: dict[str, float | None] = field(default_factory=dict)
    test_step: int | None = None
    overrides: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def test_is_of_best(self) -> bool:
        """Whether the scores of the test part are of the best checkpoint."""
        return self.best_step in (None, self.test_step)


def entry_of(path: Path, reader: Reader | None = None) -> Entry:
    """Return how a run is getting on.

    Args:
        path: Its directory.
        reader: What reads its files; None for a new one.
    """
    run, reader = RunDirectory(path), reader or Reader()
    state, summary = _state(run, reader)
    manifest = reader.read(run.manifest)
    if not summary:
        summary = _unfinished(run, reader)
    best, last = mapping(summary.get("best")), mapping(summary.get("last"))
    best_step = count(best.get("step"))
    row = last
    if best_step not in (None, last.get("step")):
        row = reader.row(run, best_step) or last
    tested = reader.read(run.evaluation("test"), needed=False)
    if reason := text(summary.get("error")):
        reader.problems.append(f"{path}: failed: {reason}")
    started, seconds = text(manifest.get("started")), number(summary.get("seconds"))
    return Entry(
        path.name,
        str(path),
        state,
        started=started,
        seconds=_lived(run, started) if seconds is None else seconds,
        epochs=count(summary.get("epochs", last.get("epoch"))),
        steps=count(summary.get("steps", last.get("step"))),
        monitor=text(summary.get("monitor")),
        best_step=best_step,
        train=scores(row.get("train")),
        validation=scores(row.get("validation")),
        test=_test_scores(tested),
        test_step=count(tested.get("step")),
        overrides=_overrides(manifest),
        tags=reader.tags(run),
        problems=reader.problems,
    )


class Reader:
    """Reads the files of a run, and notes what is wrong with them.

    Attributes:
        problems: What is.
    """

    def __init__(self) -> None:
        self.problems: list[str] = []

    def read(self, path: Path, *, needed: bool = True) -> dict[str, Any]:
        """Return a file's mapping; nothing where it cannot be read."""
        if not needed and not path.exists():
            return {}
        try:
            return read_json(path)
        except RunError as error:
            self.problems.append(str(error))
            return {}

    def row(self, run: RunDirectory, step: int | None) -> dict[str, Any]:
        """Return the row of a step; nothing where there is none."""
        # To parse every row would take the most of the time of a long list.
        mark = f'"step": {step},'.encode()
        try:
            with open_file(run.metrics) as file:
                while line := file.readline(MAX_ROW_BYTES):
                    if mark in line:
                        row = mapping(from_json(line))
                        if row.get("step") == step:
                            return row
        except (OSError, ValueError) as error:
            self.problems.append(f"{run.metrics}: {error}")
        return {}

    def last_row(self, run: RunDirectory) -> dict[str, Any]:
        """Return the last whole row; nothing where there is none."""
        try:
            return last_row(run.metrics)
        except OSError as error:
            self.problems.append(f"{run.metrics}: {error}")
            return {}

    def tags(self, run: RunDirectory) -> list[str]:
        """Return a run's tags."""
        try:
            return read_tags(run)
        except RunError as error:
            self.problems.append(str(error))
            return []


def _state(run: RunDirectory, reader: Reader) -> tuple[str, dict[str, Any]]:
    """Return how a run is getting on, and its summary where there is one."""
    if is_held(run.path):
        return "running", reader.read(run.summary, needed=False)
    if not run.summary.exists():
        # It may have begun just now.
        return "running" if is_held(run.path) else "crashed", {}
    summary = reader.read(run.summary)
    state = ENDS.get(str(summary.get("status")), "damaged")
    if summary and state == "damaged":
        reader.problems.append(
            f"{run.summary}: expected a status, one of {', '.join(ENDS)}, got "
            f"{show(summary.get('status'))}."
        )
    return state, summary


def _unfinished(run: RunDirectory, reader: Reader) -> dict[str, Any]:
    """Return what a summary would say of a run that has none, so far."""
    from nncli.runs.checkpoint import load_meta

    last = reader.last_row(run)
    known: dict[str, Any] = {"last": last}
    path = run.best if run.best.exists() else run.last
    try:
        meta = load_meta(path)
    except RunError as error:
        reader.problems.append(str(error))
        return known
    at, config = mapping(meta.get("progress")), mapping(meta.get("config"))
    known["monitor"] = mapping(config.get("training")).get("monitor")
    if path == run.best:
        known["best"] = {"step": at.get("best_step")}
    return known


def _lived(run: RunDirectory, started: str | None) -> float | None:
    """Return the seconds from a run's start to its last evaluation."""
    try:
        begin = datetime.fromisoformat(started or "")
        seconds = run.metrics.stat().st_mtime - begin.timestamp()
    except (OSError, ValueError, OverflowError):
        return None
    return round(max(seconds, 0.0), 3)


def _overrides(manifest: dict[str, Any]) -> list[str]:
    """Return the changes of a run, of each key the latest."""
    changes = manifest.get("changes")
    later = [mapping(change) for change in changes] if isinstance(changes, list) else []
    every = [
        *texts(manifest.get("overrides")),
        *(each for change in later for each in texts(change.get("overrides"))),
    ]
    return list({each.partition("=")[0]: each for each in every}.values())


def _test_scores(found: dict[str, Any]) -> dict[str, float | None]:
    """Return the scores among what ``eval`` found."""
    return scores({k: v for k, v in found.items() if k not in _NO_SCORES})
