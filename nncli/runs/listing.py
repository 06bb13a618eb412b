"""Listing: what lies in a directory of runs."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nncli.core.errors import UsageError
from nncli.runs.directory import RUNS, RunDirectory, why_no_run
from nncli.runs.entry import ENDS, Entry, Reader, entry_of
from nncli.runs.folds import CrossValidation
from nncli.runs.locks import is_held
from nncli.runs.untrusted import mapping, number, scores, texts


@dataclass(frozen=True)
class Listing:
    """What lies in a directory of runs.

    Attributes:
        runs: Runs and cross-validations, the newest first.
        others: What is neither, by name, and why.
    """

    runs: list[Entry]
    others: dict[str, str]


def read_entry(path: Path) -> Entry:
    """Return how a run, or a cross-validation, is getting on."""
    return _validation(path) if why_no_run(path) else entry_of(path)


def list_runs(
    folder: Path = RUNS, read: Callable[[Path], Entry] = read_entry
) -> Listing:
    """Read what lies in a directory; what is hidden is left out.

    Args:
        folder: The directory.
        read: Reads one; where it raises OSError, what is there is no run.

    Raises:
        UsageError: There is no such directory, or it cannot be read. Where nobody has
            trained yet, the one by default may be missing.
    """
    runs, others = [], {}
    try:
        found = sorted(os.scandir(folder), key=lambda each: each.name)
    except OSError as error:
        if folder == RUNS and isinstance(error, FileNotFoundError):
            return Listing([], {})
        raise UsageError(
            f"{folder}: expected a directory with runs, got: {error.strerror}."
        ) from None
    for each in found:
        if each.name.startswith("."):
            continue
        path = Path(each.path)
        try:
            problem = why_no_run(path)
            if problem and not (path / "cv.json").is_file():
                others[each.name] = problem
            else:
                runs.append(read(path))
        except OSError as error:
            others[each.name] = f"it cannot be read: {error.strerror}"
    runs.sort(key=lambda run: (run.started or "", natural(run.name)), reverse=True)
    return Listing(runs, others)


def natural(text: str) -> list[tuple[int, int, str]]:
    """Return what texts are sorted by so that ``a-10`` comes after ``a-9``."""
    return [
        (0, int(piece), "") if piece.isdecimal() else (1, 0, piece)
        for piece in re.findall(r"[0-9]{1,18}|[^0-9]+", text)
    ]


def config_of_run(entry: Entry) -> dict[str, Any]:
    """Return the config that a run is trained with: that in its last checkpoint.

    Raises:
        RunError: The checkpoint is damaged.
    """
    from nncli.config.read import read_config
    from nncli.runs.checkpoint import Checkpoint, load_meta
    from nncli.runs.sources import config_of

    path = Path(entry.path)
    if entry.kind != "run":
        return mapping(read_config(CrossValidation(path).resolved).value)
    last = RunDirectory(path).last
    return config_of(last, Checkpoint({}, load_meta(last)))


def _validation(path: Path) -> Entry:
    """Return how a cross-validation is getting on."""
    reader, found = Reader(), CrossValidation(path)
    plan = reader.read(found.facts)
    runs = plan.get("runs")
    ends = [mapping(run) for run in runs] if isinstance(runs, list) else []
    states = {ENDS.get(str(end.get("status")), "damaged") for end in ends}
    # What is the worst counts; without any, its process ended before it was done.
    order = ("damaged", "crashed", "diverged", "done")
    state = next((state for state in order if state in states), "stopped")
    if reader.problems:
        state = "damaged"
    if is_held(path):
        state = "running"
    seconds = [number(end.get("seconds")) or 0.0 for end in ends]
    means = {
        name: mapping(score).get("mean")
        for name, score in mapping(plan.get("metrics")).items()
    }
    return Entry(
        path.name,
        str(path),
        state,
        kind="cross-validation",
        started=_made(path),
        seconds=sum(seconds) if seconds else None,
        test=scores(means),
        overrides=texts(plan.get("overrides")),
        problems=reader.problems,
    )


def _made(path: Path) -> str:
    """Return when the first file of a directory was written."""
    made = (path / "config.yaml").lstat().st_mtime
    return datetime.fromtimestamp(made, UTC).isoformat(timespec="seconds")
