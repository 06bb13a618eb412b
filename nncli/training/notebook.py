"""Progress in a notebook: one small display that is drawn again and again."""

from __future__ import annotations

import html
import sys
import time
from importlib import import_module
from typing import TYPE_CHECKING, Any

from nncli.core.text import duration, html_table, number
from nncli.training.callbacks import Callback, Row
from nncli.training.progress import progress_text, scores_line

if TYPE_CHECKING:
    from nncli.training.trainer import Trainer

REDRAW_SECONDS = 0.25


def in_notebook() -> bool:
    """Whether the program runs in a Jupyter kernel."""
    # Where nobody imported IPython, there is no kernel.
    module: Any = sys.modules.get("IPython")
    shell = module.get_ipython() if module is not None else None
    return getattr(shell, "kernel", None) is not None


class NotebookView(Callback):
    """A bar and a table of the last scores, replaced in place; without widgets.

    What does not show HTML gets one line of text.
    """

    def __init__(self) -> None:
        self._began = self._drawn_at = time.monotonic()
        self._row: Row | None = None
        self._handle: Any = None

    def on_start(self, trainer: Trainer) -> None:
        """Make the display."""
        display: Any = import_module("IPython.display").display
        self._handle = display(self._shown(trainer), raw=True, display_id=True)

    def on_step(self, trainer: Trainer) -> None:
        """Draw it again when it is time."""
        if time.monotonic() - self._drawn_at >= REDRAW_SECONDS:
            self._draw(trainer)

    def on_row(self, trainer: Trainer, row: Row) -> None:
        """Keep the scores for the next time."""
        self._row = row

    def on_end(self, trainer: Trainer) -> None:
        """Leave the last state."""
        self._draw(trainer, f"in {duration(time.monotonic() - self._began)}")

    def _draw(self, trainer: Trainer, end: str = "") -> None:
        self._handle.update(self._shown(trainer, end), raw=True)
        self._drawn_at = time.monotonic()

    def _shown(self, trainer: Trainer, end: str = "") -> dict[str, str]:
        """Return the display as HTML and as text."""
        at, row = trainer.progress, self._row
        words = f"{progress_text(trainer)} {end}".rstrip()
        bar = f'<progress value="{at.step}" max="{trainer.total_steps}"></progress>'
        shown = f"<div>{bar} {html.escape(words)}</div>"
        if row is None:
            return {"text/html": shown, "text/plain": words}
        parts = list(trainer.evaluators)
        names = list(row[parts[0]])
        rows = [("", *names)]
        rows += [(part, *(number(row[part][name]) for name in names)) for part in parts]
        text = f"{words}  {scores_line(trainer, row)}"
        return {"text/html": shown + html_table(rows), "text/plain": text}
