"""Onlookers: a view or a log that fails is left out, and training goes on."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from nncli.cli.onlookers import Onlookers
from nncli.core.errors import InterruptedRun
from nncli.runs.directory import RunDirectory
from nncli.training.callbacks import Callback
from nncli.training.progress import PlainView
from nncli.training.trainer import Trainer
from tests.command import Command
from tests.training.jobs import Rows, experiment

EVENTS = ["on_start", "on_step", "on_row", "on_end"]


class Failing(Callback):
    """Raises at one event; notes whether it was told of the end."""

    def __init__(self, event: str, error: Exception) -> None:
        self.told: list[str] = []

        def fail(*_: object) -> None:
            self.told.append(event)
            raise error

        setattr(self, event, fail)


@pytest.mark.parametrize("event", EVENTS)
def test_view_that_fails_is_left_out(
    capsys: pytest.CaptureFixture[str], event: str
) -> None:
    failing, rows = Failing(event, ValueError("oh")), Rows()
    training = Trainer(experiment(), None, [Onlookers([failing, rows])])
    training.fit()
    assert rows.epochs == [1, 2, 3, 4, 5]
    assert failing.told[0] == event
    assert failing.told.count(event) == (2 if event == "on_end" else 1)
    err = capsys.readouterr().err
    assert err == "note: Failing failed and is left out from here on: oh.\n"


def test_interruption_in_a_view_is_no_failure_of_it() -> None:
    onlookers = Onlookers([Failing("on_step", InterruptedRun("stop"))])
    with pytest.raises(InterruptedRun, match="stop"):
        Trainer(experiment(), None, [onlookers]).fit()


def test_exception_in_the_progress_view_does_not_fail_a_training(
    command: Command,
    write_config: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(PlainView, "on_row", fail)
    outcome = command.train(write_config())
    assert "PlainView failed and is left out from here on" in outcome.err
    assert "next: nncli eval" in outcome.out


@pytest.mark.parametrize("kind", ["directory", "pipe"])
def test_log_that_cannot_be_written_does_not_fail_a_training(
    command: Command, write_config: Callable[..., Path], kind: str
) -> None:
    command.train(write_config())
    run = RunDirectory(command.runs / "small-1")
    run.log.unlink()
    if kind == "pipe":
        os.mkfifo(run.log)
    else:
        run.log.mkdir()
    outcome = command("train", "--resume", run.path, "training.epochs=7")
    assert outcome.code == 0, outcome.err
    assert f"LogWriter failed and is left out from here on: {run.log}: " in outcome.err
    assert len(run.rows()) == 7
