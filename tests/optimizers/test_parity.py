"""Every optimizer against PyTorch: 300 steps on one problem, the same parameters."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from nncli.autograd.tensor import Tensor
from nncli.core.arrays import Array
from nncli.core.fields import fields_of
from nncli.core.randomness import Streams
from nncli.data.batches import Batch
from nncli.layers.activations import Relu, Tanh
from nncli.layers.base import Layer
from nncli.layers.dense import Dense
from nncli.losses.classification import SoftmaxCrossEntropy
from nncli.network.network import Network
from nncli.optimizers.base import Optimizer
from nncli.optimizers.sgd import Sgd
from nncli.training.step import TrainingStep
from tests.optimizers.flats import flat_of
from tests.parity import TRAINED, assert_agrees, without_case

torch = pytest.importorskip("torch", reason="PyTorch is the oracle of these tests")
torch.set_num_threads(1)  # Arrays are small: threads would wait for each other.

pytestmark = [pytest.mark.parity, pytest.mark.usefixtures("float64_in_torch")]


@pytest.fixture
def float64_in_torch() -> Iterator[None]:
    """Let NAdam keep its scalar in float64, in these tests and in no others."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


STEPS = 300
ROWS, FEATURES, CLASSES = 24, 3, 3
FLOAT64 = np.dtype(np.float64)

# Rates are small enough for training to be stable: beyond 2 / curvature a difference in
# the last bit grows from step to step, in PyTorch as here, and proves nothing.
OPTIONS: dict[str, tuple[dict[str, Any], ...]] = {
    "sgd": (
        {},
        {"lr": 0.1, "momentum": 0.9},
        {"lr": 0.1, "momentum": 0.9, "nesterov": True},
        {"lr": 0.1, "momentum": 0.9, "dampening": 0.5},
        {"lr": 0.1, "weight_decay": 0.01},
        {"lr": 0.1, "weight_decay": 0.1, "decay_bias_and_norm": False},
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
        {"lr": 0.02, "amsgrad": True},
        {"lr": 0.02, "weight_decay": 0.01},
        {"lr": 0.02, "weight_decay": 0.1, "decay_bias_and_norm": False},
        {"lr": 0.02, "beta1": 0.8, "beta2": 0.99, "eps": 1e-4, "weight_decay": 0.1},
    ),
    "adamw": (
        {},
        {"lr": 0.02},
        {"lr": 0.01, "beta1": 0.5, "beta2": 0.9, "eps": 0.01},
        {"lr": 0.02, "weight_decay": 0.0},
        {"lr": 0.02, "weight_decay": 0.5},
        {"lr": 0.02, "weight_decay": 0.5, "decay_bias_and_norm": False},
        {"lr": 0.02, "weight_decay": 0.1, "amsgrad": True},
    ),
    "adagrad": (
        {},
        {"lr": 0.05},
        {"lr": 0.1, "lr_decay": 0.01},
        {"lr": 0.1, "initial": 0.5},
        {"lr": 0.02, "eps": 0.1},
        {"lr": 0.05, "weight_decay": 0.1},
        {"lr": 0.05, "weight_decay": 0.1, "decay_bias_and_norm": False},
    ),
    "rmsprop": (
        {"lr": 0.005},
        {"lr": 0.001, "alpha": 0.9, "eps": 0.01},
        {"lr": 0.001, "momentum": 0.9},
        {"lr": 0.005, "centered": True, "eps": 1e-3},
        {"lr": 0.001, "centered": True, "momentum": 0.5, "eps": 1e-2},
        {"lr": 0.005, "eps": 0.1},
        {"lr": 0.001, "weight_decay": 0.1},
        {"lr": 0.001, "weight_decay": 0.1, "decay_bias_and_norm": False},
    ),
    "adadelta": (
        {"lr": 0.1},
        {"lr": 0.5, "rho": 0.5},
        {"lr": 0.1, "eps": 1e-4},
        {"weight_decay": 0.1},
        {"weight_decay": 0.1, "decay_bias_and_norm": False},
    ),
    "adamax": (
        {},
        {"lr": 0.02},
        {"lr": 0.01, "beta1": 0.5, "beta2": 0.9, "eps": 0.01},
        {"lr": 0.02, "eps": 0.1},
        {"lr": 0.02, "weight_decay": 0.1},
        {"lr": 0.02, "weight_decay": 0.1, "decay_bias_and_norm": False},
    ),
    "nadam": (
        {},
        {"lr": 0.001},
        {"lr": 0.001, "beta1": 0.5, "beta2": 0.9, "eps": 0.01},
        {"lr": 0.001, "eps": 0.1},
        {"lr": 0.001, "momentum_decay": 0.1},
        {"lr": 0.001, "weight_decay": 0.1},
        {"lr": 0.001, "weight_decay": 0.1, "decay_bias_and_norm": False},
        {"lr": 0.001, "weight_decay": 0.1, "decoupled_weight_decay": True},
    ),
    "radam": (
        {},
        {"lr": 0.02},
        {"lr": 0.01, "beta1": 0.5, "beta2": 0.9, "eps": 0.01},
        {"lr": 0.02, "beta2": 0.6},
        {"lr": 0.02, "eps": 0.1},
        {"lr": 0.02, "weight_decay": 0.1},
        {"lr": 0.02, "weight_decay": 0.1, "decay_bias_and_norm": False},
        {"lr": 0.02, "weight_decay": 0.1, "decoupled_weight_decay": True},
    ),
}

# Every iteration is one of 300; a step makes max_iter of them.
FULL_BATCH: dict[str, tuple[dict[str, Any], ...]] = {
    "lbfgs": (
        {},
        {"lr": 0.5},
        {"line_search": None, "lr": 0.2},
        {"line_search": None, "lr": 0.2, "max_iter": 1},
        {"max_iter": 4},
        {"max_iter": 4, "max_eval": 3},
        {"history_size": 2},
        {"history_size": 100, "max_iter": 7},
        {"tolerance_grad": 1e-2},
        {"tolerance_change": 1e-3},
    ),
}

CALM: dict[str, dict[str, Any]] = {
    "sgd": {"lr": 0.1},
    "adagrad": {"lr": 0.02, "eps": 0.1},
    "rmsprop": {"lr": 0.002, "eps": 0.1},
    "adadelta": {"lr": 0.1},
    "nadam": {"lr": 0.002, "eps": 0.01},
}
"""Options that let 300 steps be stable; others take {"lr": 0.02}."""

WITHOUT_COUNTERPART = {"lion", "lamb"}
"""Not in PyTorch: compared with plain loops, in tests of their own."""

TORCH_CLASSES = {
    "sgd": "SGD",
    "adam": "Adam",
    "adamw": "AdamW",
    "adagrad": "Adagrad",
    "rmsprop": "RMSprop",
    "adadelta": "Adadelta",
    "adamax": "Adamax",
    "nadam": "NAdam",
    "radam": "RAdam",
    "lbfgs": "LBFGS",
}

TORCH_NAMES = {
    "initial": "initial_accumulator_value",
    "line_search": "line_search_fn",
}


def torch_optimizer(name: str, options: dict[str, Any], parameters: Any) -> Any:
    arguments = Optimizer.members()[name](**options).arguments
    given = {TORCH_NAMES.get(key, key): value for key, value in arguments.items()}
    if "beta1" in given:
        given["betas"] = given.pop("beta1"), given.pop("beta2")
    groups = parameters
    if not given.pop("decay_bias_and_norm", True):
        groups = [
            {"params": [p for p in parameters if p.ndim > 1]},
            {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
        ]
    return getattr(torch.optim, TORCH_CLASSES[name])(groups, **given)


class Problem:
    """One small MLP on one set of rows, ours and PyTorch's with the same weights.

    Args:
        activation: What follows the first layer.
        convex: One dense layer with a price instead: one minimum, that all find.
    """

    def __init__(self, activation: type[Layer] = Tanh, *, convex: bool = False) -> None:
        rng = np.random.default_rng(0)
        self.x: Array = rng.normal(size=(ROWS, FEATURES))
        self.labels: Array = rng.integers(0, CLASSES, ROWS)
        layers: list[Layer] = [Dense(8), activation(), Dense(5), Tanh(), Dense(CLASSES)]
        nn = torch.nn
        others = [
            nn.Linear(FEATURES, 8),
            nn.Tanh() if activation is Tanh else nn.ReLU(),
            nn.Linear(8, 5),
            nn.Tanh(),
            nn.Linear(5, CLASSES),
        ]
        self.price = 0.0
        if convex:
            self.price = 0.02
            layers = [Dense(CLASSES, l2=self.price, bias_l2=self.price)]
            others = [nn.Linear(FEATURES, CLASSES)]
        self.network = Network(layers, (FEATURES,), Streams(1), FLOAT64)
        self.loss = SoftmaxCrossEntropy()
        self.module = nn.Sequential(*others).double()
        self.parameters: list[Any] = list(self.module.parameters())
        for mine, other in zip(self.network.flat.leaves, self.parameters, strict=True):
            with torch.no_grad():
                other.copy_(torch.tensor(np.array(mine.data)))

    def torch_loss(self, index: Any = slice(None)) -> Any:
        """Return PyTorch's loss of some of the rows, with its gradients computed."""
        outputs = self.module(torch.tensor(self.x[index]))
        labels = torch.tensor(self.labels[index])
        loss = torch.nn.functional.cross_entropy(outputs, labels)
        if self.price:
            loss = loss + self.price * sum((p * p).sum() for p in self.parameters)
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


@pytest.mark.parametrize("name", sorted(OPTIONS))
def test_300_steps_give_torch_s_parameters(name: str) -> None:
    # The options that change most at once; each alone is what the next test follows.
    options = max(OPTIONS[name], key=len)
    problem = Problem()
    optimizer = Optimizer.members()[name](**options)
    flat = problem.network.flat
    optimizer = optimizer.over(flat)
    other = torch_optimizer(name, options, problem.parameters)
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


@pytest.mark.parametrize("name", sorted(OPTIONS))
def test_gradients_of_every_size_give_torch_s_parameters(name: str) -> None:
    for options in OPTIONS[name]:
        rng = np.random.default_rng(3)
        flat = flat_of(rng.normal(size=(20, 7)), rng.normal(size=20))
        arrays = [tensor.data.copy() for tensor in flat.leaves]
        parameters = [torch.nn.Parameter(torch.tensor(array)) for array in arrays]
        optimizer = Optimizer.members()[name](**options)
        optimizer = optimizer.over(flat)
        other = torch_optimizer(name, options, parameters)
        for _ in range(STEPS):
            for mine, theirs in zip(flat.leaves, parameters, strict=True):
                size = 10 ** rng.uniform(-8, 2, mine.shape)
                assert mine.grad is not None
                mine.grad[...] = rng.normal(size=mine.shape) * size
                theirs.grad = torch.tensor(mine.grad)
            optimizer.step(optimizer.lr)
            other.step()
        for mine, theirs in zip(flat.leaves, parameters, strict=True):
            assert_agrees(mine.data, theirs.detach(), str(options), 1e-12)


FULL_CASES = [(n, options) for n, every in FULL_BATCH.items() for options in every]


@pytest.mark.parametrize(("name", "options"), FULL_CASES, ids=str)
def test_300_iterations_over_all_rows_give_torch_s_parameters(
    name: str, options: dict[str, Any]
) -> None:
    problem = Problem(convex=True)
    optimizer = Optimizer.members()[name](**options)
    flat = problem.network.flat
    optimizer = optimizer.over(flat)
    other = torch_optimizer(name, options, problem.parameters)
    training = TrainingStep(problem.network, problem.loss, optimizer)
    batch = problem.batch()
    before = flat.values.copy()
    for step in range(STEPS // optimizer.arguments["max_iter"]):
        training.run(batch, optimizer.lr, step)
        other.step(problem.torch_loss)
        problem.compare(step)
    assert np.abs(flat.values - before).max() > 1e-2, "nothing was trained"


@pytest.mark.parametrize("name", sorted(OPTIONS))
def test_300_training_steps_in_batches_give_torch_s_parameters(name: str) -> None:
    problem, options = Problem(Relu), CALM.get(name, {"lr": 0.02})
    optimizer = Optimizer.members()[name](**options)
    optimizer = optimizer.over(problem.network.flat)
    training = TrainingStep(problem.network, problem.loss, optimizer)
    other = torch_optimizer(name, options, problem.parameters)
    # Batches of 10, 10 and 4 rows: two sizes, so two recordings. One buffer each.
    buffers = {10: problem.batch(slice(0, 10)), 4: problem.batch(slice(0, 4))}
    rng = np.random.default_rng(5)
    for step in range(STEPS):
        index = rng.choice(ROWS, 4 if step % 3 == 2 else 10, replace=False)
        batch = buffers[len(index)]
        batch.x.data[...] = problem.x[index]
        batch.targets.data[...] = problem.labels[index]
        training.run(batch, optimizer.lr, step)
        problem.torch_loss(index)
        other.step()
    problem.compare(STEPS)


@pytest.mark.parametrize("name", sorted(OPTIONS))
def test_a_learning_rate_that_changes_at_every_step_acts_as_in_torch(name: str) -> None:
    options = OPTIONS[name][1]
    rng = np.random.default_rng(3)
    flat = flat_of(rng.normal(size=(5, 7)), rng.normal(size=5))
    parameters = [torch.nn.Parameter(torch.tensor(leaf.data)) for leaf in flat.leaves]
    optimizer = Optimizer.members()[name](**options).over(flat)
    other = torch_optimizer(name, options, parameters)
    for step in range(50):
        flat.grads[:] = rng.normal(size=flat.grads.size)
        for mine, theirs in zip(flat.leaves, parameters, strict=True):
            theirs.grad = torch.tensor(mine.grad)
        rate = 0.1 / (1 + 0.05 * step)
        for group in other.param_groups:
            group["lr"] = rate
        optimizer.step(rate)
        other.step()
        for mine, theirs in zip(flat.leaves, parameters, strict=True):
            assert_agrees(mine.data, theirs.detach(), f"step {step}", 1e-12)


@pytest.mark.parametrize("limit", [1e-3, 0.12, 1e6])
def test_gradient_clipping_acts_as_torch_s(limit: float) -> None:
    # Clipping ends before the optimizer begins: Adam stands for all of them.
    problem, options = Problem(), {"lr": 0.02}
    optimizer = Optimizer.members()["adam"](**options)
    optimizer = optimizer.over(problem.network.flat)
    training = TrainingStep(problem.network, problem.loss, optimizer, limit)
    other = torch_optimizer("adam", options, problem.parameters)
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
        optimizer = optimizer.over(one.network.flat)
        training = TrainingStep(one.network, one.loss, optimizer, limit)
        for step in range(5):
            training.run(one.batch(), 0.1, step)
    np.testing.assert_array_equal(problem.network.flat.values, same.network.flat.values)


def test_every_optimizer_has_a_parity_case() -> None:
    covered = {*OPTIONS, *FULL_BATCH, *WITHOUT_COUNTERPART}
    missing = without_case(Optimizer.members(), covered)
    assert not missing, f"optimizers without a comparison with PyTorch: {missing}"


def test_every_option_of_every_optimizer_is_varied() -> None:
    for name, every in (OPTIONS | FULL_BATCH).items():
        known = set(fields_of(Optimizer.members()[name]))
        varied = {key for options in every for key in options}
        assert varied == known, f"{name}: not varied: {known - varied}"
