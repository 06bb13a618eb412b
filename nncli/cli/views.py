"""Views: a training as it goes on, live in a terminal or as plain lines."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

from nncli.cli.console import duration, note, number
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
    """One line an evaluation on stderr, at most two a second; always the last one."""

    def __init__(self) -> None:
        self._shown_at = 0.0
        self._waiting = ""

    def on_row(self, trainer: Trainer, row: Row) -> None:
        """Show the row now, or keep it in case it is the last one."""
        self._waiting = row_line(trainer, row)
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


class LogWriter(Callback):
    """Writes every evaluation and the ends of a training to the run's train.log."""

    def on_start(self, trainer: Trainer) -> None:
        """Note from where training begins."""
        self._write(trainer, f"start at epoch {trainer.progress.epoch}")

    def on_row(self, trainer: Trainer, row: Row) -> None:
        """Note the row."""
        self._lines.append(f"{_now()} {row_line(trainer, row)}")
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
        self._lines.append(f"{_now()} {text}")
        self._flush(trainer)

    def _flush(self, trainer: Trainer) -> None:
        if trainer.run is not None:
            with trainer.run.log.open("a", encoding="utf-8") as file:
                file.write("".join(f"{line}\n" for line in self._lines))
        self._lines.clear()
        self._written_at = time.monotonic()


class LiveView(Callback):
    """A panel on stderr that is redrawn in place, at most ten times a second."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.live import Live

        self._live = Live(
            console=Console(stderr=True, highlight=False), auto_refresh=False
        )
        self._losses: list[float] = []
        self._row: Row | None = None
        self._next = 0.0

    def on_start(self, trainer: Trainer) -> None:
        """Open the panel."""
        self._started = time.monotonic()
        self._first_step = trainer.progress.step
        self._live.start()
        self._draw(trainer)

    def on_step(self, trainer: Trainer) -> None:
        """Redraw when it is time."""
        if time.monotonic() >= self._next:
            self._draw(trainer)

    def on_row(self, trainer: Trainer, row: Row) -> None:
        """Keep the row for the next drawing."""
        self._row = row
        scores: Row = row["validation" if "validation" in row else "train"]
        self._losses.append(scores["loss"])

    def on_end(self, trainer: Trainer) -> None:
        """Draw the last state and leave it on the screen."""
        self._draw(trainer)
        self._live.stop()

    def _draw(self, trainer: Trainer) -> None:
        began = time.monotonic()
        self._live.update(self._panel(trainer), refresh=True)
        # A slow terminal may take at most a tenth of the time.
        cost = time.monotonic() - began
        self._next = began + max(REDRAW_SECONDS, 10 * cost)

    def _panel(self, trainer: Trainer) -> RenderableType:
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table

        at = trainer.progress
        share = at.step / max(1, trainer.total_steps)
        head = Table.grid(padding=(0, 1), expand=False)
        head.add_row(
            f"[bold]{trainer.experiment.config.name}[/]",
            ProgressBar(trainer.total_steps, at.step, width=24),
            f"epoch {at.epoch:,}/{trainer.epochs:,}",
            f"{share:.0%}",
            self._left(trainer),
        )
        return Group(head, self._scores(trainer), self._foot(trainer))

    def _left(self, trainer: Trainer) -> str:
        done = trainer.progress.step - self._first_step
        spent = time.monotonic() - self._started
        if not done:
            return ""
        left = spent / done * (trainer.total_steps - trainer.progress.step)
        if trainer.done:
            return f"in {duration(spent)}"
        return f"{duration(left)} left"

    def _scores(self, trainer: Trainer) -> RenderableType:
        from rich.table import Table

        if self._row is None:
            return "  first evaluation after epoch " + str(
                trainer.experiment.config.training.evaluate_every
            )
        scores = Table.grid(padding=(0, 3))
        names = list(self._row["train"])
        scores.add_column()
        for _ in names:
            scores.add_column(justify="right")
        scores.add_row("", *(f"[dim]{name}[/]" for name in names))
        for part in trainer.evaluators:
            values = (number(value) for value in self._row[part].values())
            scores.add_row(f"  {part}", *values)
        return scores

    def _foot(self, trainer: Trainer) -> str:
        at = trainer.progress
        monitor = trainer.experiment.config.training.monitor
        best = f"best {monitor} {number(at.best)} after epoch {at.best_epoch:,}"
        if at.best is None:
            best = ""
        line = f"  lr {number(trainer.lr)}   [green]{best}[/]"
        if len(self._losses) > 1:
            line += f"\n  loss {sparkline(self._losses, 40)}"
        return line


def row_line(trainer: Trainer, row: Row) -> str:
    """Write an evaluation as one line of text."""
    width = len(str(trainer.epochs))
    texts = [f"epoch {row['epoch']:>{width}}/{trainer.epochs}"]
    for part in trainer.evaluators:
        scores = " ".join(f"{name} {number(v)}" for name, v in row[part].items())
        texts.append(f"{part}: {scores}")
    texts.append(f"lr {number(row['lr'])}")
    if trainer.progress.best_epoch == row["epoch"]:
        texts.append("best")
    return "  ".join(texts)


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


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S")


def scores_text(scores: dict[str, Any]) -> str:
    """Write scores as ``loss 0.1234, accuracy 0.9800``."""
    return ", ".join(f"{name} {number(value)}" for name, value in scores.items())
