"""Folds: the directory of a cross-validation, and of each of its runs."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nncli.core.atomic import drop_temporary, write_bytes, write_json
from nncli.core.errors import RunError, UsageError
from nncli.core.files import open_file
from nncli.runs.directory import RunDirectory
from nncli.runs.locks import held
from nncli.runs.untrusted import from_json

MAX_BYTES = 64 * 2**20
RESULT = ("run", "scores", "epochs", "seconds", "rows")


@dataclass(frozen=True)
class FoldRun:
    """One fold of a cross-validation and the run that trains without it.

    Attributes:
        number: Which fold is held out, from 1.
        repeat: Which draw of the folds, from 1.
        run: Where it is trained.
    """

    number: int
    repeat: int
    run: RunDirectory

    def result(self) -> dict[str, Any] | None:
        """Return how the fold ended; None where it has not.

        Raises:
            RunError: The file does not say it.
        """
        if not self.run.fold.exists():
            return None
        found = read_json(self.run.fold)
        wanted = {"finished": RESULT, "diverged": ("error",)}.get(
            str(found.get("status")), ("status: finished or diverged",)
        )
        for name in wanted:
            if name not in found:
                raise RunError(
                    f"{self.run.fold}: expected {name}, found none. Remove the file, "
                    "and the fold is scored again."
                )
        return found


class CrossValidation:
    """The directory of a cross-validation.

    Args:
        path: For example ``runs/iris-cv-1``.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config = path / "config.yaml"
        self.resolved = path / "resolved.yaml"
        self.plugins = path / "plugins"
        self.facts = path / "cv.json"
        self.predictions = path / "predictions.csv"

    @classmethod
    def open(cls, path: Path) -> CrossValidation:
        """Return an existing one.

        Raises:
            UsageError: Something else is at the path.
        """
        found = cls(path)
        if not (found.facts.is_file() and found.resolved.is_file()):
            raise UsageError(
                f"{path}: expected the directory of a cross-validation (cv.json), got "
                "something else."
            )
        return found

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the directory, so that no second process writes to it.

        Raises:
            RunError: Another process holds it.
        """
        with held(self.path):
            drop_temporary(self.facts)
            drop_temporary(self.predictions)
            yield

    def fold(self, number: int, repeat: int) -> FoldRun:
        """Return a fold by its number and repeat."""
        name = f"fold-{number}" + (f"-repeat-{repeat}" if repeat > 1 else "")
        return FoldRun(number, repeat, RunDirectory(self.path / name))

    def folds(self, plan: dict[str, Any]) -> list[FoldRun]:
        """Return all folds that ``cv.json`` plans, in order."""
        return [
            self.fold(number, repeat)
            for repeat in range(1, plan["repeats"] + 1)
            for number in range(1, plan["folds"] + 1)
        ]

    def plan(self) -> dict[str, Any]:
        """Return what ``cv.json`` says.

        Raises:
            RunError: It does not hold a plan.
        """
        plan = read_json(self.facts)
        for name in ("folds", "repeats", "threads"):
            value = plan.get(name)
            if type(value) is not int or not 1 <= value <= 10**6:
                raise RunError(
                    f"{self.facts}: expected {name}, an integer above 0, got {value!r}."
                )
        return plan

    def write(self, facts: dict[str, Any], folds: list[FoldRun]) -> None:
        """Write ``cv.json`` and, one after another, the predictions of the folds."""
        lines: list[bytes] = []
        for fold in folds:
            with open_file(fold.run.predictions) as file:
                head, *rest = file.read().splitlines(keepends=True)
            lines += rest if lines else [head, *rest]
        if lines:
            write_bytes(self.predictions, b"".join(lines))
        write_json(self.facts, facts)


def read_json(path: Path) -> dict[str, Any]:
    """Return the mapping in a JSON file.

    Raises:
        RunError: There is none.
    """
    try:
        with open_file(path) as file:
            value = from_json(file.read(MAX_BYTES))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise RunError(f"{path}: expected JSON, got: {reason}.") from None
    if not isinstance(value, dict):
        raise RunError(f"{path}: expected a mapping, got {type(value).__name__}.")
    return value
