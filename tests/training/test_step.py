"""A step's extras: clipping, gathered batches, averaged weights, full-batch steps."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nncli.autograd.tensor import Tensor
from nncli.core.errors import ConfigError, DivergedError, RunError
from nncli.core.randomness import Streams
from nncli.data.batches import Batch
from nncli.layers.activations import Tanh
from nncli.layers.dense import Dense
from nncli.losses.regression import MeanSquaredError
from nncli.network.network import Network
from nncli.optimizers.average import WeightAverage
from nncli.optimizers.base import Optimizer
from nncli.runs.checkpoint import load_checkpoint
from nncli.training.resume import resume_run
from nncli.training.state import capture, restore
from nncli.training.step import TrainingStep
from nncli.training.trainer import Trainer
from tests.training.jobs import (
    StopAt,
    assert_same_bits,
    experiment,
    load,
    run_of,
    state_of,
    trainer,
)

PLAIN = """\
name: plain
dataset: {type: spiral, samples: 20, classes: 3}
layers:
  - {type: dense, units: 8, l2: 1e-3}
  - tanh
  - {type: dense, units: 3}
loss: softmax_cross_entropy
optimizer: {type: adam, lr: 0.01}
precision: float64
training: {epochs: 4, batch_size: 7, checkpoint_seconds: 0}
"""


class Job:
    """A small network with rows, a loss and an optimizer."""

    def __init__(self, name: str = "sgd", **options: Any) -> None:
        rng = np.random.default_rng(0)
        self.x, self.y = rng.normal(size=(12, 3)), rng.normal(size=(12, 2))
        layers = [Dense(4, l2=0.01), Tanh(), Dense(2)]
        self.network = Network(layers, (3,), Streams(1), np.dtype(np.float64))
        self.flat = self.network.flat
        self.optimizer = Optimizer.members()[name](**options)
        self.optimizer = self.optimizer.over(self.flat)

    def batch(self, begin: int = 0, end: int = 12) -> Batch:
        x, y = self.x[begin:end], self.y[begin:end]
        return Batch(Tensor(x.copy()), Tensor(y.copy()), end - begin)

    def step(self, **options: Any) -> TrainingStep:
        return TrainingStep(self.network, MeanSquaredError(), self.optimizer, **options)


def test_clip_value_cuts_every_element() -> None:
    free, cut = Job(lr=1.0), Job(lr=1.0)
    before = free.flat.values.copy()
    free.step().run(free.batch(), 1.0, 1)
    cut.step(clip_value=0.1).run(cut.batch(), 1.0, 1)
    gradient = before - free.flat.values
    assert np.abs(gradient).max() > 0.2 > np.abs(gradient).min()
    np.testing.assert_allclose(
        before - cut.flat.values, np.clip(gradient, -0.1, 0.1), rtol=0, atol=1e-15
    )


def test_clip_norm_is_taken_of_what_clip_value_left() -> None:
    job = Job(lr=1.0)
    before = job.flat.values.copy()
    job.step(clip_value=0.1, clip_norm=0.05).run(job.batch(), 1.0, 1)
    moved = before - job.flat.values
    np.testing.assert_allclose(np.linalg.norm(moved), 0.05, rtol=1e-4)
    # Several elements were cut to one size.
    assert (np.isclose(np.abs(moved), np.abs(moved).max())).sum() > 1


@pytest.mark.parametrize("cuts", [(0, 4, 8, 12), (0, 5, 10, 12), (0, 11, 12)])
def test_gathered_batches_make_the_step_of_one_batch(cuts: tuple[int, ...]) -> None:
    whole, parts = Job("adam"), Job("adam")
    one, many = whole.step(), parts.step()
    pairs = list(itertools.pairwise(cuts))
    # Batches of one size share buffers in training; here each has its own step.
    for number in range(3):
        value = one.run(whole.batch(), 0.01, number)
        for begin, end in pairs[:-1]:
            many.gradient._plans.clear()
            many.gather(parts.batch(begin, end), number)
        many.gradient._plans.clear()
        found = many.run(parts.batch(*pairs[-1]), 0.01, number)
        np.testing.assert_allclose(found, value, rtol=1e-14)
        np.testing.assert_allclose(
            parts.flat.values, whole.flat.values, rtol=0, atol=1e-12
        )


def test_a_norm_is_clipped_after_gathering() -> None:
    job = Job(lr=1.0)
    step = job.step(clip_norm=0.01)
    before = job.flat.values.copy()
    step.gather(job.batch(0, 5), 1)
    step.run(job.batch(5, 12), 1.0, 1)
    moved = np.linalg.norm(before - job.flat.values)
    np.testing.assert_allclose(moved, 0.01, rtol=1e-3)


def test_an_epoch_has_a_step_for_every_k_batches_and_for_the_rest() -> None:
    # 60 rows: 8 batches of 7 and one of 4, so steps of 4, 4 and 1.
    job = trainer("training.accumulate=4", "training.epochs=1", text=PLAIN)
    assert job.experiment.steps_per_epoch == 3
    job.fit()
    assert job.progress.step == 3
    assert job.experiment.optimizer.steps == 3


def test_accumulating_everything_trains_as_the_full_batch() -> None:
    parts = trainer("training.accumulate=9", text=PLAIN)
    whole = trainer("training.batch_size=full", text=PLAIN)
    parts.fit()
    whole.fit()
    for name, array in state_of(whole).items():
        np.testing.assert_allclose(state_of(parts)[name], array, atol=1e-10)


def test_accumulate_is_refused_where_an_epoch_is_one_batch() -> None:
    with pytest.raises(ConfigError, match="accumulate"):
        load("training.accumulate=2", "training.batch_size=full", text=PLAIN)


def test_average_is_its_formula() -> None:
    job = Job("adam", lr=0.1)
    average = WeightAverage(job.flat, 0.9)
    step = job.step(average=average)
    expected = None
    for number in range(5):
        step.run(job.batch(), 0.1, number)
        values = job.flat.values.copy()
        expected = values if expected is None else 0.9 * expected + 0.1 * values
        np.testing.assert_allclose(average.values, expected, rtol=0, atol=1e-15)
    np.testing.assert_array_equal(
        np.concatenate([a.ravel() for a in average.arrays.values()]).sum().round(12),
        average.values.sum().round(12),
    )


def test_average_is_lent_to_the_network_and_taken_back() -> None:
    job = Job("sgd", lr=0.1)
    average = WeightAverage(job.flat, 0.5)
    step = job.step(average=average)
    for number in range(3):
        step.run(job.batch(), 0.1, number)
    own = job.flat.values.copy()
    with average.in_use():
        for name, tensor in job.flat.tensors.items():
            np.testing.assert_array_equal(tensor.data, average.arrays[name])
    np.testing.assert_array_equal(job.flat.values, own)
    with pytest.raises(DivergedError), average.in_use():
        raise DivergedError("in between")
    np.testing.assert_array_equal(job.flat.values, own)
    assert not np.array_equal(own, average.values)


def test_evaluations_use_the_average_and_checkpoints_hold_both() -> None:
    averaged = trainer("training.average.decay=0.9", text=PLAIN)
    raw = trainer(text=PLAIN)
    averaged.fit()
    raw.fit()
    arrays, plain = state_of(averaged), state_of(raw)
    for name in plain:
        # The training itself is not changed.
        np.testing.assert_array_equal(arrays[name], plain[name])
    score = averaged.evaluators["train"].run()["loss"]
    assert score != raw.evaluators["train"].run()["loss"]
    for name, tensor in raw.experiment.network.flat.tensors.items():
        tensor.data[...] = arrays[f"average.{name}"]
    assert score == raw.evaluators["train"].run()["loss"]


@pytest.mark.parametrize(
    "options",
    [
        ("training.average.decay=0.9",),
        ("training.average.decay=0.9", "precision=float32"),
        ("precision=float32",),
        ("training.accumulate=2", "training.clip_value=0.1"),
        *((f"optimizer={name}",) for name in Optimizer.members() if name != "lbfgs"),
        ("optimizer.amsgrad=true",),
        ("optimizer=lbfgs", "training.batch_size=full", "optimizer.history_size=2"),
        ("optimizer=lbfgs", "training.batch_size=full", "optimizer.line_search=null"),
    ],
    ids=str,
)
def test_a_run_that_was_interrupted_ends_with_the_same_bits(
    options: tuple[str, ...], tmp_path: Path
) -> None:
    whole = trainer(*options, text=PLAIN)
    whole.fit()
    stop = 3 if whole.total_steps > 4 else 2
    made, run = run_of(tmp_path, *options, text=PLAIN)
    first = Trainer(made, run, [StopAt(stop)])
    first.fit()
    assert first.progress.step == stop
    restored = resume_run(run, [], allow_plugins=False)
    second = Trainer(restored.experiment, run)
    second.progress = restored.progress
    second.fit()
    assert_same_bits(state_of(whole), state_of(second))


def test_a_checkpoint_with_an_unknown_array_is_refused() -> None:
    made = experiment("training.average.decay=0.9", text=PLAIN)
    checkpoint = capture(made, trainer(text=PLAIN).progress)
    with pytest.raises(RunError, match=r"expected no array average\."):
        restore(experiment(text=PLAIN), checkpoint)


@pytest.mark.parametrize("line_search", [None, "strong_wolfe"])
def test_lbfgs_finds_the_minimum_that_gradient_descent_creeps_to(
    line_search: str | None,
) -> None:
    job, slow = Job("lbfgs", lr=0.5, line_search=line_search), Job("sgd", lr=0.1)
    quick, creeping = job.step(), slow.step()
    for number in range(15):
        quick.run(job.batch(), 0.5, number)
        creeping.run(slow.batch(), 0.1, number)
    last = quick.run(job.batch(), 0.5, 16)
    assert last < 0.5 * creeping.run(slow.batch(), 0.1, 16)


def test_lbfgs_that_diverges_leaves_the_parameters_as_they_were() -> None:
    job = Job("lbfgs")
    before = job.flat.values.copy()
    batch = job.batch()
    step = job.step()
    calls = 0
    record = step._differentiate

    def third_fails(batch: Batch, number: int) -> tuple[float, float]:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise DivergedError("too far")
        return record(batch, number)

    step._differentiate = third_fails  # type: ignore[method-assign]
    with pytest.raises(DivergedError):
        step.run(batch, 1.0, 1)
    np.testing.assert_array_equal(job.flat.values, before)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ((), "training.batch_size=full"),
        (("training.batch_size=full", "training.clip_norm=1.0"), "clip_"),
        (("training.batch_size=full", "training.clip_value=1.0"), "clip_"),
        (
            ("training.batch_size=full", "layers[1]={type: dropout, rate: 0.5}"),
            r"layers\[1\] dropout draws",
        ),
    ],
)
def test_lbfgs_is_refused_where_losses_are_not_comparable(
    change: tuple[str, ...], words: str
) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        experiment("optimizer=lbfgs", *change, text=PLAIN)
    assert [problem.path for problem in caught.value.problems] == [("optimizer",)]


@pytest.mark.parity
def test_clipping_by_value_and_averaging_act_as_torch_s() -> None:
    torch = pytest.importorskip("torch")
    from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

    job = Job("adam", lr=0.01)
    average = WeightAverage(job.flat, 0.95)
    step = job.step(clip_value=0.05, average=average)
    nn = torch.nn
    module = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)).double()
    for mine, other in zip(job.flat.leaves, module.parameters(), strict=True):
        with torch.no_grad():
            other.copy_(torch.tensor(np.array(mine.data)))
    other_average = AveragedModel(module, multi_avg_fn=get_ema_multi_avg_fn(0.95))
    optimizer = torch.optim.Adam(module.parameters(), lr=0.01)
    x, y = torch.tensor(job.x), torch.tensor(job.y)
    for number in range(100):
        step.run(job.batch(), 0.01, number)
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(module(x), y)
        (loss + 0.01 * (module[0].weight ** 2).sum()).backward()
        torch.nn.utils.clip_grad_value_(module.parameters(), 0.05)
        optimizer.step()
        other_average.update_parameters(module)
    names = job.flat.tensors
    for name, theirs, averaged in zip(
        names, module.parameters(), other_average.parameters(), strict=True
    ):
        own = names[name].data
        np.testing.assert_allclose(own, np.asarray(theirs.detach()), 0, 1e-11)
        found = average.arrays[name]
        np.testing.assert_allclose(found, np.asarray(averaged.detach()), 0, 1e-11)


def test_a_checkpoint_on_disk_holds_the_average(tmp_path: Path) -> None:
    made, run = run_of(tmp_path, "training.average.decay=0.9", text=PLAIN)
    Trainer(made, run).fit()
    arrays = load_checkpoint(run.last).arrays
    own = {name for name in arrays if name.startswith("layers.")}
    assert {f"average.{name}" for name in own} <= set(arrays)
