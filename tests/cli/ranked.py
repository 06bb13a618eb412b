"""Trainings as the ranks of MPI make them, several ones after each other.

    mpirun -n 2 python -m tests.cli.ranked FOLDER WORKERS NET ...

leaves a run of each net in FOLDER.
"""

from __future__ import annotations

import sys
from contextlib import nullcontext
from pathlib import Path
from unittest.mock import patch

from nncli.core.atomic import write_bytes
from nncli.core.launched import launched
from nncli.experiment.experiment import Experiment
from nncli.network.network import Network
from nncli.runs.directory import RunDirectory
from nncli.training.shards.ranks import Ranks
from nncli.training.shards.sharded import shared_by
from nncli.training.trainer import Trainer
from tests.training.jobs import experiment, run_of
from tests.training.shards.jobs import SPIRAL
from tests.training.shards.test_bits import ATTENTION, CONV, LSTM
from tests.training.shards.test_values import LINES

SHARDS = ("training.shards=4",)
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
    "conv": (*DIGITS, *CONV),
    "dropout": ("layers[1]={type: dropout, rate: 0.3}",),
    "lstm": LSTM,
    "attention": ATTENTION,
    "average": ("training.average.decay=0.9", "training.accumulate=2"),
    "lamb": ("optimizer={type: lamb, lr: 0.02}", "layers[0].units=9000"),
    "lbfgs": ("optimizer=lbfgs", "training.batch_size=full"),
    "float64": ("precision=float64", "training.clip_value=0.01"),
}


LENGTHS = "lengths"
ALL = (*NETS, LENGTHS)


def made_of(
    net: str, folder: Path, *, keep: bool
) -> tuple[Experiment, RunDirectory | None]:
    """Build a net, and make its run if it shall be kept."""
    text, overrides = SPIRAL, (*SHARDS, *NETS.get(net, ()))
    if net == LENGTHS:
        path = folder.parent / "lines.txt"
        # Every rank writes it, and none may read a half of another one's.
        write_bytes(path, b"ab\na\nabbaab\nb\naab\n" * 9)
        text = LINES.format(path=path, units=3)
    if keep:
        return run_of(folder / net, *overrides, text=text)
    return experiment(*overrides, text=text), None


def train(net: str, folder: Path, workers: int, ranks: Ranks | None = None) -> None:
    """Train one of the nets, and keep the run as the first rank."""
    made, run = made_of(net, folder, keep=ranks is None or not ranks.rank)
    # Of evaluations, so that there are several, the last one smaller.
    small_batches = patch.object(Network, "rows_within", lambda self, size: 7)
    with small_batches:
        sharded = (
            shared_by(made, workers)
            if ranks is None
            else shared_by(made, workers, ranks)
        )
        with sharded or nullcontext():
            if run is not None:
                Trainer(made, run, sharded=sharded).fit()
            elif sharded is not None:
                sharded.follow()


def run_in(folder: Path, net: str) -> RunDirectory:
    """Return the run that a net has left."""
    return next(RunDirectory(path) for path in (folder / net).iterdir())


if __name__ == "__main__":
    _, target, each, *nets = sys.argv
    everyone = Ranks(launched())
    for name in nets:
        train(name, Path(target), int(each), everyone)
