"""Callback: who wants to hear of a training while it goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nncli.core.text import count, html_table, number, scores_text

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
        monitor: The score that decides which row is the best one.
        best: Its best value, that of the validation part where there is one.
        best_epoch: The epoch after which it was measured.
    """

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.monitor = "loss"
        self.best: float | None = None
        self.best_epoch = 0
        self._unit, self._best_at = "epoch", ""

    def on_row(self, trainer: Trainer, row: Row) -> None:
        """Keep the row."""
        self.rows.append(row)
        self.monitor = trainer.experiment.config.training.monitor
        self.best = trainer.progress.best
        self.best_epoch = trainer.progress.best_epoch
        self._unit, self._best_at = trainer.unit, trainer.best_at

    @property
    def last(self) -> Row:
        """The newest row."""
        return self.rows[-1]

    @property
    def parts(self) -> list[str]:
        """The parts that were scored."""
        return [name for name in ("train", "validation") if name in self.last]

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
