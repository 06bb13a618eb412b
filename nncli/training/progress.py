"""Progress in text: a table of lines for a log, or one line that is written over."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from nncli.core.text import duration, number
from nncli.training.callbacks import Callback, Row

if TYPE_CHECKING:
    from nncli.training.trainer import Trainer

LINE_SECONDS = 5.0
REDRAW_SECONDS = 0.1
WIDTH = 80


def to_stdout(text: str) -> None:
    """Print one line to stdout."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def progress_in_text() -> Callback:
    """Return what suits where the program runs.

    A display in a notebook, a line that is written over in a terminal, else a table of
    lines.
    """
    from nncli.training.notebook import NotebookView, in_notebook

    if in_notebook():
        return NotebookView()
    return LineView() if sys.stdout.isatty() else PlainView(to_stdout)


class PlainView(Callback):
    """A table: the first row, the last one, and every few seconds the newest.

    So that no best one is missed, the best row since then stands before the newest.
    Where not all scores have room in 80 columns, losses come first, then those of the
    part that is judged; the others are in train.log and metrics.jsonl.

    Args:
        write: Prints a line.
    """

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._shown_at = -LINE_SECONDS
        self._waiting: list[str] = []
        self._columns: list[Column] = []

    def on_start(self, trainer: Trainer) -> None:
        """Name the columns."""
        self._columns = _columns(trainer)
        self._write("  ".join(each.head.rjust(each.width) for each in self._columns))

    def on_row(self, trainer: Trainer, row: Row) -> None:
        """Show the row now, or keep it in case it is the last one or the best."""
        first, *scores, last = self._columns
        cells = [
            f"{row[trainer.unit]}/{trainer.end}".rjust(first.width),
            *(number(row[each.part][each.name]).rjust(each.width) for each in scores),
            number(row["lr"]).rjust(last.width),
        ]
        line = "  ".join(cells)
        best = [line for line in self._waiting if line.endswith(BEST)][-1:]
        mark = _mark(trainer, row)
        self._waiting = [line + mark] if mark else [*best, line]
        if time.monotonic() - self._shown_at >= LINE_SECONDS:
            self._show()

    def on_end(self, trainer: Trainer) -> None:
        """Show what is left."""
        self._show()

    def _show(self) -> None:
        for line in self._waiting:
            self._write(line)
        if self._waiting:
            self._shown_at = time.monotonic()
        self._waiting = []


class LineView(Callback):
    """One line on stdout that is written over, at most ten times a second."""

    def __init__(self) -> None:
        self._scores = ""
        self._drawn_at = 0.0
        self._started = time.monotonic()

    def on_step(self, trainer: Trainer) -> None:
        """Write the line again when it is time."""
        if time.monotonic() - self._drawn_at >= REDRAW_SECONDS:
            self._draw(trainer)

    def on_row(self, trainer: Trainer, row: Row) -> None:
        """Keep the scores for the next time."""
        self._scores = scores_line(trainer, row)

    def on_end(self, trainer: Trainer) -> None:
        """Leave the last state on the screen."""
        self._draw(trainer, f"  in {duration(time.monotonic() - self._started)}\n")

    def _draw(self, trainer: Trainer, end: str = "") -> None:
        text = f"{progress_text(trainer)}  {self._scores}".rstrip()
        # The last column stays free: some terminals would begin another line.
        room = shutil.get_terminal_size().columns - 1 - len(end.rstrip())
        if len(text) > room:
            text = text[: max(room - 1, 0)] + "…"
        sys.stdout.write(f"\r{text}{end.rstrip()}\x1b[K{end[len(end.rstrip()) :]}")
        sys.stdout.flush()
        self._drawn_at = time.monotonic()


BEST = "  best"


def progress_text(trainer: Trainer) -> str:
    """Write how far a training is as ``epoch 3/20``, or by steps."""
    reached = getattr(trainer.progress, trainer.unit)
    return f"{trainer.unit} {reached:,}/{trainer.end:,}"


def _mark(trainer: Trainer, row: Row) -> str:
    return BEST if trainer.progress.best_step == row["step"] else ""


class Column(NamedTuple):
    """A column of the table: a score of a part, or none where ``part`` is empty."""

    head: str
    width: int
    part: str = ""
    name: str = ""


def _columns(trainer: Trainer) -> list[Column]:
    """Return the columns of the table that have room."""
    names = ["loss", *(metric.key for metric in trainer.experiment.metrics)]
    scores = [
        Column(head, max(len(head), 9 if name == "loss" else 8), part, name)
        for part in trainer.evaluators
        for name in names
        for head in [f"{part}: loss" if name == "loss" else name]
    ]
    first = Column(trainer.unit, max(5, len(f"{trainer.end}/{trainer.end}")))
    last = Column("lr", 9)
    room = WIDTH - len(BEST) - first.width - 2 - last.width
    kept = set()
    for column in sorted(
        scores, key=lambda each: (each.name != "loss", each.part != trainer.judged)
    ):
        room -= 2 + column.width
        if room < 0:
            break
        kept.add(column)
    return [first, *(column for column in scores if column in kept), last]


def row_line(trainer: Trainer, row: Row) -> str:
    """Write an evaluation as one line of text."""
    unit, width = trainer.unit, len(str(trainer.end))
    reached = f"{unit} {row[unit]:>{width}}/{trainer.end}"
    scores = scores_line(trainer, row)
    # What training itself saw on the way: the mean loss of the steps since the last.
    if "step_loss" in row:
        scores += f"  steps: loss {number(row['step_loss'])}"
    return f"{reached}  {scores}  lr {number(row['lr'])}{_mark(trainer, row)}"


def scores_line(trainer: Trainer, row: Row) -> str:
    """Write the scores of an evaluation as ``train: loss 0.1234 accuracy 0.9800``."""
    texts = []
    for part in trainer.evaluators:
        scores = " ".join(f"{name} {number(v)}" for name, v in row[part].items())
        texts.append(f"{part}: {scores}")
    return "  ".join(texts)
