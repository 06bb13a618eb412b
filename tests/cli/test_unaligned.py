"""Networks whose predictions have no target each, as with CTC, on the command line."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.command import Command

CONFIG = """\
name: labels
dataset: {type: npy, x: x.npy, y: y.npy, targets: classes}
layers:
  - {type: lstm, units: 4}
  - {type: dense, units: 3}
loss: ctc
optimizer: sgd
training: {epochs: 1}
"""


def write(folder: Path) -> Path:
    """Write a config, and six sequences with two labels each."""
    rng = np.random.default_rng(0)
    np.save(folder / "x.npy", rng.normal(size=(6, 5, 2)))
    np.save(folder / "y.npy", np.array([[1, 2], [2, 0], [1, 1]] * 2))
    path = folder / "labels.yaml"
    path.write_text(CONFIG, encoding="utf-8")
    return path


def test_eval_of_ctc_gives_its_loss(command: Command, tmp_path: Path) -> None:
    command.train(write(tmp_path))
    run = command.runs / "labels-1"
    found = command("eval", run, "--json").json()
    assert found["rows"] == 6
    assert found["loss"] > 0
    assert not found.keys() & {"baseline", "confusion", "classes"}
    shown = command("eval", run)
    assert shown.code == 0, shown.err
    assert "loss" in shown.out
    refused = command("eval", run, "--save", tmp_path / "p.csv")
    assert refused.code == 2
    assert "Leave --save out" in refused.err


def test_metrics_of_single_targets_are_refused(
    command: Command, tmp_path: Path
) -> None:
    outcome = command.train(write(tmp_path), "metrics=[accuracy]", expect=2)
    assert "metrics[0]" in outcome.err
    assert "loss ctc leaves open" in outcome.err
