"""Onlookers: views and logs of a training, which can fail without harming it."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

from nncli.cli.console import note
from nncli.core.errors import InterruptedRun
from nncli.training.callbacks import Callback, Row
from nncli.training.trainer import Trainer


class Onlookers(Callback):
    """Tells others of a training; who fails is told no more, and training goes on.

    Args:
        others: Views and logs.
    """

    def __init__(self, others: Sequence[Callback]) -> None:
        self._others = list(others)
        # Steps may be small: only who has something to do at each is told of it.
        self._stepping = [each for each in others if _steps(each)]

    def on_start(self, trainer: Trainer) -> None:
        """Tell that training begins."""
        self._tell(self._others, "on_start", trainer)

    def on_step(self, trainer: Trainer) -> None:
        """Tell of a step."""
        self._tell(self._stepping, "on_step", trainer)

    def on_record(self, trainer: Trainer, row: Row) -> None:
        """Tell of a step that is recorded."""
        self._tell(self._others, "on_record", trainer, row)

    def on_row(self, trainer: Trainer, row: Row) -> None:
        """Tell of an evaluation."""
        self._tell(self._others, "on_row", trainer, row)

    def on_end(self, trainer: Trainer) -> None:
        """Tell that training ended."""
        self._tell(self._others, "on_end", trainer)

    def _tell(
        self, others: Sequence[Callback], event: str, trainer: Trainer, *details: Any
    ) -> None:
        for other in others:
            try:
                getattr(other, event)(trainer, *details)
            except InterruptedRun:
                # Ctrl-C may come at any moment.
                raise
            except Exception as error:
                self._leave_out(other, trainer, error)

    def _leave_out(self, other: Callback, trainer: Trainer, error: Exception) -> None:
        """Tell nothing more to one that failed, and say so."""
        self._others = [each for each in self._others if each is not other]
        self._stepping = [each for each in self._stepping if each is not other]
        with contextlib.suppress(Exception):
            other.on_end(trainer)
        text = str(error) or type(error).__name__
        if isinstance(error, OSError) and error.filename:
            text = f"{error.filename}: {error.strerror}"
        name = type(other).__name__
        note(f"note: {name} failed and is left out from here on: {text}.")


def _steps(other: Callback) -> bool:
    """Whether somebody does anything at a step."""
    return getattr(other.on_step, "__func__", None) is not Callback.on_step
