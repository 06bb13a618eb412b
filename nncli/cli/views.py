"""Views: a training as it goes on, live in a terminal or as plain lines."""

from __future__ import annotations

import os
import re
import sys
import time
from collections import Counter
from typing import TYPE_CHECKING

from nncli.cli.console import err, note, watched
from nncli.core.atomic import write_bytes
from nncli.core.files import open_file
from nncli.core.text import duration, number
from nncli.runs.late import LateLines
from nncli.training.callbacks import Callback, Row
from nncli.training.progress import PlainView, progress_text, row_line

if TYPE_CHECKING:
    from rich.console import RenderableType

    from nncli.runs.directory import RunDirectory
    from nncli.training.trainer import Trainer

REDRAW_SECONDS = 0.1
MIN_HEAD = 16
NUMBER_WIDTH = 9
_BARS = "▁▂▃▄▅▆▇█"


def make_view() -> Callback:
    """Return a live view where a person is watching, else plain lines."""
    if sys.stdout.isatty() and watched():
        return LiveView()
    return PlainView(note)


REFLOWING = (
    "ALACRITTY_WINDOW_ID",
    "KITTY_WINDOW_ID",
    "KONSOLE_VERSION",
    "TERM_PROGRAM",
    "TMUX",
    "VTE_VERSION",
    "WEZTERM_PANE",
    "WT_SESSION",
)
"""Variables of terminals that break lines anew when their window becomes narrower.
Others (xterm, the console of Linux) cut them off."""


def reflows() -> bool:
    """Whether the terminal breaks its lines anew when its window becomes narrower."""
    return any(name in os.environ for name in REFLOWING)


class LogWriter(Callback):
    """Writes every evaluation and the ends of a training to the run's train.log.

    Args:
        run: Its directory.
        overrides: What is changed of a run that goes on.
    """

    def __init__(self, run: RunDirectory, overrides: list[str] | None = None) -> None:
        self._run = run
        self._overrides = overrides or []
        self._lines = LateLines(run.log)

    def on_start(self, trainer: Trainer) -> None:
        """Note from where training begins, after what a killed one left unwritten."""
        if self._run.log.exists():
            self._mend(trainer)
        changes = f" with {' '.join(self._overrides)}" if self._overrides else ""
        self._lines.add(dated(f"start at {_reached(trainer)}{changes}"))
        self._lines.finish()

    def on_row(self, trainer: Trainer, row: Row) -> None:
        """Note the row."""
        self._lines.add(dated(row_line(trainer, row)))

    def on_end(self, trainer: Trainer) -> None:
        """Note where training ended."""
        self._lines.add(dated(f"end at {_reached(trainer)}"))
        self._lines.finish()

    def _mend(self, trainer: Trainer) -> None:
        """Drop half a line, and add the rows that are in metrics.jsonl alone."""
        with open_file(self._run.log) as file:
            text, newline, _ = file.read().decode(errors="replace").rpartition("\n")
        # An epoch may have several rows.
        unit = trainer.unit
        known = Counter(re.findall(rf"^\S+ {unit} +([0-9]+)/", text, re.MULTILINE))
        write_bytes(self._run.log, f"{text}{newline}".encode())
        for row in self._run.rows():
            reached = str(row[unit])
            if not known[reached]:
                self._lines.add(dated(f"{row_line(trainer, row)} (late)"))
            known[reached] -= known[reached] > 0


class LiveView(Callback):
    """A panel on stderr that is redrawn in place, at most ten times a second."""

    def __init__(self) -> None:
        from rich.live import Live

        self._console = err()
        self._live = Live(console=self._console, auto_refresh=False)
        self._losses: list[float] = []
        self._shown: tuple[RenderableType, int] | None = None
        self._row: Row | None = None
        self._next = 0.0
        self._ended = False

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
        self._losses.append(row[trainer.judged]["loss"])

    def on_end(self, trainer: Trainer) -> None:
        """Leave the last state on the screen, unless the results follow."""
        self._ended = True
        try:
            # The end of the live display draws once more by itself.
            self._show(trainer, refresh=False)
        finally:
            self._live.transient = trainer.done
            self._live.stop()

    def _draw(self, trainer: Trainer) -> None:
        began = time.monotonic()
        self._show(trainer, refresh=True)
        # However slow the terminal is, it takes a two-hundredth of the time.
        cost = time.monotonic() - began
        self._next = began + max(REDRAW_SECONDS, 200 * cost)

    def _show(self, trainer: Trainer, *, refresh: bool) -> None:
        """Put the panel in the place of the one that is on the screen."""
        width = self._console.width
        if self._shown is not None and self._shown[1] > width and reflows():
            self._climb(*self._shown, width)
        panel = self._panel(trainer)
        self._shown = panel, width
        self._live.update(panel, refresh=refresh)

    def _climb(self, panel: RenderableType, before: int, width: int) -> None:
        """Erase the lines that a narrower window has made of those on the screen."""
        from rich.control import Control
        from rich.segment import ControlType, Segment

        options = self._console.options.update_width(before)
        lines = self._console.render_lines(panel, options, pad=False)
        sizes = (Segment.get_line_length(line) for line in lines)
        more = sum(max(0, -(-size // width) - 1) for size in sizes)
        step = ((ControlType.ERASE_IN_LINE, 2), (ControlType.CURSOR_UP, 1))
        self._console.control(Control(*(step * more)))

    def _panel(self, trainer: Trainer) -> RenderableType:
        from rich.console import Group

        return Group(self._head(trainer), self._scores(trainer), *self._foot(trainer))

    def _head(self, trainer: Trainer) -> RenderableType:
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        at = trainer.progress
        name = trainer.experiment.config.name
        share = at.step / trainer.total_steps
        words = f"{progress_text(trainer)} {share:.0%}"
        words = f"{words} {self._left(trainer)}".rstrip()
        head = Table.grid(padding=(0, 1))
        free = self._console.width - len(words) - 3
        beside = free >= MIN_HEAD
        if not beside:
            # The words have a line of their own.
            free = self._console.width - 2
        width = max(0, min(24, free // 2))
        bar = ProgressBar(trainer.total_steps, at.step, width=width) if width else ""
        title = Text(name[: max(0, free - width)], style="bold")
        if beside:
            head.add_row(title, bar, Text(words, no_wrap=True))
            return head
        head.add_row(title, bar)
        return Group(head, Text(words, no_wrap=True, overflow="ellipsis"))

    def _left(self, trainer: Trainer) -> str:
        done = trainer.progress.step - self._first_step
        spent = time.monotonic() - self._started
        if self._ended or trainer.done or trainer.interrupted:
            return f"in {duration(spent)}"
        if not done:
            return ""
        left = spent / done * (trainer.total_steps - trainer.progress.step)
        return f"{duration(left)} left"

    def _scores(self, trainer: Trainer) -> RenderableType:
        from rich.text import Text

        if self._row is None:
            training = trainer.experiment.config.training
            every = training.evaluate_steps or training.evaluate_every
            return Text(
                f"  first evaluation after {trainer.unit} {min(every, trainer.end):,}"
            )
        names = self._names(list(self._row["train"]), list(trainer.evaluators))
        lines = [("", names)]
        for part in trainer.evaluators:
            lines.append((part, [number(self._row[part][name]) for name in names]))
        first = max(len(part) for part, _ in lines)
        sizes = [
            max(map(len, cells)) for cells in zip(*(c for _, c in lines), strict=True)
        ]
        texts = [
            "   ".join([f"  {part:<{first}}", *map(str.rjust, cells, sizes)])
            for part, cells in lines
        ]
        # Lines of text are drawn in a third of the time of a table.
        scores = Text("\n".join(texts), no_wrap=True, overflow="crop")
        scores.stylize("dim", 0, len(texts[0]))
        return scores

    def _names(self, names: list[str], parts: list[str]) -> list[str]:
        """Return as many scores as have room side by side."""
        room = self._console.width - 2 - max(map(len, parts))
        kept: list[str] = []
        for name in names:
            room -= 3 + max(len(name), NUMBER_WIDTH)
            if room >= 0 or not kept:
                kept.append(name)
        return kept

    def _foot(self, trainer: Trainer) -> list[RenderableType]:
        from rich.text import Text

        at = trainer.progress
        rate, best = f"  lr {number(trainer.lr)}", ""
        if self._row is not None and "step_loss" in self._row:
            rate += f"   loss of steps {number(self._row['step_loss'])}"
        if at.best is not None:
            monitor = trainer.experiment.config.training.monitor
            best = f"best {monitor} {number(at.best)} after {trainer.best_at}"
        lines: list[RenderableType] = [Text.assemble(f"{rate}   ", (best, "green"))]
        if len(rate) + 3 + len(best) > self._console.width:
            lines = [Text(rate), Text(f"  {best}", style="green", no_wrap=True)]
        if len(self._losses) < 2:
            return lines
        label = f"  {trainer.judged} loss "
        width = max(0, min(40, self._console.width - len(label) - 1))
        curve = Text(label, no_wrap=True, overflow="ellipsis")
        return [*lines, curve.append(sparkline(self._losses, width) if width else "")]


def _reached(trainer: Trainer) -> str:
    return f"{trainer.unit} {getattr(trainer.progress, trainer.unit)}"


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
