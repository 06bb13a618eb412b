"""Bits of a sharded training: those of its shards, whoever works on them."""

from __future__ import annotations

import os

import pytest

from nncli.training.trainer import Trainer
from tests.training.jobs import assert_same_bits, experiment, state_of
from tests.training.shards.jobs import SPIRAL, assert_same, trained

LSTM = (
    "dataset={type: adding, length: 6, samples: 60}",
    "layers=[{type: lstm, units: 4}, {type: dropout, rate: 0.2}, "
    "{type: gru, units: 3, return_sequences: false}, {type: dense, units: 1}]",
    "loss=mse",
    "metrics=[mae]",
)
ATTENTION = (
    "dataset={type: adding, length: 6, samples: 60}",
    "layers=[{type: dense, units: 4}, {type: transformer_block, heads: 2, "
    "dropout: 0.2}, global_average_pool, {type: dense, units: 1}]",
    "loss=mse",
    "metrics=[mae]",
)
CONV = (
    "dataset={type: digits}",
    "transforms=[{type: scale, low: 0.0, high: 1.0}]",
    "augmentations=[{type: shift, share: 0.1}]",
    "layers=[{type: conv2d, filters: 2, kernel: 3}, relu, max_pool2d, flatten, "
    "{type: dense, units: 10}]",
)
NETS = {
    "dense": (),
    "batch_norm": ("layers[1]=batch_norm",),
    "dropout": ("layers[1]={type: dropout, rate: 0.3}",),
    "lstm": LSTM,
    "attention": ATTENTION,
    "conv": CONV,
}
LARGE = ("lstm", "attention", "conv")
MANY = (
    "training.clip_norm=0.5",
    "training.average.decay=0.9",
    "training.accumulate=2",
    "schedule={type: cosine, final: 0.1}",
    "training.epochs=null",
)


@pytest.mark.parametrize(
    "steps", [10, pytest.param(200, marks=pytest.mark.slow)], ids=str
)
@pytest.mark.parametrize(
    "net",
    [pytest.param(net, marks=[pytest.mark.slow] * (net in LARGE)) for net in NETS],
)
def test_bits_do_not_depend_on_the_number_of_workers(net: str, steps: int) -> None:
    length = f"training.steps={steps}", f"training.evaluate_steps={steps // 2}"
    overrides = (*NETS[net], *MANY, *length)
    alone = trained(*overrides, shards=4)
    assert len(alone.rows) == 2
    # In the ordinary suite, fewer.
    for workers in (4,) if steps < 200 else (2, 3, 4):
        assert_same(trained(*overrides, shards=4, workers=workers), alone)
    if net != "batch_norm":
        assert trained(*overrides, shards=3).rows != alone.rows


@pytest.mark.parametrize("optimizer", ["lamb", "nadam", "lion", "radam"])
def test_every_optimizer_moves_the_same_whoever_does_it(optimizer: str) -> None:
    overrides = (
        f"optimizer={{type: {optimizer}, lr: 0.02}}",
        *MANY,
        "training.steps=4",
        # Enough for each worker to have blocks of its own.
        "layers[0].units=9000",
    )
    alone = trained(*overrides, shards=3)
    assert_same(trained(*overrides, shards=3, workers=3), alone)


def test_lbfgs_looks_at_the_same_points_with_several_workers() -> None:
    overrides = ("optimizer=lbfgs", "training.batch_size=full")
    alone = trained(*overrides, shards=4)
    assert_same(trained(*overrides, shards=4, workers=4), alone)


@pytest.mark.parametrize("workers", [2, 9])
def test_more_workers_than_shards_are_as_many_as_shards(workers: int) -> None:
    alone = trained(shards=2)
    assert_same(trained(shards=2, workers=workers), alone)


def test_a_trainer_that_is_given_no_workers_makes_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # As each fold of a cross-validation does, beside others.
    expected = trained(shards=2)
    monkeypatch.setattr(os, "fork", lambda: pytest.fail("a process was made"))
    made = experiment("training.shards=2", text=SPIRAL)
    trainer = Trainer(made, None)
    trainer.fit()
    assert_same_bits(state_of(trainer), expected.arrays)
