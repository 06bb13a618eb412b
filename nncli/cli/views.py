"""Views: a training as it goes on, live in a terminal or as plain lines."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

from nncli.cli.console import duration, note, number
from nncli.core.files import append_text
from nncli.training.callbacks import Callback, Row

if TYPE_CHECKING:
    from rich.console import RenderableType

    from nncli.training.trainer import Trainer

REDRAW_SECONDS = 0.1
LINE_SECONDS = 0.5
_BARS = "▁▂▃▄▅▆▇█"


def make_view() -> Callback:
    """Return a live view where a person is watching, else plain lines."""
    if sys.stdout.isatty() and sys.stderr.isatty():
        return LiveView()
    return PlainView()


class PlainView(Callback):
    """A table on stderr, at most two rows a second; always the last one."""

    def __init__(self) -> None:
        self._shown_at = 0.0
        self._waiting = ""

    def on_start(self, trainer: Trainer) -> None:
        """Name the columns."""
        self._columns = _columns(trainer)
        note("  ".join(name.rjust(width) for name, width in self._columns))

    def on_row(self, trainer: Trainer, row: Row) -> None:
        """Show the row now, or keep it in case it is the last one."""
        cells = [f"{row['epoch']}/{trainer.epochs}"]
        for part in trainer.evaluators:
            cells.extend(number(value) for value in row[part].values())
        cells.append(number(row["lr"]))
        widths = (width for _, width in self._columns)
        line = "  ".join(map(str.rjust, cells, widths))
        self._waiting = line + _mark(trainer, row)
        if time.monotonic() - self._shown_at >= LINE_SECONDS:
            self._show()

    def on_end(self, trainer: Trainer) -> None:
        """Show the last row."""
        self._show()

    def _show(self) -> None:
        if self._waiting:
            note(self._waiting)
            self._waiting = ""
            self._shown_at = time.monotonic()


def _columns(trainer: Trainer) -> list[tuple[str, int]]:
    """Return the name and width of every column of the plain view."""
    columns = [("epoch", len(f"{trainer.epochs}/{trainer.epochs}"))]
    metrics = [metric.key for metric in trainer.experiment.metrics]
    for part in trainer.evaluators:
        columns.append((f"{part}: loss", 9))
        columns.extend((name, 8) for name in metrics)
    columns.append(("lr", 9))
    return [(name, max(len(name), width)) for name, width in columns]


class LogWriter(Callback):
    """Writes every evaluation and the ends of a training to the run's train.log."""

    def on_start(self, trainer: Trainer) -> None:
        """Note from where training begins."""
        self._write(trainer, f"start at epoch {trainer.progress.epoch}")

    def on_row(self, trainer: Trainer, row: Row) -> None:
        """Note the row."""
        self._lines.append(dated(row_line(trainer, row)))
        # A line costs more than a small step: write them a second at a time.
        if time.monotonic() - self._written_at >= 1.0:
            self._flush(trainer)

    def on_end(self, trainer: Trainer) -> None:
        """Note where training ended."""
        self._write(trainer, f"end at epoch {trainer.progress.epoch}")

    _lines: list[str]
    _written_at = 0.0

    def __init__(self) -> None:
        self._lines = []

    def _write(self, trainer: Trainer, text: str) -> None:
        self._lines.append(dated(text))
        self._flush(trainer)

    def _flush(self, trainer: Trainer) -> None:
        lines, self._lines = self._lines, []
        if trainer.run is not None:
            append_text(trainer.run.log, "".join(lines))
        self._written_at = time.monotonic()


class LiveView(Callback):
    """A panel on stderr that is redrawn in place, at most ten times a second."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.live import Live

        self._console = Console(stderr=True, highlight=False, markup=False)
        self._live = Live(console=self._console, auto_refresh=False)
        self._losses: list[float] = []
        self._row: Row | None = None
        self._next = 0.0

    def on_start(self, trainer: Trainer) -> None:
        """Open the panel, with what an earlier part of the run left."""
        self._started = time.monotonic()
        self._first_step = trainer.progress.step
        for row in trainer.run.rows() if trainer.run is not None else []:
            self.on_row(trainer, row)
        self._live.start()
        self._draw(trainer)

    def on_step(self, trainer: Trainer) -> None:
        """Redraw when it is time."""
        if time.monotonic() >= self._next:
            self._draw(trainer)

    def on_row(self, trainer: Trainer, row: Row) -> None:
        """Keep the row for the next drawing."""
        self._row = row
        self._losses.append(row[_judged(trainer)]["loss"])

    def on_end(self, trainer: Trainer) -> None:
        """Draw the last state and leave it on the screen."""
        try:
            self._draw(trainer)
        finally:
            self._live.stop()

    def _draw(self, trainer: Trainer) -> None:
        began = time.monotonic()
        self._live.update(self._panel(trainer), refresh=True)
        # However slow the terminal is, it takes at most a twentieth of the time.
        cost = time.monotonic() - began
        self._next = began + max(REDRAW_SECONDS, 20 * cost)

    def _panel(self, trainer: Trainer) -> RenderableType:
        from rich.console import Group

        return Group(self._head(trainer), self._scores(trainer), *self._foot(trainer))

    def _head(self, trainer: Trainer) -> RenderableType:
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        at = trainer.progress
        name = trainer.experiment.config.name
        share = at.step / trainer.total_steps
        words = f"epoch {at.epoch:,}/{trainer.epochs:,} {share:.0%}"
        words = f"{words} {self._left(trainer)}".rstrip()
        free = self._console.width - len(words) - 3
        head = Table.grid(padding=(0, 1))
        wide = min(24, max(0, free // 2))
        bar = ProgressBar(trainer.total_steps, at.step, width=wide) if wide else ""
        name = name[: max(0, free - wide)]
        head.add_row(Text(name, style="bold"), bar, Text(words, no_wrap=True))
        return head

    def _left(self, trainer: Trainer) -> str:
        done = trainer.progress.step - self._first_step
        spent = time.monotonic() - self._started
        if trainer.done or trainer.interrupted:
            return f"in {duration(spent)}"
        if not done:
            return ""
        left = spent / done * (trainer.total_steps - trainer.progress.step)
        return f"{duration(left)} left"

    def _scores(self, trainer: Trainer) -> RenderableType:
        from rich.table import Table
        from rich.text import Text

        if self._row is None:
            every = min(
                trainer.experiment.config.training.evaluate_every, trainer.epochs
            )
            return Text(f"  first evaluation after epoch {every:,}")
        names = list(self._row["train"])
        scores = Table.grid(padding=(0, 3))
        scores.add_column(no_wrap=True)
        for _ in names:
            scores.add_column(justify="right", no_wrap=True)
        scores.add_row("", *(Text(name, style="dim") for name in names))
        for part in trainer.evaluators:
            values = (number(value) for value in self._row[part].values())
            scores.add_row(f"  {part}", *values)
        return scores

    def _foot(self, trainer: Trainer) -> list[RenderableType]:
        from rich.text import Text

        at = trainer.progress
        line = Text(f"  lr {number(trainer.lr)}", no_wrap=True, overflow="ellipsis")
        if at.best is not None:
            monitor = trainer.experiment.config.training.monitor
            best = f"best {monitor} {number(at.best)} after epoch {at.best_epoch:,}"
            line.append("   ").append(best, style="green")
        if len(self._losses) < 2:
            return [line]
        label = f"  {_judged(trainer)} loss "
        width = max(0, min(40, self._console.width - len(label) - 1))
        curve = Text(label, no_wrap=True, overflow="ellipsis")
        return [line, curve.append(sparkline(self._losses, width) if width else "")]


def _judged(trainer: Trainer) -> str:
    """Return the part whose scores decide which checkpoint is the best."""
    return "validation" if "validation" in trainer.evaluators else "train"


def _mark(trainer: Trainer, row: Row) -> str:
    return "  best" if trainer.progress.best_epoch == row["epoch"] else ""


def row_line(trainer: Trainer, row: Row) -> str:
    """Write an evaluation as one line of text."""
    width = len(str(trainer.epochs))
    texts = [f"epoch {row['epoch']:>{width}}/{trainer.epochs}"]
    for part in trainer.evaluators:
        scores = " ".join(f"{name} {number(v)}" for name, v in row[part].items())
        texts.append(f"{part}: {scores}")
    texts.append(f"lr {number(row['lr'])}")
    return "  ".join(texts) + _mark(trainer, row)


def sparkline(values: list[float], width: int) -> str:
    """Draw numbers as bars, each the mean of as many values, scaled to their range."""
    count = min(width, len(values))
    means = []
    for i in range(count):
        group = values[i * len(values) // count : (i + 1) * len(values) // count]
        means.append(sum(group) / len(group))
    low, high = min(means), max(means)
    span = (high - low) or 1.0
    top = len(_BARS) - 1
    return "".join(_BARS[round((mean - low) / span * top)] for mean in means)


def dated(text: str) -> str:
    """Write a line of a log."""
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S')} {text}\n"


def scores_text(scores: dict[str, Any]) -> str:
    """Write scores as ``loss 0.1234, accuracy 0.9800``."""
    return ", ".join(f"{name} {number(value)}" for name, value in scores.items())
