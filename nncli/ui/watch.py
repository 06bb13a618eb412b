"""Watch: what the runs of a directory are like by now, read again where it changed."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

from nncli.runs.directory import RunDirectory, why_no_run
from nncli.runs.entry import Entry, Reader, entry_of
from nncli.runs.listing import Listing, list_runs, read_entry
from nncli.runs.locks import is_held
from nncli.ui.place import RunsFolder

Signature = tuple[Any, ...]
FILES = (
    "manifest.json",
    "summary.json",
    "metrics.jsonl",
    "eval-test.json",
    "tags.json",
    "checkpoints/last.safetensors",
    "checkpoints/best.safetensors",
)
"""What an entry is made of."""


class Watch:
    """Remembers the entries of runs, and reads those whose files changed.

    Args:
        folder: The runs.
    """

    def __init__(self, folder: RunsFolder) -> None:
        self.folder = folder
        self._known: dict[Path, tuple[Signature, Entry]] = {}
        self._rows: dict[Path, tuple[Signature, dict[str, Any]]] = {}
        self._lock = threading.Lock()

    def listing(self) -> Listing:
        """Return what lies in the directory.

        Raises:
            UsageError: It cannot be read.
        """
        with self._lock:
            found = list_runs(self.folder.path, self._entry)
            there = {Path(run.path) for run in found.runs}
            for memory in (self._known, self._rows):
                for path in memory.keys() - there:
                    if path.parent == self.folder.path:
                        del memory[path]
            return found

    def entry(self, path: Path) -> Entry:
        """Return how a run is getting on.

        Raises:
            OSError: It leads out of the directory.
        """
        with self._lock:
            return self._entry(path)

    def _entry(self, path: Path) -> Entry:
        signature = _signature(str(path))
        known = self._known.get(path)
        # It is of what was checked then: another file would have another number.
        if known is not None and known[0] == signature:
            return known[1]
        self.folder.check(path)
        if why_no_run(path):
            return read_entry(path)
        entry = entry_of(path, _Reader(self._rows))
        self._known[path] = signature, entry
        return entry


class _Reader(Reader):
    """Looks for a row once: that of a step stays the same while its file does."""

    def __init__(self, rows: dict[Path, tuple[Signature, dict[str, Any]]]) -> None:
        super().__init__()
        self._rows = rows

    def row(self, run: RunDirectory, step: int | None) -> dict[str, Any]:
        """Return the row of a step; nothing where there is none."""
        try:
            key = (run.metrics.stat().st_ino, step)
        except OSError:
            return super().row(run, step)
        if run.path in self._rows and self._rows[run.path][0] == key:
            return self._rows[run.path][1]
        row = super().row(run, step)
        if row:
            self._rows[run.path] = key, row
        return row


def _signature(path: str) -> Signature:
    """Return what changes whenever something does that an entry is made of."""
    stats: list[Any] = [is_held(Path(path))]
    for name in FILES:
        try:
            found = os.stat(f"{path}/{name}")  # noqa: PTH116 - of a thousand runs
        except OSError:
            stats.append(None)
        else:
            stats.append((found.st_ino, found.st_size, found.st_mtime_ns))
    return tuple(stats)
