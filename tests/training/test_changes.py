"""What of a run may be changed as it goes on, and what a new run takes from another."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nncli.runs.checkpoint import load_checkpoint
from nncli.runs.directory import RunDirectory
from nncli.training.resume import resume_run
from nncli.training.session import Restored, restore_checkpoint
from nncli.training.trainer import Trainer
from tests.command import Command
from tests.conftest import SMALL
from tests.training.jobs import StopAt, run_of

STOPPING = "training.early_stopping={patience: 1, min_delta: 10}"


def stopped_run(parent: Path, *overrides: str, step: int = 10) -> RunDirectory:
    """Return a run of four steps an epoch that was interrupted after some step."""
    made, run = run_of(parent, *overrides)
    Trainer(made, run, [StopAt(step)]).fit()
    return run


def go_on(run: RunDirectory, *overrides: str) -> Restored:
    """Resume with changes, train to the end, and see that the run can be read."""
    restored = resume_run(run, list(overrides), allow_plugins=False)
    Trainer(restored.experiment, run, [], restored.progress).fit()
    for checkpoint in (run.last, run.best):
        restore_checkpoint(checkpoint, allow_plugins=False)
    return restored


@pytest.mark.parametrize(
    "change",
    [
        "training.epochs=7",
        "training.batch_size=7",
        "training.batch_size=full",
        "training.evaluate_every=2",
        "training.monitor=accuracy",
        "training.clip_norm=1",
        "training.clip_value=0.1",
        "training.accumulate=3",
        "training.average={decay: 0.5}",
        "training.early_stopping={patience: 20}",
        "training.checkpoint_seconds=0",
        "optimizer.lr=0.5",
    ],
)
def test_every_key_of_training_can_be_changed(tmp_path: Path, change: str) -> None:
    run = stopped_run(tmp_path)
    restored = go_on(run, change)
    name, _, value = change.partition("=")
    section, _, key = name.partition(".")
    spec: Any = restored.experiment.config.spec
    assert str(spec[section][key]).replace("'", "").startswith(value[:4].rstrip("0"))
    last = load_checkpoint(run.last).meta
    assert last["config"][section][key] == spec[section][key]
    assert last["progress"]["epoch"] == (7 if name == "training.epochs" else 5)


def test_batches_of_another_size_begin_their_epoch_again(tmp_path: Path) -> None:
    # Ten of four steps an epoch: two epochs, and two steps of the third.
    restored = go_on(stopped_run(tmp_path), "training.batch_size=30")
    assert restored.progress.step == 10 + 3 * 2
    assert restored.progress.offset == 10 - 2 * 2


def test_another_learning_rate_is_the_one_that_is_used(tmp_path: Path) -> None:
    run = stopped_run(tmp_path)
    go_on(run, "optimizer.lr=0.5")
    assert [row["lr"] for row in run.rows()] == [0.02, 0.02, 0.5, 0.5, 0.5]


def test_another_monitor_forgets_the_best_of_the_one_before(tmp_path: Path) -> None:
    # As losses, the accuracies of two epochs would be the best for ever.
    run = stopped_run(tmp_path, "training.monitor=accuracy", "optimizer.lr=1e-9")
    at = go_on(run, "training.monitor=loss").progress
    rows = run.rows()
    assert max(row["validation"]["accuracy"] for row in rows[:2]) < 0.65
    assert at.best == min(row["validation"]["loss"] for row in rows[2:]) > 0.65


def test_more_patience_goes_on_after_an_early_stop(tmp_path: Path) -> None:
    made, run = run_of(tmp_path, STOPPING)
    Trainer(made, run).fit()
    run.summary.write_text("{}")
    assert len(run.rows()) == 2
    go_on(run, "training.early_stopping.patience=3")
    assert len(run.rows()) == 4
    go_on(run, "training.early_stopping=null")
    assert len(run.rows()) == 5


def test_another_decay_goes_on_with_the_average(tmp_path: Path) -> None:
    run = stopped_run(tmp_path, "training.average={decay: 0.9}")
    before = load_checkpoint(run.last).arrays["average.layers.0.weight"]
    change = ["training.average.decay=0.5"]
    restored = resume_run(run, change, allow_plugins=False).experiment
    assert restored.average is not None
    after = restored.average.arrays["layers.0.weight"]
    np.testing.assert_array_equal(after, before)
    go_on(run, "training.average=null")
    assert not any("average" in name for name in load_checkpoint(run.last).arrays)


def test_changes_are_noted_in_the_run(command: Command, tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(SMALL, encoding="utf-8")
    command.train(config, "seed=4")
    run = RunDirectory(command.runs / "small-1")
    changes = ["training.epochs=7", "optimizer.lr=0.5"]
    outcome = command("train", "--resume", run.path, *changes)
    assert "7 epochs, 28 steps, 8 of them now, in " in outcome.out
    facts = json.loads(run.manifest.read_text())
    (noted,) = facts["changes"]
    assert (noted["epoch"], noted["step"]) == (5, 20)
    assert noted["overrides"] == changes
    assert noted["at"] >= facts["started"]
    summary = json.loads(run.summary.read_text())
    assert summary["overrides"] == ["seed=4"]
    assert summary["changes"] == facts["changes"]
    assert summary["seconds"] > 0
    assert f"start at epoch 5 with {' '.join(changes)}\n" in run.log.read_text()
    kept = run.config.read_text(encoding="utf-8")
    assert kept.startswith(f"# Changed after 5 epochs, {noted['at']}:\n")
    assert kept.endswith(SMALL)


def test_log_and_rows_are_whole_after_a_kill(command: Command, tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(SMALL, encoding="utf-8")
    command.train(config)
    run = RunDirectory(command.runs / "small-1")
    # As a kill leaves it: the last rows not yet in the log, and half a line.
    lines = run.log.read_text(encoding="utf-8").splitlines(keepends=True)
    run.log.write_text("".join(lines[:4]) + lines[4][:30], encoding="utf-8")
    assert command("train", "--resume", run.path, "training.epochs=8").code == 0
    log = run.log.read_text(encoding="utf-8").splitlines()
    assert [line.split()[2].split("/")[0] for line in log if "train:" in line] == [
        str(row["epoch"]) for row in run.rows()
    ]
    assert all(line.startswith("20") for line in log)


def train_from(command: Command, start: object, *overrides: str) -> Any:
    """Train from another run, and return what the manifest tells of it."""
    outcome = command.train(
        command.runs / "small-1", *overrides, "training.epochs=1", "--from", start
    )
    path = Path(outcome.out.splitlines()[-1].split()[-1])
    return outcome, json.loads((path / "manifest.json").read_text())["from"]


def test_new_run_begins_with_the_weights_that_fit(
    command: Command, tmp_path: Path
) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(SMALL.replace("tanh", "batch_norm"), encoding="utf-8")
    command.train(config)
    run = RunDirectory(command.runs / "small-1")
    slow = "optimizer={type: sgd, lr: 1e-12}"
    outcome, facts = train_from(command, "small-1", slow, "seed=8")
    assert facts["left"] == {}
    assert "layers.1.running_mean" in facts["taken"]
    best = load_checkpoint(run.best).arrays
    new = load_checkpoint(RunDirectory(command.runs / "small-2").last)
    np.testing.assert_array_equal(
        new.arrays["layers.0.weight"], best["layers.0.weight"]
    )
    assert new.meta["optimizer_steps"] == 4
    # Another last layer: its tensors are new, and that is told.
    wide = "dataset={type: spiral, samples: 20, classes: 3}"
    outcome, facts = train_from(command, run.last, wide, "layers[2].units=3")
    assert set(facts["left"]) == {"layers.2.weight", "layers.2.bias"}
    shown = " ".join(outcome.out.split())
    assert "not taken: layers.2.bias: expected shape (3,), got (2,)" in shown
    assert "taken: layers.0.weight, layers.0.bias" in shown


def test_weights_of_which_none_fits_are_refused(
    command: Command, tmp_path: Path
) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(SMALL, encoding="utf-8")
    command.train(config)
    layers = "layers=[{type: dense, units: 2, bias: false}]"
    outcome = command.train(config, layers, "--from", "small-1", expect=2)
    assert "expected a tensor that fits" in outcome.err
    assert "layers.0.weight: expected shape (2, 2), got (6, 2)" in outcome.err
    assert not (command.runs / "small-2").exists()
