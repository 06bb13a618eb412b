"""Callback: who wants to hear of a training while it goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nncli.training.trainer import Trainer

Row = dict[str, Any]


class Callback:
    """Hears of a training; every method may be left as it is."""

    def on_start(self, trainer: Trainer) -> None:
        """Training begins, or goes on."""

    def on_step(self, trainer: Trainer) -> None:
        """A step was made; called often, so it must be quick."""

    def on_row(self, trainer: Trainer, row: Row) -> None:
        """An evaluation was made."""

    def on_end(self, trainer: Trainer) -> None:
        """Training ended, for whatever reason."""


class History(Callback):
    """What ``fit`` returns: one row an evaluation.

    Attributes:
        rows: As in a run's metrics.jsonl: epoch, step, lr, scores of each part.
    """

    def __init__(self) -> None:
        self.rows: list[Row] = []

    def on_row(self, trainer: Trainer, row: Row) -> None:
        """Keep the row."""
        self.rows.append(row)

    @property
    def last(self) -> Row:
        """The newest row."""
        return self.rows[-1]
