"""LateLines: lines of a file that is often added to, written some at a time."""

from __future__ import annotations

import time
from pathlib import Path

from nncli.core.files import append_text


class LateLines:
    """Adds lines to a file, some at a time, and all that are left at ``finish``.

    To open a file costs more than a small step: it is opened again with the first line
    that comes a second after the last time.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lines: list[str] = []
        self._written_at = 0.0

    def add(self, line: str) -> None:
        """Add a line, with its end.

        Raises:
            OSError: With the path of the file.
        """
        self._lines.append(line)
        if time.perf_counter() - self._written_at >= 1.0:
            self.finish()

    def finish(self) -> None:
        """Write what is not in the file yet."""
        if self._lines:
            append_text(self.path, "".join(self._lines))
        self.forget()

    def forget(self) -> None:
        """Leave out what is not in the file yet."""
        self._lines, self._written_at = [], time.perf_counter()
