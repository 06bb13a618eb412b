"""Removal: runs are deleted whole, and nothing that is no run of the directory."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from nncli.core.errors import RunError, UsageError
from nncli.core.text import nearest
from nncli.runs.directory import why_no_run
from nncli.runs.drafts import remove_directory
from nncli.runs.folds import CrossValidation
from nncli.runs.locks import held, is_held


@dataclass(frozen=True)
class Removable:
    """A run that may be deleted, or a cross-validation with its folds.

    Attributes:
        path: Its directory.
        files: How many files it has.
        bytes: How large they are together.
    """

    path: Path
    files: int
    bytes: int


def removable(given: Sequence[str | Path], runs: Path) -> list[Removable]:
    """Return what is to be deleted, each once; nothing is touched yet.

    Args:
        given: Names of runs, or their paths.
        runs: The directory that they lie in.

    Raises:
        UsageError: There is no such run in the directory.
        RunError: A run is being trained.
    """
    found = list(dict.fromkeys(_checked(Path(each), runs) for each in given))
    for path in found:
        for each in (path, *_folds(path)):
            if is_held(each):
                raise _in_use(each)
    return [Removable(path, *_size(path)) for path in found]


def remove(run: Removable) -> None:
    """Delete a run: it is gone at once, or as it was.

    Raises:
        RunError: It is being trained.
        OSError: It cannot be deleted, with its path.
    """
    with ExitStack() as stack:
        for each in (run.path, *_folds(run.path)):
            stack.enter_context(held(each))
        # While it was asked for, something else may have come into its place.
        _refuse_other(run.path)
        remove_directory(run.path)


def _checked(given: Path, runs: Path) -> Path:
    """Return the place of a run in the directory of runs."""
    bare = len(given.parts) == 1
    if given.name in ("", "..") or not (bare or _same(given.parent, runs)):
        raise UsageError(
            f"{given}: expected a run in {runs}, got a path elsewhere. Say where runs "
            "lie: --runs-dir DIR"
        )
    path = runs / given.name
    if not os.path.lexists(path):
        there = sorted(runs.iterdir()) if runs.is_dir() else []
        names = [p.name for p in there if not why_no_run(p)]
        raise UsageError(
            f"{path}: expected a run, found nothing there. "
            f"{nearest(given.name, names) if names else 'There are none.'}"
        )
    _refuse_other(path)
    return path


def _same(first: Path, second: Path) -> bool:
    try:
        return first.samefile(second)
    except OSError:
        return False


def _refuse_other(path: Path) -> None:
    """Refuse what is no run, and what only leads to one."""
    problem = why_no_run(path)
    if path.is_symlink():
        problem = "a link"
    elif problem and _is_validation(path):
        problem = ""
    if problem or path.name.startswith("."):
        raise UsageError(
            f"{path}: expected a run, got something else ({problem or 'it is hidden'})."
            " It is left as it is."
        )


def _is_validation(path: Path) -> bool:
    whole = CrossValidation(path)
    return whole.facts.is_file() and whole.resolved.is_file()


def _folds(path: Path) -> list[Path]:
    """Return the runs in a cross-validation; none in a run."""
    if (path / "checkpoints").is_dir():
        return []
    return [each for each in sorted(path.iterdir()) if not why_no_run(each)]


def _in_use(path: Path) -> RunError:
    return RunError(f"{path}: it is being trained. Stop it first. Nothing was deleted.")


def _size(path: Path) -> tuple[int, int]:
    """Return the number of files below a directory, and their bytes."""
    files = size = 0
    for folder, _, names in os.walk(path):
        for name in names:
            found = os.lstat(Path(folder, name))
            files += 1
            size += found.st_size if stat.S_ISREG(found.st_mode) else 0
    return files, size
