"""Bar: how far reading a large file is."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from nncli.cli.console import err, note, watched

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

PATIENCE = 0.5
"""Seconds that work may take before anything is said of it."""


class Bar:
    """Draws one bar on a terminal; writes one line where there is none."""

    def __init__(self) -> None:
        self._began: float | None = None
        self._shown: Progress | None = None
        self._task: TaskID | None = None
        self._told = False

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *failure: object) -> None:
        self._end()

    def __call__(self, what: str, done: int, total: int) -> None:
        """Show that ``done`` of ``total`` bytes are done."""
        now = time.monotonic()
        self._began = now if self._began is None else self._began
        if done >= total:
            self._end()
        elif now - self._began > PATIENCE:
            if watched():
                self._draw(what, done, total)
            elif not self._told:
                note(f"{what} ({total / 1e6:,.0f} MB) ...")
                self._told = True

    def _draw(self, what: str, done: int, total: int) -> None:
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
        )

        if self._shown is None:
            self._shown = Progress(
                TextColumn("{task.description}"),
                BarColumn(bar_width=None),
                DownloadColumn(),
                TimeRemainingColumn(),
                console=err(),
                transient=True,
            )
            self._shown.start()
            self._task = self._shown.add_task(what, total=total)
        if self._task is not None:
            self._shown.update(self._task, completed=done, description=what)

    def _end(self) -> None:
        if self._shown is not None:
            self._shown.stop()
        self._shown, self._task, self._began, self._told = None, None, None, False
