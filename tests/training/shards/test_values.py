"""Shards in float64: to rounding, what one process gives that cuts nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.training.shards.jobs import Trained, trained

SUM = "loss={type: softmax_cross_entropy, reduction: sum}"
PRICES = ("layers[0].l2=0.01", "layers[2].l1=0.003")
# Of four rows and as many shards, each has one target, and some have none that counts.
IGNORED = (
    "loss={type: softmax_cross_entropy, ignore_label: 1}",
    "training.batch_size=4",
)
PLATEAU = (
    "schedule={type: plateau, patience: 1, factor: 0.5, threshold: 0.05}",
    "training.epochs=8",
)
STOPPED = ("training.early_stopping={patience: 2, min_delta: 0.2}", "training.epochs=9")

CASES = {
    "mean": (),
    "mean with penalties": PRICES,
    "sum": (SUM, "optimizer.lr=0.001"),
    "sum with penalties": (SUM, *PRICES),
    "sum of several batches": (SUM, *PRICES, "training.accumulate=3"),
    "class weights": ("loss.class_weights=[0.2, 1, 5]", *PRICES),
    "classes of equal weight": ("loss.class_weights=balanced",),
    "ignored": (*IGNORED, *PRICES),
    "ignored, of several batches": (*IGNORED, *PRICES, "training.accumulate=3"),
    "fewer rows than shards": ("training.batch_size=23", *PRICES),
    "all rows": ("training.batch_size=full",),
    "several batches": ("training.accumulate=3", *PRICES),
    "clipped norm": ("training.clip_norm=0.1", "optimizer={type: sgd, lr: 1.0}"),
    "clipped values": ("training.clip_value=0.01", "optimizer={type: sgd, lr: 1.0}"),
    "clipped twice": (
        "training.clip_value=0.01",
        "training.clip_norm=0.01",
        "training.accumulate=2",
    ),
    "average": ("training.average.decay=0.9",),
    "plateau": PLATEAU,
    "early stopping": STOPPED,
    "momentum": ("optimizer={type: sgd, lr: 0.1, momentum: 0.9, weight_decay: 0.01}",),
    "adamw": ("optimizer={type: adamw, lr: 0.02, decay_bias_and_norm: false}",),
    "nadam": ("optimizer={type: nadam, lr: 0.02}",),
    "adagrad": ("optimizer={type: adagrad, lr: 0.02}",),
    "lamb": ("optimizer={type: lamb, lr: 0.02, weight_decay: 0.1}",),
    "lbfgs": (
        "optimizer={type: lbfgs, max_iter: 4}",
        "training.batch_size=full",
        "training.average.decay=0.5",
    ),
}

LINES = """\
name: lines
seed: 1
dataset: {{type: lines, path: {path}}}
split: {{validation: 0.25}}
layers:
  - {{type: embedding, units: 4}}
  - {{type: gru, units: 4}}
  - {{type: dense, units: {units}, l2: 0.01}}
loss: softmax_cross_entropy
optimizer: {{type: adam, lr: 0.02}}
metrics: [token_accuracy, sequence_accuracy, perplexity]
precision: float64
training: {{epochs: 2, batch_size: 7}}
"""


def assert_near(ours: Trained, theirs: Trained) -> None:
    """Compare what was learned, and every score, to rounding."""
    for name, array in theirs.arrays.items():
        np.testing.assert_allclose(
            ours.arrays[name], array, rtol=1e-10, atol=1e-10, err_msg=name
        )
    assert len(ours.rows) == len(theirs.rows)
    for row, expected in zip(ours.rows, theirs.rows, strict=True):
        for name, value in expected.items():
            assert row[name] == pytest.approx(value, rel=1e-10, abs=1e-10)


@pytest.mark.parametrize("case", CASES)
def test_shards_give_what_whole_batches_give(case: str) -> None:
    overrides = ("precision=float64", *CASES[case])
    whole = trained(*overrides, shards=1)
    for shards in (2, 3, 4):
        assert_near(trained(*overrides, shards=shards), whole)


def test_cases_are_what_they_say() -> None:
    plain = trained(shards=2)
    for case in ("ignored", "clipped norm", "clipped values", "class weights"):
        assert trained(*CASES[case], shards=2).rows != plain.rows
    rates = {row["lr"] for row in trained(*PLATEAU, shards=2).rows}
    assert len(rates) > 1
    assert len(trained(*STOPPED, shards=2).rows) < 9


@pytest.mark.parametrize("shards", [2, 3, 4])
def test_lengths_and_weights_count_over_all_shards(tmp_path: Path, shards: int) -> None:
    rng = np.random.default_rng(0)
    # A line of one letter beside lines of many: shards have unequal amounts.
    lines = ["".join(rng.choice(list("abc"), size)) for size in (1, 9, 2, 1, 7) * 5]
    (tmp_path / "t.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    text = LINES.format(path=tmp_path / "t.txt", units=4)
    assert_near(trained(text=text, shards=shards), trained(text=text, shards=1))


@pytest.mark.parametrize("shards", [2, 3, 4])
def test_weights_of_rows_count_over_all_shards(tmp_path: Path, shards: int) -> None:
    pytest.importorskip("polars")
    rng = np.random.default_rng(0)
    rows = [
        f"{a:.3f},{b:.3f},{'up' if a > b else 'down'},{weight:.2f}"
        for a, b, weight in rng.random((40, 3)) * (1, 1, 9)
    ]
    (tmp_path / "t.csv").write_text("\n".join(["a,b,y,w", *rows]), encoding="utf-8")
    overrides = (
        f"dataset={{type: csv, path: {tmp_path / 't.csv'}, target: y, weights: w}}",
        "layers[2].units=2",
        "precision=float64",
    )
    whole = trained(*overrides, shards=1)
    assert whole.rows != trained(*overrides, "dataset.weights=null", shards=1).rows
    assert_near(trained(*overrides, shards=shards), whole)
