"""Every optimizer against PyTorch: 200 steps on one problem, the same parameters."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nncli.autograd.tensor import Tensor
from nncli.backend import Array
from nncli.data.batches import Batch
from nncli.layers.activations import Relu, Tanh
from nncli.layers.base import Layer
from nncli.layers.dense import Dense
from nncli.losses.classification import SoftmaxCrossEntropy
from nncli.network import Network
from nncli.optimizers.base import Optimizer
from nncli.optimizers.sgd import Sgd
from nncli.streams import Streams
from nncli.training.step import TrainingStep
from tests.parity import TRAINED, assert_agrees, without_case

torch = pytest.importorskip("torch", reason="PyTorch is the oracle of these tests")
torch.set_num_threads(1)  # Arrays are small: threads would wait for each other.

pytestmark = pytest.mark.parity

STEPS = 200
ROWS, FEATURES, CLASSES = 24, 3, 3
FLOAT64 = np.dtype(np.float64)

# Rates are small enough for training to be stable: beyond 2 / curvature a difference in
# the last bit grows from step to step, in PyTorch as here, and proves nothing.
OPTIONS: dict[str, tuple[dict[str, Any], ...]] = {
    "sgd": (
        {},
        {"lr": 0.1, "momentum": 0.9},
        {"lr": 0.1, "momentum": 0.9, "nesterov": True},
        {"lr": 0.1, "weight_decay": 0.01},
        {"lr": 0.1, "momentum": 0.5, "weight_decay": 0.01},
        {"lr": 0.05, "momentum": 0.8, "nesterov": True, "weight_decay": 0.003},
    ),
    "adam": (
        {},
        {"lr": 0.02},
        {"lr": 0.02, "beta1": 0.5},
        {"lr": 0.02, "beta1": 0.0},
        {"lr": 0.02, "beta2": 0.9},
        {"lr": 0.02, "beta2": 0.5},
        {"lr": 0.02, "eps": 1e-3},
        {"lr": 0.02, "eps": 1.0},
        {"lr": 0.02, "weight_decay": 0.01},
        {"lr": 0.02, "beta1": 0.8, "beta2": 0.99, "eps": 1e-4, "weight_decay": 0.1},
    ),
}


def _torch_optimizer(name: str, options: dict[str, Any], parameters: Any) -> Any:
    given = Optimizer.members()[name](**options).arguments
    if name == "sgd":
        return torch.optim.SGD(parameters, **given)
    if name == "adam":
        betas = given.pop("beta1"), given.pop("beta2")
        return torch.optim.Adam(parameters, betas=betas, **given)
    raise AssertionError(f"{name}: say here which optimizer of PyTorch it is")


CASES = [(name, options) for name, every in OPTIONS.items() for options in every]
IDS = [
    " ".join([name, *(f"{key}={value}" for key, value in options.items())])
    for name, options in CASES
]


class Problem:
    """One small MLP on one set of rows, ours and PyTorch's with the same weights."""

    def __init__(self, activation: type[Layer] = Tanh) -> None:
        rng = np.random.default_rng(0)
        self.x: Array = rng.normal(size=(ROWS, FEATURES))
        self.labels: Array = rng.integers(0, CLASSES, ROWS)
        layers: list[Layer] = [Dense(8), activation(), Dense(5), Tanh(), Dense(CLASSES)]
        self.network = Network(layers, (FEATURES,), Streams(1), FLOAT64)
        self.loss = SoftmaxCrossEntropy()
        nn = torch.nn
        self.module = nn.Sequential(
            nn.Linear(FEATURES, 8),
            nn.Tanh() if activation is Tanh else nn.ReLU(),
            nn.Linear(8, 5),
            nn.Tanh(),
            nn.Linear(5, CLASSES),
        ).double()
        self.parameters: list[Any] = list(self.module.parameters())
        for mine, other in zip(self.network.flat.leaves, self.parameters, strict=True):
            with torch.no_grad():
                other.copy_(torch.tensor(np.array(mine.data)))

    def torch_loss(self, index: Any = slice(None)) -> Any:
        """Return PyTorch's loss of some of the rows, with its gradients computed."""
        outputs = self.module(torch.tensor(self.x[index]))
        labels = torch.tensor(self.labels[index])
        loss = torch.nn.functional.cross_entropy(outputs, labels)
        self.module.zero_grad()
        loss.backward()
        return loss.detach()

    def batch(self, index: Any = slice(None)) -> Batch:
        """Return some of the rows as a batch of the trainer."""
        x, labels = self.x[index], self.labels[index]
        return Batch(Tensor(x.copy()), Tensor(labels.copy()), len(x))

    def compare(self, step: int, tolerance: float = TRAINED) -> None:
        """Fail where a parameter is not PyTorch's."""
        for i, other in enumerate(self.parameters):
            mine = self.network.flat.leaves[i].data
            what = f"parameter {i} after {step} steps"
            assert_agrees(mine, other.detach(), what, tolerance)


@pytest.mark.parametrize(("name", "options"), CASES, ids=IDS)
def test_200_steps_give_torch_s_parameters(name: str, options: dict[str, Any]) -> None:
    problem = Problem()
    optimizer = Optimizer.members()[name](**options)
    flat = problem.network.flat
    optimizer.start(flat.values, flat.grads)
    other = _torch_optimizer(name, options, problem.parameters)
    before = flat.values.copy()
    x, labels = Tensor(problem.x), Tensor(problem.labels)
    for step in range(STEPS):
        flat.grads.fill(0)
        loss = problem.loss(problem.network(x), labels)
        loss.backward()
        optimizer.step(optimizer.lr)
        assert_agrees(loss.data, problem.torch_loss(), f"loss {step}", TRAINED)
        other.step()
    problem.compare(STEPS)
    assert np.abs(flat.values - before).max() > 1e-2, "nothing was trained"


@pytest.mark.parametrize("activation", [Tanh, Relu], ids=["tanh", "relu"])
@pytest.mark.parametrize("name", sorted(OPTIONS))
def test_200_training_steps_in_batches_give_torch_s_parameters(
    name: str, activation: type[Layer]
) -> None:
    problem, options = Problem(activation), {"lr": 0.02}
    optimizer = Optimizer.members()[name](**options)
    optimizer.start(problem.network.flat.values, problem.network.flat.grads)
    training = TrainingStep(problem.network, problem.loss, optimizer)
    other = _torch_optimizer(name, options, problem.parameters)
    # Batches of 10, 10 and 4 rows: two sizes, so two recordings. One buffer each.
    buffers = {10: problem.batch(slice(0, 10)), 4: problem.batch(slice(0, 4))}
    rng = np.random.default_rng(5)
    for step in range(STEPS):
        index = rng.choice(ROWS, 4 if step % 3 == 2 else 10, replace=False)
        batch = buffers[len(index)]
        batch.x.data[...] = problem.x[index]
        batch.targets.data[...] = problem.labels[index]
        training.run(batch, 0.02, step)
        problem.torch_loss(index)
        other.step()
    problem.compare(STEPS)


@pytest.mark.parametrize("name", sorted(OPTIONS))
def test_a_learning_rate_that_changes_at_every_step_acts_as_in_torch(name: str) -> None:
    problem = Problem()
    optimizer = Optimizer.members()[name](**OPTIONS[name][1])
    optimizer.start(problem.network.flat.values, problem.network.flat.grads)
    training = TrainingStep(problem.network, problem.loss, optimizer)
    other = _torch_optimizer(name, OPTIONS[name][1], problem.parameters)
    batch = problem.batch()
    for step in range(STEPS):
        rate = 0.1 / (1 + 0.05 * step)
        for group in other.param_groups:
            group["lr"] = rate
        training.run(batch, rate, step)
        problem.torch_loss()
        other.step()
    problem.compare(STEPS)


@pytest.mark.parametrize("limit", [1e-3, 0.12, 1e6])
@pytest.mark.parametrize("name", sorted(OPTIONS))
def test_gradient_clipping_acts_as_torch_s(name: str, limit: float) -> None:
    problem = Problem()
    options = {"lr": 0.1 if name == "sgd" else 0.02}
    optimizer = Optimizer.members()[name](**options)
    optimizer.start(problem.network.flat.values, problem.network.flat.grads)
    training = TrainingStep(problem.network, problem.loss, optimizer, limit)
    other = _torch_optimizer(name, options, problem.parameters)
    batch = problem.batch()
    for step in range(STEPS):
        training.run(batch, optimizer.lr, step)
        problem.torch_loss()
        torch.nn.utils.clip_grad_norm_(problem.parameters, limit)
        other.step()
        if step < 3:
            for mine, theirs in zip(
                problem.network.flat.leaves, problem.parameters, strict=True
            ):
                assert_agrees(mine.grad, theirs.grad, f"gradient of step {step}")
    problem.compare(STEPS)


def test_clipping_leaves_small_gradients_alone() -> None:
    problem, same = Problem(), Problem()
    for one, limit in ((problem, 1e6), (same, None)):
        optimizer = Sgd(lr=0.1)
        optimizer.start(one.network.flat.values, one.network.flat.grads)
        training = TrainingStep(one.network, one.loss, optimizer, limit)
        for step in range(5):
            training.run(one.batch(), 0.1, step)
    np.testing.assert_array_equal(problem.network.flat.values, same.network.flat.values)


def test_every_optimizer_has_a_parity_case() -> None:
    missing = without_case(Optimizer.members(), set(OPTIONS))
    assert not missing, f"optimizers without a comparison with PyTorch: {missing}"


def test_every_option_of_every_optimizer_is_varied() -> None:
    for name, every in OPTIONS.items():
        known = set(Optimizer.members()[name]().arguments)
        varied = {key for options in every for key in options}
        assert varied == known, f"{name}: not varied: {known - varied}"
