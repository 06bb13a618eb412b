"""RunDirectory: every path in a run, and how a run comes into being."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from nncli.core.atomic import drop_temporary
from nncli.core.errors import UsageError
from nncli.core.files import open_file
from nncli.runs.drafts import create_directory
from nncli.runs.locks import held
from nncli.runs.records import RecordLog
from nncli.runs.rows import RowLog, read_rows
from nncli.runs.untrusted import from_json, mapping

MAX_FACTS_BYTES = 2**20
RUNS = Path("runs")
"""Where runs lie, and where a bare name is looked up."""


class RunDirectory:
    """The files of one run.

    Args:
        path: The directory, for example ``runs/spiral-1``.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config = path / "config.yaml"
        self.resolved = path / "resolved.yaml"
        self.manifest = path / "manifest.json"
        self.metrics = path / "metrics.jsonl"
        self.table = path / "metrics.csv"
        self.records = path / "records.jsonl"
        self.summary = path / "summary.json"
        self.log = path / "train.log"
        self.report = path / "report.html"
        self.plugins = path / "plugins"
        self.plots = path / "plots"
        self.checkpoints = path / "checkpoints"
        self.fold = path / "fold.json"
        self.predictions = path / "predictions.csv"
        self.last = self.checkpoints / "last.safetensors"
        self.best = self.checkpoints / "best.safetensors"
        self._log = RowLog(self.metrics, self.table)
        self._records = RecordLog(self.records)

    def evaluation(self, split: str) -> Path:
        """Return where ``eval`` leaves its result of a part."""
        return self.path / f"eval-{split}.json"

    def picture(self, kind: str) -> Path:
        """Return where the run draws a kind of picture."""
        return self.plots / f"{kind}.png"

    @classmethod
    def create(
        cls,
        parent: Path,
        name: str,
        fill: Callable[[RunDirectory], None],
        *,
        numbered: bool = True,
    ) -> RunDirectory:
        """Make ``parent/name-1`` (or -2, ...) with its first files, all or nothing.

        Args:
            parent: Where runs lie; made if it is missing.
            name: The name without the number.
            fill: Writes the first files.
            numbered: Whether the name gets a number.

        Raises:
            RunError: The directory cannot be made.
        """

        def fill_run(path: Path) -> None:
            draft = cls(path)
            draft.checkpoints.mkdir()
            fill(draft)

        return cls(create_directory(parent, name, fill_run, numbered=numbered))

    @classmethod
    def open(cls, path: Path) -> RunDirectory:
        """Return an existing run.

        Raises:
            UsageError: Something else is at the path.
        """
        run = cls(path)
        if not run.checkpoints.is_dir():
            raise no_run(path)
        return run

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the run, so that no second process writes to it.

        What a process that was killed left half written is removed.

        Raises:
            RunError: Another process holds it.
            OSError: It cannot be held, with its path.
        """
        with held(self.path):
            for path in vars(self).values():
                if isinstance(path, Path):
                    drop_temporary(path)
            try:
                yield
            finally:
                # Not what ended the training: the rows are in metrics.jsonl.
                with contextlib.suppress(OSError):
                    self._log.finish_table()
                    self._records.finish()

    def facts(self) -> dict[str, Any]:
        """Return what the manifest says; nothing where it cannot be read."""
        try:
            with open_file(self.manifest) as file:
                return mapping(from_json(file.read(MAX_FACTS_BYTES)))
        except (OSError, ValueError):
            return {}

    def append_row(self, row: dict[str, Any]) -> None:
        """Add one evaluation to metrics.jsonl and metrics.csv."""
        self._log.append(row)

    def sync_rows(self) -> None:
        """Make sure that all rows survive a loss of power."""
        self._log.sync()
        self._records.finish()

    def rows(self) -> list[dict[str, Any]]:
        """Return all whole rows of metrics.jsonl."""
        return [row for row, _ in read_rows(self.metrics)]

    def append_record(self, row: dict[str, Any]) -> None:
        """Add one recorded step to records.jsonl."""
        self._records.append(row)

    def recorded(self) -> list[dict[str, Any]]:
        """Return all whole rows of records.jsonl; none where it is missing."""
        return [row for row, _ in read_rows(self.records)]

    def seconds(self) -> float:
        """Return how long the training had taken when a step was recorded last."""
        seconds = 0.0
        for row, _ in read_rows(self.records):
            found = row.get("seconds")
            if isinstance(found, float) and 0 <= found < math.inf:
                seconds = found
        return seconds

    def keep_rows(self, count: int) -> None:
        """Drop the rows that were written after a checkpoint.

        Raises:
            RunError: There are fewer rows than the checkpoint knows of.
        """
        self._log.keep(count)

    def keep_records(self, step: int) -> None:
        """Drop what was recorded after the step that a checkpoint was saved after."""
        self._records.keep(step)


def why_no_run(path: Path) -> str:
    """Return what a path lacks to be a run; "" for a run."""
    if not path.is_dir():
        return "it is no directory"
    if not (path / "checkpoints").is_dir():
        return "it has no checkpoints/"
    return "" if (path / "manifest.json").is_file() else "it has no manifest.json"


def no_run(path: Path, expected: str = "a run") -> UsageError:
    """Say what is at a path where a run should be.

    Args:
        path: Of anything else.
        expected: What else could be there.
    """
    if (path / "cv.json").is_file():
        return UsageError(
            f"{path}: expected {expected}, got a cross-validation. Name one of its "
            f"folds: {path / 'fold-1'}"
        )
    return UsageError(
        f"{path}: expected {expected}, got something else ({why_no_run(path)})."
    )
