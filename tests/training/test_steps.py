"""Trainings of so many steps, and what is evaluated within an epoch."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nncli.cli.app import run as call
from nncli.core.errors import DataError, UsageError
from nncli.data import batches as batches_module
from nncli.data.base import Dataset
from nncli.data.table import Table
from nncli.experiment import part as part_module
from nncli.runs.checkpoint import load_checkpoint, save_checkpoint
from nncli.runs.directory import RunDirectory
from nncli.training.callbacks import Row
from nncli.training.evaluate import Evaluator
from nncli.training.resume import resume_run
from nncli.training.state import capture, restore
from nncli.training.trainer import Trainer
from tests.conftest import SMALL
from tests.training.jobs import (
    Rows,
    StopAt,
    assert_same_bits,
    experiment,
    run_of,
    state_of,
    trainer,
)
from tests.training.test_trainer import Scripted

# 60 training rows in batches of 16: four steps an epoch.
TEN = "training={steps: 10, evaluate_steps: 3, batch_size: 16}"
NOISE = "augmentations=[{type: gaussian_noise, std: 0.3}]"
SCALED = "transforms=[standardize]"

AHEAD = "prepared ahead"


def fitted(*overrides: str) -> tuple[Trainer, list[Row]]:
    rows = Rows()
    made = trainer(*overrides, callbacks=(rows,))
    made.fit()
    return made, rows.rows


def in_two_goes(step: int, folder: Path, *overrides: str) -> tuple[Trainer, list[Row]]:
    """Stop after a step, and go on from a checkpoint on disk."""
    rows, file = Rows(), folder / "checkpoint"
    first = trainer(*overrides, callbacks=(rows, StopAt(step)))
    first.fit()
    assert first.progress.step == step
    save_checkpoint(file, capture(first.experiment, first.progress))
    made = experiment(*overrides)
    at = restore(made, load_checkpoint(file))
    second = Trainer(made, None, (rows,), at)
    second.fit()
    return second, rows.rows


@pytest.fixture(params=["kept", "prepared", AHEAD])
def preparing(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep inputs, prepare them for each batch, or do that in a second thread."""
    if request.param != "kept":
        monkeypatch.setattr(part_module, "KEEP", 0)
    if request.param == AHEAD:
        monkeypatch.setattr(batches_module, "AHEAD", 0)


@pytest.mark.parametrize(
    ("training", "steps", "epochs"),
    [
        ("steps: 10, evaluate_steps: 3", [3, 6, 9, 10], [0, 1, 2, 2]),
        ("steps: 8, evaluate_steps: 4", [4, 8], [1, 2]),
        ("steps: 10", [4, 8, 10], [1, 2, 2]),
        ("steps: 10, evaluate_every: 2", [8, 10], [2, 2]),
        ("steps: 3", [3], [0]),
        ("epochs: 2, evaluate_steps: 5", [5, 8], [1, 2]),
        ("steps: 5, accumulate: 3, evaluate_steps: 2", [2, 4, 5], [1, 2, 2]),
    ],
)
def test_rows_are_made_after_the_steps_that_are_asked_for(
    training: str, steps: list[int], epochs: list[int]
) -> None:
    made, rows = fitted(f"training={{{training}, batch_size: 16}}")
    assert [row["step"] for row in rows] == steps
    assert [row["epoch"] for row in rows] == epochs
    assert made.progress.step == made.total_steps == steps[-1]
    assert made.experiment.optimizer.steps == steps[-1]
    assert made.epochs == math.ceil(steps[-1] / made.experiment.steps_per_epoch)


def test_evaluating_within_an_epoch_does_not_change_the_training() -> None:
    often = fitted(TEN, NOISE, SCALED)[0]
    once = fitted("training={steps: 10, batch_size: 16}", NOISE, SCALED)[0]
    arrays = state_of(often)
    assert_same_bits(arrays, state_of(once))


@pytest.mark.usefixtures("preparing")
@pytest.mark.parametrize("step", [1, 3, 5, 8])
def test_training_stopped_within_an_epoch_ends_with_the_same_bits(
    step: int, tmp_path: Path
) -> None:
    config = (TEN, NOISE, SCALED, "schedule=cosine")
    whole, rows = fitted(*config)
    again, rows_again = in_two_goes(step, tmp_path, *config)
    assert rows_again == rows
    assert_same_bits(state_of(again), state_of(whole))
    assert again.progress == whole.progress


def test_preparing_rows_in_another_way_gives_the_same_training(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = (TEN, NOISE, SCALED)
    kept, rows = fitted(*config)
    for name, module, value in (
        ("KEEP", part_module, 0),
        ("AHEAD", batches_module, 0),
    ):
        monkeypatch.setattr(module, name, value)
        other, other_rows = fitted(*config)
        assert other_rows == rows
        assert_same_bits(state_of(other), state_of(kept))
    assert other.batches._ahead


def test_row_that_cannot_be_read_ends_the_training(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(part_module, "KEEP", 0)
    monkeypatch.setattr(batches_module, "AHEAD", 0)
    made = trainer()
    part, fills = made.batches.part, []
    fill = part.fill

    def broken(index: Any, batch: Any) -> None:
        fills.append(index)
        if len(fills) == 7:
            raise DataError("the disk is gone.")
        fill(index, batch)

    monkeypatch.setattr(part, "fill", broken)
    made.evaluators = {"validation": made.evaluators["validation"]}
    with pytest.raises(DataError, match="disk is gone"):
        made.fit()
    assert made.progress.step == 6


def test_step_loss_is_the_mean_of_the_steps_losses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = (TEN, NOISE, "layers[0].l2=0.1")
    made = trainer(*config)
    losses: list[float] = []
    run = made.step.run

    def spy(*arguments: Any) -> float:
        losses.append(run(*arguments))
        return losses[-1]

    rows = Rows()
    monkeypatch.setattr(made.step, "run", spy)
    made.callbacks = (rows,)
    made.fit()
    expected = [np.mean(losses[a:b]) for a, b in ((0, 3), (3, 6), (6, 9), (9, 10))]
    found = [row["step_loss"] for row in rows.rows]
    assert found == pytest.approx(expected, rel=1e-12)
    for step in (2, 5):
        again = in_two_goes(step, tmp_path, *config)[1]
        assert [row["step_loss"] for row in again] == found


@pytest.mark.parametrize(
    ("values", "stopped", "best"),
    [([2.0, 3.0, 3.0, 3.0], 6, 3), ([3.0, 2.0, 2.0, 2.0], 9, 6)],
)
def test_early_stopping_and_best_are_found_within_an_epoch(
    values: list[float], stopped: int, best: int
) -> None:
    made = trainer(f"{TEN[:-1]}, early_stopping: {{patience: 1}}}}")
    made.evaluators = {"validation": Scripted("loss", values)}
    made.fit()
    at = made.progress
    assert at.stopped
    assert (at.step, at.best_step, at.best) == (stopped, best, min(values))


def test_best_checkpoint_is_that_of_its_step(tmp_path: Path) -> None:
    made, run = run_of(tmp_path, TEN)
    training = Trainer(made, run)
    training.evaluators = {"validation": Scripted("loss", [2.0, 1.0, 3.0, 3.0])}
    training.fit()
    best = load_checkpoint(run.best)
    assert best.meta["progress"]["step"] == best.meta["progress"]["best_step"] == 6
    expected = fitted("training={steps: 6, batch_size: 16}")[0].experiment
    # A constant rate: the training of six steps is the beginning of that of ten.
    for name, tensor in expected.network.flat.tensors.items():
        np.testing.assert_array_equal(best.arrays[name], tensor.data)


def test_schedule_sees_the_steps_as_its_length() -> None:
    _, rows = fitted(TEN, "schedule={type: cosine, final: 0.0}")
    expected = [0.02 * (1 + math.cos(math.pi * s / 10)) / 2 for s in (3, 6, 9, 10)]
    assert [row["lr"] for row in rows] == pytest.approx(expected, rel=1e-12)


def test_run_of_steps_goes_on_with_more_steps(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(SMALL, encoding="utf-8")
    runs = str(tmp_path / "runs")
    assert call(["train", str(config), TEN, "--runs-dir", runs]) == 0
    run = RunDirectory(tmp_path / "runs" / "small-1")
    with pytest.raises(UsageError, match=r"add training\.steps=20"):
        resume_run(run, [], allow_plugins=False)
    with pytest.raises(UsageError, match=r"epochs .*or steps, got both"):
        resume_run(run, ["training.epochs=9"], allow_plugins=False)
    assert call(["train", "--resume", str(run.path), "training.steps=14"]) == 0
    assert [row["step"] for row in run.rows()] == [3, 6, 9, 10, 12, 14]
    whole = fitted("training={steps: 14, batch_size: 16}")[0].experiment
    last = load_checkpoint(run.last)
    for name, tensor in whole.network.flat.tensors.items():
        np.testing.assert_array_equal(last.arrays[name], tensor.data)


@pytest.mark.usefixtures("preparing", "own_registries")
def test_epoch_may_take_some_of_the_rows(tmp_path: Path) -> None:
    class Draws(Dataset, name="draws"):
        """Sixty rows to train on, of which an epoch takes 24."""

        def load(self, rng: np.random.Generator) -> Table:
            x = rng.normal(size=(80, 2))
            return Table(x, (x[:, 0] > 0).astype(int), (0, 1), per_epoch=24)

    config = ("dataset=draws", "training.batch_size=10", NOISE)
    made, rows = fitted(*config)
    assert [row["step"] for row in rows] == [3, 6, 9, 12, 15]
    again, rows_again = in_two_goes(7, tmp_path, *config)
    assert rows_again == rows
    assert_same_bits(state_of(again), state_of(made))


def test_noise_is_for_training_alone() -> None:
    noisy, rows = fitted(NOISE)
    plain, plain_rows = fitted()
    silent, _ = fitted("augmentations=[{type: gaussian_noise, std: 0.0}]")
    weights = noisy.experiment.network.flat.values
    assert not np.array_equal(weights, plain.experiment.network.flat.values)
    assert_same_bits(state_of(silent), state_of(plain))
    assert rows[-1]["step_loss"] != plain_rows[-1]["step_loss"]
    # The same weights score the same, whatever training does to its batches.
    np.copyto(plain.experiment.network.flat.values, weights)
    for name, part in plain.experiment.parts.items():
        noisy_part = noisy.experiment.parts[name]
        found = Evaluator(noisy.experiment, noisy_part).run()
        assert found == Evaluator(plain.experiment, part).run()
    assert noisy.evaluators["train"].run() == rows[-1]["train"]


def test_noise_on_the_full_batch_resumes_to_the_bit(tmp_path: Path) -> None:
    config = (NOISE, "training.batch_size=full")
    whole, rows = fitted(*config)
    again, rows_again = in_two_goes(3, tmp_path, *config)
    assert rows_again == rows
    assert_same_bits(state_of(again), state_of(whole))
