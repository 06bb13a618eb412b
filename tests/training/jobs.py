"""Small trainings that several tests here share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from nncli.config.load import Loaded, finish
from nncli.config.override import apply_overrides
from nncli.config.read import parse
from nncli.core.arrays import Array
from nncli.data.batches import Batch
from nncli.experiment.build import build
from nncli.experiment.experiment import Experiment
from nncli.experiment.part import Part
from nncli.runs.directory import RunDirectory
from nncli.training.callbacks import Callback, Row
from nncli.training.session import create_run
from nncli.training.state import capture
from nncli.training.trainer import Trainer
from tests.conftest import SMALL


def load(*overrides: str, text: str = SMALL, allow_plugins: bool = False) -> Loaded:
    """Read a config from text."""
    document = parse(text, "config.yaml")
    apply_overrides(document, list(overrides))
    return finish(document, Path(), allow_plugins=allow_plugins)


def experiment(*overrides: str, text: str = SMALL) -> Experiment:
    """Build the experiment of a config."""
    return build(load(*overrides, text=text))


class Rows(Callback):
    """Keeps every row."""

    def __init__(self) -> None:
        self.rows: list[Row] = []

    def on_row(self, trainer: Trainer, row: Row) -> None:
        self.rows.append(row)

    def of(self, part: str, name: str) -> list[Any]:
        """Return one score of every row."""
        return [row[part][name] for row in self.rows]

    @property
    def epochs(self) -> list[int]:
        """Return the epochs after which there was an evaluation."""
        return [row["epoch"] for row in self.rows]


class StopAt(Callback):
    """Interrupts after a number of steps."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_step(self, trainer: Trainer) -> None:
        if trainer.progress.step == self.step:
            trainer.interrupted = True


def trainer(
    *overrides: str, text: str = SMALL, callbacks: tuple[Callback, ...] = ()
) -> Trainer:
    """Make a trainer that writes nothing."""
    return Trainer(experiment(*overrides, text=text), None, callbacks)


def run_of(
    parent: Path, *overrides: str, text: str = SMALL
) -> tuple[Experiment, RunDirectory]:
    """Build an experiment and make its run directory."""
    loaded = load(*overrides, text=text)
    made = build(loaded)
    return made, create_run(made, loaded, parent, ["nncli", "train"])


def all_of(part: Part) -> Batch:
    """Return all rows of a part as the network takes them."""
    return part.batch(slice(0, len(part)))


def state_of(trainer: Trainer) -> dict[str, Array]:
    """Return all arrays of a training."""
    return capture(trainer.experiment, trainer.progress).arrays


def assert_same_bits(a: dict[str, Array], b: dict[str, Array]) -> None:
    """Fail, naming the arrays, where two states differ in a bit."""
    assert set(a) == set(b)
    wrong = [name for name in a if np.asarray(a[name]).tobytes() != b[name].tobytes()]
    assert not wrong
