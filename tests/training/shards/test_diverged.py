"""Trainings with shards that diverge: told as without, with nothing moved."""

from __future__ import annotations

from contextlib import nullcontext

import numpy as np
import pytest

from nncli.core.arrays import Array
from nncli.core.errors import DivergedError
from nncli.training.callbacks import Callback
from nncli.training.shards.sharded import shared_by
from nncli.training.trainer import Trainer
from tests.training.jobs import experiment
from tests.training.shards.jobs import SPIRAL

WILD = ("optimizer={type: sgd, lr: 1e30}", "layers[1]=relu")
CASES = {
    "value": WILD,
    "gradient": (*WILD, "loss=mse"),
    "several batches": (*WILD, "training.accumulate=2"),
    "sum": (*WILD, "loss={type: softmax_cross_entropy, reduction: sum}"),
    "penalty": (*WILD, "layers[0].l2=0.1"),
    "evaluation": (*WILD, "training.evaluate_steps=1"),
    "average": (*WILD, "training.evaluate_steps=1", "training.average.decay=0.5"),
    "lamb": ("optimizer={type: lamb, lr: 1e30}", "layers[1]=relu"),
    "lbfgs": (
        "optimizer={type: lbfgs, lr: 1e30, line_search: null}",
        "layers[1]=relu",
        "training.batch_size=full",
    ),
}


class Before(Callback):
    """Remembers the parameters of after each step."""

    values: Array | None = None

    def on_step(self, trainer: Trainer) -> None:
        self.values = trainer.experiment.network.flat.values.copy()


def diverged(*overrides: str, shards: int, workers: int = 1) -> tuple[str, Trainer]:
    """Train until it diverges; return what is said."""
    made = experiment(f"training.shards={shards}", *overrides, text=SPIRAL)
    sharded = shared_by(made, workers)
    before = Before()
    before.values = made.network.flat.values.copy()
    trainer = Trainer(made, None, (before,), sharded=sharded)
    with sharded or nullcontext(), pytest.raises(DivergedError) as caught:
        trainer.fit()
    np.testing.assert_array_equal(made.network.flat.values, before.values)
    return str(caught.value), trainer


@pytest.mark.parametrize("case", CASES)
def test_it_is_told_as_without_shards_and_nothing_is_moved(case: str) -> None:
    expected, whole = diverged(*CASES[case], shards=1)
    assert "step " in expected
    for shards, workers in ((2, 2), (3, 1)):
        found, cut = diverged(*CASES[case], shards=shards, workers=workers)
        assert found == expected
        assert cut.progress.step == whole.progress.step


@pytest.mark.parametrize("place", [0, -1])
def test_a_row_that_is_not_finite_is_found_in_its_shard(place: int) -> None:
    told = set()
    for shards, workers in ((1, 1), (4, 1), (4, 4)):
        made = experiment(
            f"training.shards={shards}",
            "training.batch_size=full",
            "layers[1]=relu",
            text=SPIRAL,
        )
        part = made.parts["train"]
        assert part.x is not None
        part.x[place] = np.inf
        sharded = shared_by(made, workers)
        with sharded or nullcontext(), pytest.raises(DivergedError) as caught:
            Trainer(made, None, sharded=sharded).fit()
        told.add(str(caught.value))
    assert len(told) == 1, told
    assert told.pop().startswith("step 1: training diverged: the output of layers[")


def test_a_gathered_batch_is_named_when_it_was_its_fault() -> None:
    told = set()
    for shards, workers in ((1, 1), (4, 4)):
        made = experiment(
            f"training.shards={shards}",
            "training.accumulate=3",
            "layers[1]=relu",
            text=SPIRAL,
        )
        first = next(made.batches().epoch(0))
        # Which place the first row of the first batch comes from.
        part = made.parts["train"]
        assert part.x is not None
        (place,) = np.flatnonzero((part.x == first.x.data[0]).all(axis=1))
        part.x[place] = np.inf
        sharded = shared_by(made, workers)
        with sharded or nullcontext(), pytest.raises(DivergedError) as caught:
            Trainer(made, None, sharded=sharded).fit()
        told.add(str(caught.value))
    assert len(told) == 1, told
    assert told.pop().startswith("step 1: training diverged: the output of layers[")
