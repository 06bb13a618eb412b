"""Records: the log of a training's recorded steps, as JSON lines."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from nncli.core.atomic import write_bytes
from nncli.core.files import append_text
from nncli.runs.rows import read_rows


class RecordLog:
    """The recorded steps of a run.

    Args:
        path: For example ``runs/spiral-1/records.jsonl``.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._unwritten: list[str] = []
        self._written_at = 0.0

    def append(self, row: dict[str, Any]) -> None:
        """Add one step; it is in the file a second later at most, or after ``finish``.

        Raises:
            OSError: With the path of the file.
        """
        self._unwritten.append(json.dumps(row, allow_nan=False) + "\n")
        # To open a file costs more than a small step: write the lines of a second.
        if time.perf_counter() - self._written_at >= 1.0:
            self.finish()

    def finish(self) -> None:
        """Write what is not in the file yet."""
        lines, self._unwritten = self._unwritten, []
        if lines:
            append_text(self.path, "".join(lines))
        self._written_at = time.perf_counter()

    def keep(self, step: int) -> None:
        """Drop what was recorded after a step, and what is no whole row."""
        if self.path.exists():
            rows = read_rows(self.path)
            lines = [line for row, line in rows if reached(row) <= step]
            write_bytes(self.path, b"".join(lines))


def reached(row: dict[str, Any]) -> float:
    """Return after how many steps a row was recorded, infinity where it says none."""
    step = row.get("step")
    return step if isinstance(step, int) else float("inf")
