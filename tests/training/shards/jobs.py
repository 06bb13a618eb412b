"""Trainings that are cut into shards, for the tests here."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from nncli.core.arrays import Array
from nncli.runs.checkpoint import Checkpoint
from nncli.training.callbacks import Callback, Row
from nncli.training.shards.sharded import shared_by
from nncli.training.state import capture
from nncli.training.trainer import Trainer
from tests.training.jobs import Rows, assert_same_bits, experiment

SPIRAL = """\
name: spiral
seed: 5
dataset: {type: spiral, samples: 30, classes: 3}
split: {validation: 0.2}
layers:
  - {type: dense, units: 8}
  - tanh
  - {type: dense, units: 3}
loss: softmax_cross_entropy
optimizer: {type: adam, lr: 0.02}
metrics: [accuracy]
training: {epochs: 3, batch_size: 17}
"""


@dataclass(frozen=True)
class Trained:
    """What a training came to.

    Attributes:
        checkpoint: All that the next step depends on.
        rows: What was scored.
    """

    checkpoint: Checkpoint
    rows: list[Row]

    @property
    def arrays(self) -> dict[str, Array]:
        return self.checkpoint.arrays


def trained(
    *overrides: str,
    shards: int,
    workers: int = 1,
    text: str = SPIRAL,
    callbacks: tuple[Callback, ...] = (),
) -> Trained:
    """Train with a number of shards, and of workers."""
    made = experiment(f"training.shards={shards}", *overrides, text=text)
    rows = Rows()
    sharded = shared_by(made, workers)
    trainer = Trainer(made, None, (rows, *callbacks), sharded=sharded)
    with sharded or nullcontext():
        trainer.fit()
    return Trained(capture(made, trainer.progress), rows.rows)


def assert_same(ours: Trained, theirs: Trained) -> None:
    """Compare every array, every other value, and every row."""
    assert_same_bits(ours.arrays, theirs.arrays)
    assert ours.rows == theirs.rows
    assert _without_shards(ours.checkpoint.meta) == _without_shards(
        theirs.checkpoint.meta
    )


def _without_shards(meta: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in meta.items() if name != "config"}
