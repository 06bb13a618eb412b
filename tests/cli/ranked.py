"""Trainings as the ranks of MPI make them, several ones after each other.

    mpirun -n 2 python -m tests.cli.ranked FOLDER WORKERS NET ...

leaves a run of each net in FOLDER.
"""

from __future__ import annotations

import sys
from contextlib import nullcontext
from pathlib import Path

from nncli.core.launched import launched
from nncli.runs.directory import RunDirectory
from nncli.training.shards.ranks import Ranks
from nncli.training.shards.sharded import shared_by
from nncli.training.trainer import Trainer
from tests.training.jobs import experiment, run_of

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
training: {epochs: 3, batch_size: 17, shards: 4}
"""

SEQUENCES = (
    "dataset={type: adding, length: 6, samples: 60}",
    "loss=mse",
    "metrics=[mae]",
)
DIGITS = (
    "dataset={type: digits}",
    "training.epochs=null",
    "training.steps=12",
    "training.evaluate_steps=4",
)
NETS: dict[str, tuple[str, ...]] = {
    "dense": (),
    "wide": (
        # Several blocks of parameters, so that each rank moves some.
        "layers[0].units=9000",
        "training.clip_norm=0.5",
        "schedule={type: cosine, final: 0.1}",
    ),
    "conv": (
        *DIGITS,
        "transforms=[{type: scale, low: 0.0, high: 1.0}]",
        "augmentations=[{type: shift, share: 0.1}]",
        "layers=[{type: conv2d, filters: 2, kernel: 3}, relu, max_pool2d, flatten, "
        "{type: dense, units: 10}]",
    ),
    "dropout": ("layers[1]={type: dropout, rate: 0.3}",),
    "lstm": (
        *SEQUENCES,
        "layers=[{type: lstm, units: 4}, {type: dropout, rate: 0.2}, "
        "{type: gru, units: 3, return_sequences: false}, {type: dense, units: 1}]",
    ),
    "attention": (
        *SEQUENCES,
        "layers=[{type: dense, units: 4}, {type: transformer_block, heads: 2, "
        "dropout: 0.2}, global_average_pool, {type: dense, units: 1}]",
    ),
    "average": ("training.average.decay=0.9", "training.accumulate=2"),
    "lamb": ("optimizer={type: lamb, lr: 0.02}", "layers[0].units=9000"),
    "lbfgs": ("optimizer=lbfgs", "training.batch_size=full"),
    "float64": ("precision=float64", "training.clip_value=0.01"),
    # Large outputs, so that an evaluation has several batches, the last one short.
    "evaluation": (*DIGITS, "layers=[{type: dense, units: 3000}, relu, "
        "{type: dense, units: 10}]", "training.evaluate_rows=all"),
}


def train(net: str, folder: Path, workers: int, ranks: Ranks | None = None) -> None:
    """Train one of the nets, and keep the run as the first rank."""
    if ranks is None or not ranks.rank:
        made, run = run_of(folder / net, *NETS[net], text=SPIRAL)
    else:
        made, run = experiment(*NETS[net], text=SPIRAL), None
    sharded = (
        shared_by(made, workers) if ranks is None else shared_by(made, workers, ranks)
    )
    with sharded or nullcontext():
        if run is not None:
            Trainer(made, run, sharded=sharded).fit()
        elif sharded is not None:
            sharded.follow()


def run_in(folder: Path, net: str) -> RunDirectory:
    """Return the run that a net has left."""
    return RunDirectory(folder / net / "spiral-1")


if __name__ == "__main__":
    _, target, each, *nets = sys.argv
    everyone = Ranks(launched())
    for name in nets:
        train(name, Path(target), int(each), everyone)
