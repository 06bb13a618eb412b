"""Trainer: what the loop does, when it evaluates, saves and stops."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from nncli.core.errors import DivergedError
from nncli.metrics.base import Metric
from nncli.runs.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from nncli.training.callbacks import Callback, Row
from nncli.training.evaluate import Evaluator
from nncli.training.trainer import Trainer
from tests.training.jobs import (
    Rows,
    StopAt,
    assert_same_bits,
    experiment,
    run_of,
    state_of,
    trainer,
)

# 60 training rows in batches of 16: four steps an epoch.
STEPS = 4

# Rows so noisy that the network soon learns them by heart.
BY_HEART = ("dataset.noise=2.0", "optimizer.lr=0.3", "layers[0].units=64")


def fitted(*overrides: str) -> tuple[Trainer, Rows]:
    rows = Rows()
    made = trainer(*overrides, callbacks=(rows,))
    made.fit()
    return made, rows


class Scripted(Evaluator):
    """Gives values that were written down before."""

    def __init__(self, name: str, values: Sequence[float | None]) -> None:
        self.name = name
        self.values = list(values)

    def run(self) -> dict[str, float | None]:
        return {"loss": 1.0, "accuracy": 0.0, self.name: self.values.pop(0)}


def scripted(
    values: Sequence[float | None], *overrides: str, monitor: str = "loss"
) -> tuple[Trainer, Rows]:
    """Train with given values of the monitored score."""
    rows = Rows()
    made = trainer(
        f"training.epochs={len(values)}",
        f"training.monitor={monitor}",
        *overrides,
        callbacks=(rows,),
    )
    made.evaluators = {"validation": Scripted(monitor, values)}
    made.fit()
    return made, rows


def test_training_learns() -> None:
    _, rows = fitted("training.epochs=100")
    loss = rows.of("train", "loss")
    assert loss[-1] < loss[0] / 3
    assert rows.of("validation", "accuracy")[-1] > 0.9


def test_training_makes_every_step_and_row() -> None:
    made, rows = fitted()
    assert made.progress.step == 5 * STEPS == made.total_steps
    assert made.progress.epoch == 5
    assert made.progress.rows == len(rows.rows) == 5
    assert [row["step"] for row in rows.rows] == [STEPS * e for e in range(1, 6)]
    names = {"epoch", "step", "lr", "step_loss", "train", "validation"}
    assert set(rows.rows[0]) == names
    assert set(rows.rows[0]["train"]) == {"loss", "accuracy"}


def test_training_with_one_seed_gives_the_same_bits() -> None:
    config = ["layers[1]={type: dropout, rate: 0.2}"]
    first, second = fitted(*config)[0], fitted(*config)[0]
    assert_same_bits(state_of(first), state_of(second))
    other = fitted(*config, "seed=4")[0]
    assert not np.array_equal(
        first.experiment.network.flat.values, other.experiment.network.flat.values
    )


@pytest.mark.parametrize(
    ("every", "epochs"), [(1, [1, 2, 3, 4, 5]), (2, [2, 4, 5]), (9, [5]), (5, [5])]
)
def test_evaluate_every_counts_epochs_and_the_last_always(
    every: int, epochs: list[int]
) -> None:
    assert fitted(f"training.evaluate_every={every}")[1].epochs == epochs


def test_evaluating_does_not_change_the_training() -> None:
    layers = "layers=[{type: dense, units: 6}, batch_norm, relu, dropout, "
    layers += "{type: dense, units: 2}]"
    often = fitted(layers)[0]
    once = fitted(layers, "training.evaluate_every=5")[0]
    assert_same_bits(state_of(often), state_of(once))


def test_rows_tell_the_rate_of_the_next_step() -> None:
    _, rows = fitted("schedule={type: step, every: 2, factor: 0.5}")
    assert [row["lr"] for row in rows.rows] == [0.02, 0.01, 0.01, 0.005, 0.005]


def test_steps_are_made_with_the_rate_of_the_schedule(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = trainer("schedule={type: cosine, final: 0.1}")
    optimizer = made.experiment.optimizer
    rates: list[float] = []
    step = optimizer.step

    def spy(lr: float) -> None:
        rates.append(lr)
        step(lr)

    monkeypatch.setattr(optimizer, "step", spy)
    made.fit()
    total = 5 * STEPS
    expected = [
        0.02 * (0.1 + 0.9 * (1 + math.cos(math.pi * i / total)) / 2)
        for i in range(total)
    ]
    assert rates == pytest.approx(expected, rel=1e-12)


def test_clip_norm_scales_the_whole_gradient() -> None:
    def moved(*overrides: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        made = trainer(
            "optimizer={type: sgd, lr: 1.0}", "precision=float64", *overrides
        )
        values = made.experiment.network.flat.values
        before = values.copy()
        made.step.run(next(made.batches.epoch(0)), 1.0, 1)
        return np.asarray(values - before)

    free = moved()
    norm = float(np.linalg.norm(free))
    limit = norm / 3
    np.testing.assert_allclose(
        moved(f"training.clip_norm={limit}"), free * limit / (norm + 1e-6), rtol=1e-12
    )
    np.testing.assert_array_equal(moved(f"training.clip_norm={2 * norm}"), free)


def test_best_is_the_smallest_validation_loss() -> None:
    made, rows = fitted("training.epochs=30", *BY_HEART)
    loss = rows.of("validation", "loss")
    assert made.progress.best == min(loss)
    assert made.progress.best_epoch == 1 + loss.index(min(loss))


def test_best_is_judged_on_train_where_there_is_no_validation() -> None:
    made, rows = fitted("split.validation=0.0")
    assert made.progress.best == min(rows.of("train", "loss"))


@pytest.mark.parametrize(
    ("monitor", "values", "best_epoch"),
    [
        ("loss", [3.0, 1.0, 2.0, 1.0], 2),
        ("accuracy", [0.2, 0.9, 0.1, 0.9], 2),
        ("loss", [None, 2.0, None, 1.0], 4),
    ],
)
def test_best_is_the_first_of_the_best(
    monitor: str, values: list[float | None], best_epoch: int
) -> None:
    made, _ = scripted(values, monitor=monitor)
    assert made.progress.best_epoch == best_epoch
    assert made.progress.best == values[best_epoch - 1]


@pytest.mark.parametrize(
    ("patience", "min_delta", "values", "stop"),
    [
        (2, 0.0, [5, 4, 3, 3, 3, 2], 5),
        (3, 0.0, [5, 4, 3, 3, 3, 2], 6),
        (1, 0.0, [5, 4, 4, 1], 3),
        (2, 0.5, [5.0, 4.8, 4.6, 4.4, 4.2], 3),
        (3, 0.5, [5.0, 4.8, 4.6, 4.4, 4.2], 5),
        (2, 0.5, [5.0, 4.5, 4.0, 3.4], 4),
        (2, 0.0, [None, 1, 2, 2], 4),
        (2, 0.0, [1, None, None, 0], 3),
        (9, 0.0, [1, 2, 3], 3),
    ],
)
def test_early_stopping_waits_for_patience_epochs(
    patience: int, min_delta: float, values: list[float | None], stop: int
) -> None:
    setting = f"{{patience: {patience}, min_delta: {min_delta}}}"
    made, rows = scripted(values, f"training.early_stopping={setting}")
    assert rows.epochs[-1] == stop
    assert made.progress.stopped == (stop - 1 - _last_gain(rows, min_delta) >= patience)
    assert made.done


def _last_gain(rows: Rows, min_delta: float) -> int:
    """Return the index of the last improvement, by a plain loop."""
    reference, last = math.inf, -1
    for i, value in enumerate(rows.of("validation", "loss")):
        if value is not None and (
            reference == math.inf or reference - value > min_delta
        ):
            reference, last = value, i
    return last


def test_early_stopping_counts_epochs_not_evaluations() -> None:
    rows = Rows()
    made = trainer(
        "training.epochs=20",
        "training.evaluate_every=3",
        "training.early_stopping={patience: 4}",
        callbacks=(rows,),
    )
    made.evaluators = {"validation": Scripted("loss", [1, 2, 2, 2, 2, 2, 2])}
    made.fit()
    assert rows.epochs == [3, 6, 9]


def test_early_stopping_wants_more_of_a_score_that_is_better_high() -> None:
    made, rows = scripted(
        [0.1, 0.2, 0.3, 0.3, 0.2, 0.9],
        "training.early_stopping={patience: 2}",
        monitor="accuracy",
    )
    assert made.progress.stopped
    assert rows.epochs[-1] == 5
    assert made.progress.best == 0.3


@pytest.mark.parametrize("step", [1, 5, STEPS, 2 * STEPS, 5 * STEPS - 1])
def test_interruption_ends_after_the_step_under_way(tmp_path: Path, step: int) -> None:
    made, run = run_of(tmp_path)
    training = Trainer(made, run, [StopAt(step)])
    training.fit()
    assert training.progress.step == step
    saved = load_checkpoint(run.last)
    assert saved.meta["progress"]["step"] == step
    assert saved.meta["progress"]["epoch"] == step // STEPS
    assert saved.meta["progress"]["batch"] == step % STEPS
    assert len(run.rows()) == step // STEPS
    assert_same_bits(saved.arrays, state_of(training))


def test_best_checkpoint_is_the_training_after_its_epoch(tmp_path: Path) -> None:
    made, run = run_of(tmp_path, "training.epochs=30", *BY_HEART)
    training = Trainer(made, run)
    training.fit()
    epoch = training.progress.best_epoch
    assert epoch < 30
    best = load_checkpoint(run.best)
    assert best.meta["progress"]["epoch"] == epoch
    shorter, _ = fitted(*BY_HEART, f"training.epochs={epoch}")
    assert_same_bits(best.arrays, state_of(shorter))


@pytest.fixture
def saves(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Return a list that every checkpoint's file and step are written to."""
    found: list[tuple[str, int]] = []

    def spy(path: Path, checkpoint: Checkpoint) -> None:
        found.append((path.stem, checkpoint.meta["progress"]["step"]))
        save_checkpoint(path, checkpoint)

    monkeypatch.setattr("nncli.training.trainer.save_checkpoint", spy)
    return found


def test_checkpoint_seconds_0_saves_at_every_evaluation(
    tmp_path: Path, saves: list[tuple[str, int]]
) -> None:
    made, run = run_of(
        tmp_path,
        "training.checkpoint_seconds=0",
        "training.evaluate_every=2",
        "training.epochs=7",
    )
    Trainer(made, run).fit()
    lasts = [step for name, step in saves if name == "last"]
    assert lasts == [2 * STEPS, 4 * STEPS, 6 * STEPS, 7 * STEPS]


def test_checkpoint_seconds_pass_between_checkpoints(
    tmp_path: Path, saves: list[tuple[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0

    def tick() -> float:
        nonlocal now
        now += 1.0
        return now

    # The trainer's clock alone: logs have one of their own.
    monkeypatch.setattr("nncli.training.trainer.time", SimpleNamespace(monotonic=tick))
    made, run = run_of(tmp_path, "training.checkpoint_seconds=3")
    Trainer(made, run).fit()
    lasts = [step for name, step in saves if name == "last"]
    assert any(step % STEPS for step in lasts)
    # One look at the clock a step, and one when it was saved.
    assert {b - a for a, b in pairwise(lasts)} <= {2, 3, 4}
    assert lasts[-1] == 5 * STEPS


def test_best_checkpoint_is_written_before_the_last(
    tmp_path: Path, saves: list[tuple[str, int]]
) -> None:
    made, run = run_of(tmp_path, "training.checkpoint_seconds=0")
    Trainer(made, run).fit()
    bests = [i for i, (name, _) in enumerate(saves) if name == "best"]
    assert bests
    assert all(saves[i + 1] == ("last", saves[i][1]) for i in bests)


def test_rows_are_on_disk_before_the_checkpoints_that_count_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, run = run_of(tmp_path, "training.checkpoint_seconds=0")
    synced, counted = [0], []
    fsync = os.fsync

    def seen(handle: int) -> None:
        fsync(handle)
        if os.path.sameopenfile(handle, metrics.fileno()):
            synced.append(len(run.rows()))

    def save(path: Path, checkpoint: Checkpoint) -> None:
        counted.append(checkpoint.meta["progress"]["rows"])
        assert counted[-1] <= synced[-1]

    monkeypatch.setattr(os, "fsync", seen)
    monkeypatch.setattr("nncli.training.trainer.save_checkpoint", save)
    with run.metrics.open("rb") as metrics:
        Trainer(made, run).fit()
    assert max(counted) == 5


def test_trainer_without_a_run_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    fitted("training.checkpoint_seconds=0")
    assert list(tmp_path.iterdir()) == []


class Events(Callback):
    """Writes down what it hears."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def on_start(self, trainer: Trainer) -> None:
        self.heard.append("start")

    def on_step(self, trainer: Trainer) -> None:
        self.heard.append(f"step {trainer.progress.step}")

    def on_row(self, trainer: Trainer, row: Row) -> None:
        self.heard.append(f"row {row['epoch']}")

    def on_end(self, trainer: Trainer) -> None:
        self.heard.append("end")


def test_callbacks_hear_of_everything_in_order() -> None:
    events = Events()
    trainer("training.epochs=2", "training.batch_size=30", callbacks=(events,)).fit()
    assert events.heard == [
        *("start", "step 1", "step 2", "row 1", "step 3", "step 4", "row 2", "end")
    ]


def test_callbacks_hear_of_an_end_that_is_a_failure() -> None:
    events = Events()
    made = trainer("optimizer={type: sgd, lr: 1e30}", RELU, callbacks=(events,))
    with pytest.raises(DivergedError):
        made.fit()
    assert events.heard[-1] == "end"


RELU = "layers=[{type: dense, units: 6}, relu, {type: dense, units: 2}]"


def test_divergence_in_a_step_names_step_and_layer() -> None:
    made = trainer("optimizer={type: sgd, lr: 1e30}", RELU)
    with pytest.raises(DivergedError, match=r"step 2: .*layers\[2\] dense.*lr"):
        made.fit()


def test_divergence_in_an_evaluation_names_step_part_and_layer() -> None:
    made = trainer("optimizer={type: sgd, lr: 1e30}", RELU, "training.batch_size=full")
    with pytest.raises(DivergedError) as caught:
        made.fit()
    message = str(caught.value)
    assert message.startswith("step 1: training diverged: on the train part")
    assert "layers[2] dense" in message
    assert "optimizer.lr (now 1e+30)" in message


def test_divergence_keeps_the_best_checkpoint(tmp_path: Path) -> None:
    made, run = run_of(tmp_path, "training.epochs=50", "training.batch_size=full")
    training = Trainer(made, run)

    class Explode(Callback):
        def on_step(self, trainer: Trainer) -> None:
            if trainer.progress.step == 20:
                trainer.experiment.network.flat.values[:] = np.nan

    training = Trainer(made, run, [Explode()])
    with pytest.raises(DivergedError, match="step 20"):
        training.fit()
    best = load_checkpoint(run.best)
    assert best.meta["progress"]["epoch"] == training.progress.best_epoch <= 19
    assert all(np.isfinite(array).all() for array in best.arrays.values())
    assert all(np.isfinite(a).all() for a in load_checkpoint(run.last).arrays.values())


def test_training_warns_of_nothing_where_numbers_overflow() -> None:
    # Warnings are errors in tests.
    trainer("optimizer={type: sgd, lr: 1e30}").fit()


@pytest.mark.usefixtures("own_registries")
def test_metric_that_is_undefined_is_null_and_never_the_best(tmp_path: Path) -> None:
    class Undefined(Metric, name="undefined"):
        """Is never a number."""

        task = "classification"

        def reset(self) -> None:
            pass

        def update(self, predictions: object, targets: object) -> None:
            pass

        def result(self) -> float:
            return math.nan

    made, run = run_of(tmp_path, "metrics=[undefined]", "training.monitor=undefined")
    training = Trainer(made, run)
    training.fit()
    assert [row["train"]["undefined"] for row in run.rows()] == [None] * 5
    assert training.progress.best is None
    assert not run.best.exists()


def test_trainer_evaluates_no_test_part() -> None:
    made = Trainer(experiment("split={validation: 0.2, test: 0.2}"), None)
    assert list(made.evaluators) == ["train", "validation"]


@pytest.mark.parametrize("search", ["strong_wolfe", "null"])
def test_lbfgs_at_a_rate_of_0_stays_where_it_is(search: str) -> None:
    training = trainer(
        f"optimizer={{type: lbfgs, line_search: {search}}}",
        "schedule={type: linear, start: 0, final: 1, steps: 3}",
        "training={epochs: 4, batch_size: full}",
    )
    begin = training.experiment.network.flat.values.copy()
    values = []

    class Look(Callback):
        def on_step(self, trainer: Trainer) -> None:
            values.append(trainer.experiment.network.flat.values.copy())

    training = Trainer(training.experiment, None, [Look()])
    training.fit()
    assert (values[0] == begin).all()
    assert (values[1] != begin).any()
