"""Callback: who wants to hear of a training while it goes on."""

from __future__ import annotations

import math
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

from nncli.core.errors import MissingExtra, NncliError
from nncli.core.text import count, html_table, number, scores_text
from nncli.runs.rows import flat

if TYPE_CHECKING:
    from nncli.training.trainer import Trainer

Row = dict[str, Any]


class Callback:
    """Hears of a training; every method may be left as it is."""

    def on_start(self, trainer: Trainer) -> None:
        """Training begins, or goes on."""

    def on_step(self, trainer: Trainer) -> None:
        """A step was made; called often, so it must be quick."""

    def on_record(self, trainer: Trainer, row: Row) -> None:
        """A step was made that is recorded; told before ``on_step`` of it."""

    def on_row(self, trainer: Trainer, row: Row) -> None:
        """An evaluation was made."""

    def on_end(self, trainer: Trainer) -> None:
        """Training ended, for whatever reason."""


class History(Callback):
    """What ``fit`` returns: one row an evaluation.

    Attributes:
        rows: As in a run's metrics.jsonl: epoch, step, lr, scores of each part.
        records: As in a run's records.jsonl, where ``fit`` was asked to record steps.
        monitor: The score that decides which row is the best one.
        best: Its best value, that of the validation part where there is one.
        best_epoch: The epoch after which it was measured.
    """

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.records: list[Row] = []
        self.monitor = "loss"
        self.best: float | None = None
        self.best_epoch = 0
        self._unit, self._best_at = "epoch", ""
        self._best_step = 0

    def on_record(self, trainer: Trainer, row: Row) -> None:
        """Keep what a step tells of itself."""
        self.records.append(row)

    def on_row(self, trainer: Trainer, row: Row) -> None:
        """Keep the row."""
        self.rows.append(row)
        self.monitor = trainer.experiment.config.training.monitor
        self.best = trainer.progress.best
        self.best_epoch = trainer.progress.best_epoch
        self._unit, self._best_at = trainer.unit, trainer.best_at
        self._best_step = trainer.progress.best_step

    @property
    def last(self) -> Row:
        """The newest row."""
        return self.rows[-1]

    @property
    def parts(self) -> list[str]:
        """The parts that were scored."""
        return [name for name in ("train", "validation") if name in self.last]

    def to_frame(self, library: Literal["pandas", "polars"] | None = None) -> Any:
        """Return the rows as a table with columns such as ``epoch``, ``train.loss``.

        Args:
            library: Whose frame; None for that of pandas, or where it is not installed
                of polars.

        Raises:
            MissingExtra: It is not installed.
        """
        rows = [flat(row) for row in self.rows]
        names = dict.fromkeys(name for row in rows for name in row)
        columns = {name: [row.get(name) for row in rows] for name in names}
        for module in (library,) if library else ("pandas", "polars"):
            try:
                return import_module(module).DataFrame(columns)
            except ImportError:
                continue
        raise MissingExtra("to_frame", library or "pandas or polars", "tables")

    def plot(self) -> list[Any]:
        """Draw every score of all parts with pyplot, the best evaluation marked.

        A notebook shows the figure; a program calls ``matplotlib.pyplot.show()``.

        Returns:
            The axes, those of one score beside those of the next.

        Raises:
            MissingExtra: matplotlib is not installed.
            NncliError: There are no evaluations yet.
        """
        if not self.rows:
            raise NncliError("plot: expected evaluations to draw, got none. Call fit.")
        try:
            pyplot: Any = import_module("matplotlib.pyplot")
        except ImportError:
            raise MissingExtra("plot", "matplotlib", "plot") from None
        names = list(self.last[self.parts[0]])
        size = 4.0 * len(names), 3.0
        _, grid = pyplot.subplots(
            1, len(names), figsize=size, layout="constrained", squeeze=False
        )
        for axes, name in zip(grid[0], names, strict=True):
            self._draw(axes, name)
        return list(grid[0])

    def _draw(self, axes: Any, name: str) -> None:
        """Draw one score of all parts."""
        reached = [row[self._unit] for row in self.rows]
        best = [row["step"] == self._best_step for row in self.rows]
        for part in self.parts:
            # What is undefined is a gap.
            values = [
                math.nan if row[part][name] is None else row[part][name]
                for row in self.rows
            ]
            axes.plot(reached, values, label=part, marker="." * (len(values) == 1))
        if any(best):
            # On the part that decided, which is the last.
            place = best.index(True)
            axes.plot(reached[place], values[place], "ko", label="best")
        axes.set(title=name, xlabel=self._unit)
        axes.legend()

    def __repr__(self) -> str:
        if not self.rows:
            return "History(no evaluations)"
        scores = (f"{part}: {scores_text(self.last[part])}" for part in self.parts)
        told = [self._reached(), *scores]
        if self.best is not None:
            told.append(self._best())
        return f"History({count(len(self.rows), 'evaluation')}; {'; '.join(told)})"

    def _best(self) -> str:
        return f"best {self.monitor} {number(self.best)} after {self._best_at}"

    def _reached(self) -> str:
        return f"{self._unit} {self.last[self._unit]:,}"

    def _repr_html_(self) -> str:
        """Return a small table of the last scores, for notebooks."""
        if not self.rows:
            return html_table([("no evaluations",)])
        names = list(self.last[self.parts[0]])
        rows = [(self._reached(), *names)]
        for part in self.parts:
            rows.append((part, *(number(self.last[part][name]) for name in names)))
        return html_table(rows, self._best() if self.best is not None else "")
