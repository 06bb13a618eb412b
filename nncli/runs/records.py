"""Records: the log of a training's recorded steps, as JSON lines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from nncli.core.atomic import write_bytes
from nncli.runs.late import LateLines
from nncli.runs.rows import read_rows


class RecordLog:
    """The recorded steps of a run.

    Args:
        path: For example ``runs/spiral-1/records.jsonl``.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lines = LateLines(path)

    def append(self, row: dict[str, Any]) -> None:
        """Add one step; it is in the file a second later at most, or after ``finish``.

        Raises:
            OSError: With the path of the file.
        """
        self._lines.add(json.dumps(row, allow_nan=False) + "\n")

    def finish(self) -> None:
        """Write what is not in the file yet."""
        self._lines.finish()

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
