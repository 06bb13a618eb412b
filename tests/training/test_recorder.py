"""Recorded steps: what they tell, and that nothing else is different for it."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nncli as nn
from nncli.config.schema import Recording
from nncli.core.arrays import Array
from nncli.core.errors import ArgumentError, DivergedError
from nncli.experiment.experiment import Experiment
from nncli.layers.chain import watch
from nncli.runs.directory import RunDirectory
from nncli.training import samples
from nncli.training.callbacks import Callback, Row
from nncli.training.recorder import strides
from nncli.training.samples import described, sample
from nncli.training.shards.sharded import shared_by
from nncli.training.trainer import Trainer
from tests.training.jobs import assert_same_bits, experiment, run_of, state_of

EVERY = Recording(every=1)

# Shuffled batches whose last one is smaller, noise, running averages, views, what is
# computed in another order than written, layers inside others, several inputs of one.
NETS = {
    "dense": (
        "layers=[{type: dense, units: 6}, batch_norm, relu, {type: dropout, rate: 0.3},"
        " {type: residual, layers: [{type: dense, units: 6}, tanh]}, {type: sequential,"
        " layers: [{type: dense, units: 2}]}]",
        "training.clip_norm=0.01",
    ),
    "conv": (
        "dataset=digits",
        "layers=[{type: conv2d, filters: 2, kernel: 3}, relu, max_pool2d, flatten, "
        "{type: dense, units: 10}]",
        "training={steps: 6, batch_size: 300, evaluate_steps: 6}",
    ),
    "lstm": (
        "dataset={type: adding, length: 6, samples: 60}",
        "layers=[{type: lstm, units: 4}, {type: dropout, rate: 0.2}, {type: gru, "
        "units: 3, return_sequences: false}, {type: dense, units: 1}]",
        "loss=mse",
        "metrics=[mae]",
        "training.accumulate=2",
    ),
    "lbfgs": ("optimizer=lbfgs", "training={epochs: 3, batch_size: full}"),
    "average": ("training.average.decay=0.9", "training.clip_value=0.01"),
}


class Records(Callback):
    """Keeps what is recorded."""

    def __init__(self) -> None:
        self.rows: list[Row] = []

    def on_record(self, trainer: Trainer, row: Row) -> None:
        self.rows.append(row)


def recorded(
    made: Experiment, recording: Recording | None = EVERY
) -> tuple[Trainer, list[Row]]:
    records = Records()
    trainer = Trainer(made, None, (records,), recording=recording)
    trainer.fit()
    return trainer, records.rows


@pytest.mark.parametrize("net", NETS)
def test_recording_leaves_every_bit_as_it_is(net: str) -> None:
    plain, none = recorded(experiment(*NETS[net]), None)
    for every in (1, 3):
        watched, rows = recorded(experiment(*NETS[net]), Recording(every=every))
        assert_same_bits(state_of(watched), state_of(plain))
        steps = [row["step"] for row in rows]
        assert steps == list(range(1, plain.progress.step + 1, every))
    assert not none


def test_recording_of_shards_leaves_bits_and_tells_of_the_first_one() -> None:
    overrides = ("training.shards=2", "training.epochs=2")
    plain, _ = recorded(experiment(*overrides), None)
    alone, rows = recorded(experiment(*overrides))
    assert_same_bits(state_of(alone), state_of(plain))
    made, records = experiment(*overrides), Records()
    sharded = shared_by(made, 2)
    assert sharded is not None
    with sharded:
        trainer = Trainer(made, None, (records,), sharded=sharded, recording=EVERY)
        trainer.fit()
    assert_same_bits(state_of(trainer), state_of(plain))
    for ours, theirs in zip(records.rows, rows, strict=True):
        assert {**ours, "seconds": 0} == {**theirs, "seconds": 0}
    # Sixteen rows in two shards, six units.
    counts = rows[0]["layers"]["layers.0"]["activations"]["histogram"]["counts"]
    assert sum(counts) == 8 * 6


def facts_of(values: Array) -> dict[str, Any]:
    """Return what a record should say of all elements."""
    wide = values.astype(np.float64).ravel()
    counts, edges = np.histogram(wide, 32, (wide.min(), wide.max()))
    return {
        "mean": wide.mean(),
        "std": wide.std(),
        "zeros": np.mean(wide == 0),
        "low": edges[0],
        "high": edges[-1],
        "counts": counts,
    }


def assert_tells(told: dict[str, Any], values: Array) -> None:
    expected, histogram = facts_of(values), told["histogram"]
    for name in ("mean", "std", "zeros"):
        assert told[name] == pytest.approx(expected[name], rel=1e-5, abs=1e-9)
    for name in ("low", "high"):
        assert histogram[name] == pytest.approx(expected[name], rel=1e-6)
    # An element on an edge may round to either side.
    assert np.abs(np.subtract(histogram["counts"], expected["counts"])).sum() <= 2


def test_record_agrees_with_an_eager_step_that_is_watched() -> None:
    overrides = (
        "layers=[{type: dense, units: 6, l2: 0.1}, relu, {type: sequential, layers: "
        "[{type: dense, units: 4}, tanh]}, {type: dense, units: 2}]",
        "training={epochs: 1, batch_size: full, clip_norm: 0.01}",
        "precision=float64",
    )
    _, (row,) = recorded(experiment(*overrides))
    made = experiment(*overrides)
    (batch,) = made.batches().epoch(0)
    network, grads = made.network, {}
    network.set_training(True)
    with watch() as calls:
        outputs = network(batch.x)
        loss = network.with_penalties(made.loss(outputs, batch.targets, batch.weights))
    for call in calls:

        def keep(grad: Array, label: str = call.layer.label) -> None:
            grads[label] = grad.copy()

        assert call.y.step is not None
        call.y.step.hooks.append(keep)
    loss.backward()
    assert row["step"] == row["epoch"] == 1
    assert row["lr"] == 0.02
    assert row["loss"] == pytest.approx(loss.item())
    norm = np.linalg.norm(network.flat.grads)
    assert row["gradient_norm"] == pytest.approx(norm) != 0.01
    # A block whose output is that of its last layer is told of once.
    told = ["layers.0", "layers.1", "layers.2.layers.0", "layers.2.layers.1"]
    assert list(row["layers"]) == [*told, "layers.3"]
    for call in calls:
        if call.layer.label in {layer["label"] for layer in row["layers"].values()}:
            path = next(p for p, x in network.nested.items() if x is call.layer)
            assert row["layers"][path]["label"] == call.layer.label
            assert_tells(row["layers"][path]["activations"], call.y.data)
            assert_tells(row["layers"][path]["gradients"], grads[call.layer.label])
    before = network.flat.values.copy()
    Trainer(made, None).fit()
    change = network.flat.values - before
    whole = np.linalg.norm(change) / np.linalg.norm(before)
    assert row["update_ratio"] == pytest.approx(whole)
    for place in ("layers.0", "layers.3"):
        parts = [f"{place}.weight", f"{place}.bias"]
        moved, size = (
            math.sqrt(sum(np.sum(np.square(views[part])) for part in parts))
            for views in map(network.flat.views, (change, before))
        )
        assert row["layers"][place]["update_ratio"] == pytest.approx(moved / size)
    assert row["layers"]["layers.1"]["update_ratio"] is None


def test_records_lie_in_the_run_and_go_on_with_it(tmp_path: Path) -> None:
    made, run = run_of(tmp_path, "training.record.every=3", "training.epochs=5")
    Trainer(made, run).fit()
    rows = run.recorded()
    assert [row["step"] for row in rows] == [1, 4, 7, 10, 13, 16, 19]
    assert rows[1]["epoch"] == 1.0
    times = [row["seconds"] for row in rows]
    assert all(a < b for a, b in pairwise(times))
    run.keep_records(9)
    assert run.recorded() == rows[:3]
    assert run.seconds() == times[2]
    with run.records.open("a") as file:
        file.write('{"step": 12, "seconds": NaN}\n{"seconds": "long"}\n{"torn": ')
    assert run.seconds() == times[2]
    run.keep_records(12)
    assert [row["step"] for row in run.recorded()] == [1, 4, 7, 12]


@pytest.mark.parametrize("said", ["training.record=null", "training.record.layers=no"])
def test_records_are_left_out_where_the_config_says_so(
    tmp_path: Path, said: str
) -> None:
    made, run = run_of(tmp_path, said.replace("=no", "=false"), "training.epochs=2")
    Trainer(made, run).fit()
    assert run.records.exists() == ("null" not in said)
    assert not any("layers" in row for row in run.recorded())
    empty = RunDirectory(tmp_path / "empty")
    assert (empty.recorded(), empty.seconds()) == ([], 0.0)
    empty.keep_records(3)


def test_strides_are_a_function_of_the_config_and_the_steps() -> None:
    assert strides(Recording(), 10_000) == (50, 500)
    assert strides(Recording(), 1_140) == (25, 125)
    assert strides(Recording(), 40) == (25, 125)
    assert strides(Recording(every=7), 10_000) == (7, 7)


def test_step_that_diverges_is_not_recorded() -> None:
    made, records = experiment("optimizer={type: sgd, lr: 1.0e+38}"), Records()
    trainer = Trainer(made, None, (records,), recording=EVERY)
    with pytest.raises(DivergedError):
        trainer.fit()
    assert len(records.rows) == trainer.progress.step
    assert not trainer.step.gradient.wanted


def test_description_of_what_is_not_finite_or_constant() -> None:
    nan, flat, most = described(
        [
            np.array([1.0, np.nan], np.float32),
            np.full(3, 2.0, np.float32),
            np.array([0.0, 3e38, -3e38, 1.0], np.float32),
        ]
    )
    assert nan == dict.fromkeys(("mean", "std", "zeros", "histogram"))
    assert flat["histogram"] == {"low": 2.0, "high": 2.0, "counts": [3] + [0] * 31}
    assert flat["std"] == 0
    counts = most["histogram"]["counts"]
    assert (counts[0], counts[16], counts[31]) == (1, 2, 1)
    assert most["zeros"] == 0.25


def test_sample_of_a_large_array_comes_from_all_rows_and_units() -> None:
    rows, units = 64, 256
    values = np.add.outer(np.arange(rows) * 1000.0, np.arange(units))
    for array in (values, np.asfortranarray(values), values.reshape(4, 16, 16, 16)):
        part = sample(array)
        assert np.shares_memory(part, array)
        assert rows * units / 32 < part.size <= samples.AT_MOST
        assert len(set(part // 1000)) == rows
        assert len(set(part % 1000)) == units
    cut = values[:, 1:-1]
    assert not np.shares_memory(sample(cut), cut)


def test_few_layers_of_a_deep_network_are_recorded() -> None:
    layers = ", ".join(["{type: residual, layers: [tanh, tanh]}"] * 40)
    _, (row, *_) = recorded(experiment(f"layers=[{layers}, {{type: dense, units: 2}}]"))
    assert list(row["layers"]) == [f"layers.{i}" for i in range(41)]
    tall = ", ".join(["tanh"] * 200)
    _, (row, *_) = recorded(experiment(f"layers=[{tall}, {{type: dense, units: 2}}]"))
    assert len(row["layers"]) == samples.LAYERS


def test_model_records_where_it_is_asked_to() -> None:
    x = np.random.default_rng(0).normal(size=(40, 2))
    y = (x[:, 0] > 0).astype(int)
    model = nn.Model([nn.Dense(4), "relu", nn.Dense(2)]).compile()
    assert model.fit(x, y, epochs=2, batch_size=10).records == []
    history = model.fit(x, y, epochs=2, batch_size=10, record={"every": 4})
    assert [row["step"] for row in history.records] == [9, 13]
    assert history.records[0]["epoch"] == 2.25
    with pytest.raises(ArgumentError, match="every"):
        model.fit(x, y, record={"every": 0})
