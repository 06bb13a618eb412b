"""TensorBoard: event files, read back record by record."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nncli as nn
from nncli.core.errors import MissingExtra
from nncli.training import tensorboard
from tests.command import Command
from tests.conftest import SMALL

pytest.importorskip("tensorboardX")


def values_of(directory: Path) -> dict[str, dict[int, Any]]:
    """Return what event files hold: by tag and step a number or a histogram.

    A record is the length of an event, a checksum, the event, a checksum.
    """
    from tensorboardX.proto.event_pb2 import Event

    found: dict[str, dict[int, Any]] = {}
    for path in sorted(directory.glob("events.out.tfevents.*")):
        data, place = path.read_bytes(), 0
        while place < len(data):
            (length,) = struct.unpack_from("<Q", data, place)
            event = Event.FromString(data[place + 12 : place + 12 + length])
            place += 12 + length + 4
            for value in event.summary.value:
                kind = value.WhichOneof("value")
                steps = found.setdefault(value.tag, {})
                steps[event.step] = getattr(value, kind)
    return found


def test_tensorboard_has_the_scores_and_the_records(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(40, 2))
    model = nn.Model([nn.Dense(4), "relu", nn.Dense(2)]).compile(metrics=["accuracy"])
    history = model.fit(
        x,
        (x[:, 0] > 0).astype(int),
        epochs=3,
        batch_size=10,
        validation_split=0.25,
        record={"every": 2},
        callbacks=[nn.TensorBoard(tmp_path / "new" / "logs")],
    )
    found = values_of(tmp_path / "new" / "logs")
    for row in history.rows:
        assert found["lr"][row["step"]] == pytest.approx(row["lr"])
        for part in ("train", "validation"):
            for name in ("loss", "accuracy"):
                told = found[f"{name}/{part}"][row["step"]]
                assert told == pytest.approx(row[part][name])
    assert len(found["loss/train"]) == 3
    for record in history.records:
        for name in ("loss", "gradient_norm", "update_ratio"):
            told = found[f"step/{name}"][record["step"]]
            assert told == pytest.approx(record[name])
        facts = record["layers"]["layers.1"]["activations"]
        histogram = found["layers.1/activations"][record["step"]]
        assert list(histogram.bucket) == facts["histogram"]["counts"]
        assert histogram.min == facts["histogram"]["low"]
        assert histogram.bucket_limit[-1] == pytest.approx(histogram.max)
        assert histogram.sum / histogram.num == pytest.approx(facts["mean"])
    assert {"layers.0/gradients", "layers.2/gradients"} <= found.keys()


def test_train_writes_for_tensorboard_and_goes_on_with_it(
    command: Command, tmp_path: Path
) -> None:
    config, logs = tmp_path / "small.yaml", tmp_path / "logs"
    config.write_text(SMALL)
    command.train(config, "training.epochs=2", "--tensorboard", logs)
    run = command.runs / "small-1"
    resume = ("--resume", run, "training.epochs=3", "--tensorboard", logs)
    command.train(*resume)
    assert list(values_of(logs / "small-1")["loss/validation"]) == [4, 8, 12]


def test_missing_tensorboard_is_told_before_anything_is_made(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tensorboard, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match="tensorboardX"):
        nn.TensorBoard("logs")
    outcome = command("train", "xor", "--tensorboard", "x", "--runs-dir", command.runs)
    assert outcome.code == 2
    assert 'pip install "nncli[tensorboard]"' in outcome.err
    assert not command.runs.exists()
