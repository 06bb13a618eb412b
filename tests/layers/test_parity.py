"""Every layer's value and gradients against PyTorch, in training and in use."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import pytest

from nncli.autograd.tensor import Tensor
from nncli.core.arrays import Array, Shape
from nncli.core.randomness import Streams
from nncli.layers.activations import LeakyRelu, Relu, Softmax, Tanh
from nncli.layers.base import Layer
from nncli.layers.containers import Parallel, Residual, Scale, Sequential
from nncli.layers.dense import Dense
from nncli.layers.dropout import Dropout
from nncli.layers.normalization import BatchNorm, LayerNorm, RmsNorm
from nncli.layers.shape import Flatten
from nncli.losses.classification import SoftmaxCrossEntropy
from nncli.network.network import Network
from tests.layers import activations, convolutions, images
from tests.parity import assert_agrees, layouts, without_case

torch = pytest.importorskip("torch", reason="PyTorch is the oracle of these tests")
torch.set_num_threads(1)  # Arrays are small: threads would wait for each other.

pytestmark = pytest.mark.parity

FLOAT64 = np.dtype(np.float64)


@dataclass(frozen=True)
class LayerCase:
    """One layer with arguments, an input shape without N, and PyTorch's module.

    Attributes:
        in_use: Whether it acts otherwise than in training.
        orders: The memory layouts that the largest batch is tried in.
    """

    name: str
    row: Shape
    module: Callable[[], Any]
    arguments: dict[str, Any] = field(default_factory=dict)
    parameters: dict[str, str] = field(default_factory=dict)
    rows: tuple[int, ...] = (1, 2, 7)
    in_use: bool = True
    orders: Callable[[Array], Iterator[tuple[str, Array]]] = layouts

    def __str__(self) -> str:
        words = [f"{key}={value}" for key, value in self.arguments.items()]
        return " ".join([self.name, "x".join(map(str, self.row)), *words])


def _dense_cases() -> list[LayerCase]:
    found = []
    both = {"weight": "weight", "bias": "bias"}
    for row in ((4,), (1,), (5, 4), (2, 3, 4)):
        for units in (1, 3):
            for bias in (True, False):
                module = partial(torch.nn.Linear, row[-1], units, bias)
                arguments = {"units": units, "bias": bias}
                names = both if bias else {"weight": "weight"}
                found.append(LayerCase("dense", row, module, arguments, names))
    for price in ("l1", "l2", "bias_l1", "bias_l2"):
        prices = {"units": 3, price: 0.3}
        module = partial(torch.nn.Linear, 4, 3)
        found.append(LayerCase("dense", (4,), module, prices, both))
    every = {"units": 3, "l1": 0.1, "l2": 0.2, "bias_l1": 0.3, "bias_l2": 0.4}
    found.append(LayerCase("dense", (5, 4), module, every, both))
    lone = {"units": 3, "bias": False, "l1": 0.1, "l2": 0.2, "bias_l1": 9.0}
    plain = partial(torch.nn.Linear, 4, 3, False)
    found.append(LayerCase("dense", (4,), plain, lone, {"weight": "weight"}))
    return found


def _batch_norm_cases() -> list[LayerCase]:
    found = []
    for momentum, eps in ((0.1, 1e-5), (0.0, 1e-3), (1.0, 1e-5), (0.25, 0.5)):
        module = partial(torch.nn.BatchNorm1d, 5, eps, momentum)
        arguments = {"momentum": momentum, "eps": eps}
        names = {"gamma": "weight", "beta": "bias"}
        case = LayerCase("batch_norm", (5,), module, arguments, names, (2, 7))
        found.append(case)
    return found


def _row_norm_cases() -> list[LayerCase]:
    found = []
    both = {"gamma": "weight", "beta": "bias"}
    for row in ((1,), (2,), (7,), (3, 5), (2, 3, 4)):
        # One feature alone is 0, divided by √eps; PyTorch rounds before it divides.
        for eps in (1e-5, 0.5) if row == (1,) else (1e-5, 1e-12, 0.5):
            module = partial(torch.nn.LayerNorm, row[-1], eps)
            found.append(LayerCase("layer_norm", row, module, {"eps": eps}, both))
        for small in (None, 1e-12, 0.5):
            module = partial(torch.nn.RMSNorm, row[-1], small)
            case = LayerCase("rms_norm", row, module, {"eps": small}, both)
            found.append(replace(case, parameters={"gamma": "weight"}))
    return found


class Rearranged:
    """A function where PyTorch has no module."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self.function = function

    def __call__(self, x: Any) -> Any:
        return self.function(x)

    def double(self) -> Rearranged:
        return self

    def train(self, mode: bool = True) -> None:
        pass

    def zero_grad(self) -> None:
        pass


def _permuted(axes: list[int]) -> Rearranged:
    return Rearranged(lambda x: x.permute(0, *(axis + 1 for axis in axes)))


def _arrangement_cases() -> list[LayerCase]:
    found = []
    for row, shape in (((6,), [2, 3]), ((2, 3), [-1]), ((2, 3, 4), [4, -1, 1])):
        module = partial(torch.nn.Unflatten, 1, shape)
        whole = partial(torch.nn.Sequential, torch.nn.Flatten(), module())
        found.append(LayerCase("reshape", row, whole, {"shape": shape}))
    for row, axes in (((3,), [0]), ((2, 3), [1, 0]), ((2, 3, 4), [2, 0, 1])):
        turned = partial(_permuted, axes)
        found.append(LayerCase("permute", row, turned, {"axes": axes}))
    return found


def _cases() -> list[LayerCase]:
    nn = torch.nn
    found = _dense_cases() + _batch_norm_cases() + _row_norm_cases()
    found += _arrangement_cases()
    for row in ((4,), (1,), (3, 2), (2, 3, 3)):
        found += [
            LayerCase("relu", row, nn.ReLU),
            LayerCase("sigmoid", row, nn.Sigmoid),
            LayerCase("tanh", row, nn.Tanh),
            LayerCase("softmax", row, partial(nn.Softmax, -1)),
            LayerCase("flatten", row, nn.Flatten),
            LayerCase("leaky_relu", row, nn.LeakyReLU),
            LayerCase("dropout", row, partial(nn.Dropout, 0.0), {"rate": 0.0}),
            LayerCase(
                "alpha_dropout", row, partial(nn.AlphaDropout, 0.0), {"rate": 0.0}
            ),
            LayerCase("gaussian_noise", row, nn.Identity, {"std": 0.0}),
        ]
        for slope in (0.0, 0.3, 1.5):
            module = partial(nn.LeakyReLU, slope)
            found.append(LayerCase("leaky_relu", row, module, {"slope": slope}))
    found += [LayerCase(*case) for case in activations.cases()]
    found += [
        replace(LayerCase(*case), in_use=in_use, orders=images.orders)
        for case, in_use in images.cases()
    ]
    return found + [
        LayerCase(*case, in_use=False, orders=images.orders)
        for case in convolutions.cases()
    ]


CASES = _cases()


def _connected(case: LayerCase) -> tuple[Network, Any]:
    """Return a network of the one layer and PyTorch's module with the same weights."""
    layer = Layer.members()[case.name](**case.arguments)
    network = Network([layer], case.row, Streams(0), FLOAT64)
    values = np.random.default_rng(4).normal(size=network.flat.values.size)
    network.flat.values[:] = values
    module = case.module().double()
    (live,) = network.layers
    assert set(live.parameters) == set(case.parameters)
    _copy(live, module, case.parameters)
    return network, module


def _copy(layer: Layer, module: Any, names: dict[str, str]) -> None:
    with torch.no_grad():
        for mine, other in names.items():
            values = np.array(layer.parameters[mine].data)
            getattr(module, other).copy_(torch.tensor(values))


def _priced(case: LayerCase, module: Any, loss: Any) -> Any:
    """Add l1·Σ|w| + l2·Σw², as PyTorch's user would write it."""
    arguments = case.arguments
    for prefix, parameter in (("", "weight"), ("bias_", "bias")):
        values = getattr(module, parameter, None)
        if values is not None:
            loss = loss + arguments.get(f"{prefix}l1", 0.0) * values.abs().sum()
            loss = loss + arguments.get(f"{prefix}l2", 0.0) * (values**2).sum()
    return loss


def _compare(
    case: LayerCase, network: Network, module: Any, x: Array, what: str = ""
) -> None:
    network.flat.grads.fill(0)
    module.zero_grad()
    ours = Tensor(x, requires_grad=True)
    theirs = torch.tensor(np.ascontiguousarray(x), requires_grad=True)
    y, expected = network(ours), module(theirs)
    assert_agrees(y.data, expected.detach(), f"value of {what}")
    weights = np.random.default_rng(8).normal(size=y.shape)
    loss = network.with_penalties((y * Tensor(weights)).sum())
    expected_loss = (expected * torch.tensor(weights)).sum()
    expected_loss = _priced(case, module, expected_loss)
    theirs_loss = expected_loss.detach()
    assert_agrees(loss.data, theirs_loss, f"loss with penalties of {what}")
    if loss.step is not None:
        loss.backward()
    expected_loss.backward()
    assert_agrees(ours.grad, theirs.grad, f"gradient of the input of {what}")
    for mine, other in case.parameters.items():
        grad = network.layers[0].parameters[mine].grad
        theirs_grad = getattr(module, other).grad
        assert_agrees(grad, theirs_grad, f"gradient of {mine} of {what}")


MODES = {(case.name, True) for case in CASES}
MODES |= {(case.name, False) for case in CASES if case.in_use}


@pytest.mark.parametrize(("name", "training"), sorted(MODES))
def test_layer_agrees_with_torch(name: str, training: bool) -> None:
    for case in CASES:
        if case.name != name:
            continue
        network, module = _connected(case)
        network.set_training(training)
        module.train(training)
        for rows in case.rows:
            x = np.random.default_rng(rows).normal(0.5, 2.0, (rows, *case.row))
            # A layer hands its input to ops, which are tried in every order by
            # themselves: here once a case.
            given = case.orders(x) if rows == max(case.rows) else [("C", x)]
            for layout, values in given:
                _compare(case, network, module, values, f"{case}, {rows} rows {layout}")


@pytest.mark.parametrize("space", [(), (4,), (2, 3), (2, 1, 2)])
@pytest.mark.parametrize("momentum", [0.0, 0.1, 0.9, 1.0])
def test_batch_norm_running_statistics_agree_with_torch(
    momentum: float, space: Shape
) -> None:
    layer = BatchNorm(momentum)
    row = (3, *space)
    network = Network([layer], row, Streams(0), FLOAT64)
    known = getattr(torch.nn, f"BatchNorm{max(1, len(space))}d")
    module = known(3, momentum=momentum).double()
    names = {"gamma": "weight", "beta": "bias"}
    case = LayerCase("batch_norm", row, lambda: module, {}, names)
    rng = np.random.default_rng(1)
    for rows in (5, 2, 9, 3, 17):
        network.set_training(True)
        module.train()
        means, spreads = np.array([[0.0, 100.0, -1e3], [1.0, 5.0, 10.0]])
        x = np.moveaxis(rng.normal(means, spreads, (rows, *space, 3)), -1, 1)
        _compare(case, network, module, x)
        for name in ("running_mean", "running_var"):
            state = network.state[f"layers.0.{name}"]
            assert_agrees(state, getattr(module, name), name)
        # In use, one row is enough and nothing moves.
        network.set_training(False)
        module.eval()
        _compare(case, network, module, rng.normal(size=(1, *row)))
        _compare(case, network, module, rng.normal(size=(4, *row)))


def test_dropout_in_training_agrees_with_torch_given_its_mask() -> None:
    layer = Dropout(0.4)
    network = Network([layer], (6,), Streams(3), FLOAT64)
    network.set_training(True)
    x = np.random.default_rng(0).normal(3.0, 1.0, (11, 6))
    ours = Tensor(x, requires_grad=True)
    theirs = torch.tensor(x, requires_grad=True)
    y = network(ours)
    kept = torch.tensor(y.data != 0)
    expected = torch.where(kept, theirs / (1 - 0.4), 0.0)
    (y * y).sum().backward()
    (expected * expected).sum().backward()
    assert_agrees(y.data, expected.detach(), "value")
    assert_agrees(ours.grad, theirs.grad, "gradient")


def test_dropout_in_use_agrees_with_torch() -> None:
    case = LayerCase("dropout", (6,), partial(torch.nn.Dropout, 0.4), {"rate": 0.4})
    network, module = _connected(case)
    network.set_training(False)
    module.eval()
    _compare(case, network, module, np.random.default_rng(0).normal(size=(11, 6)))


@pytest.mark.parametrize("training", [True, False], ids=["training", "in use"])
def test_whole_network_agrees_with_torch(training: bool) -> None:
    layers: list[Layer] = [
        Flatten(),
        Dense(9),
        BatchNorm(),
        LeakyRelu(0.2),
        Dense(7, bias=False),
        Tanh(),
        Dropout(0.0),
        Dense(6),
        Relu(),
        Dense(4),
    ]
    network = Network(layers, (2, 5), Streams(2), FLOAT64)
    nn = torch.nn
    module = nn.Sequential(
        nn.Flatten(),
        nn.Linear(10, 9),
        nn.BatchNorm1d(9),
        nn.LeakyReLU(0.2),
        nn.Linear(9, 7, bias=False),
        nn.Tanh(),
        nn.Dropout(0.0),
        nn.Linear(7, 6),
        nn.ReLU(),
        nn.Linear(6, 4),
    ).double()
    parameters = list(module.parameters())
    for mine, other in zip(network.flat.leaves, parameters, strict=True):
        with torch.no_grad():
            other.copy_(torch.tensor(np.array(mine.data)))
    network.set_training(training)
    module.train(training)
    rng = np.random.default_rng(6)
    for rows in (13, 2, 13):
        network.flat.grads.fill(0)
        module.zero_grad()
        x, labels = rng.normal(size=(rows, 2, 5)), rng.integers(0, 4, rows)
        ours = Tensor(x, requires_grad=True)
        theirs = torch.tensor(x, requires_grad=True)
        loss = SoftmaxCrossEntropy()(network(ours), Tensor(labels))
        expected = nn.functional.cross_entropy(module(theirs), torch.tensor(labels))
        loss.backward()
        expected.backward()
        assert_agrees(loss.data, expected.detach(), "loss")
        assert_agrees(ours.grad, theirs.grad, "input")
        for mine, other in zip(network.flat.leaves, parameters, strict=True):
            assert_agrees(mine.grad, other.grad, "parameter")


def _inner() -> tuple[list[Layer], list[Any]]:
    """Return two layers of ours, 4 to 4 features, and PyTorch's modules of the same."""
    nn = torch.nn
    ours: list[Layer] = [
        Sequential([LayerNorm(), Dense(7), Tanh(), Dense(4)]),
        Sequential([Dense(4), RmsNorm()]),
    ]
    theirs = [
        nn.Sequential(nn.LayerNorm(4), nn.Linear(4, 7), nn.Tanh(), nn.Linear(7, 4)),
        nn.Sequential(nn.Linear(4, 4), nn.RMSNorm(4)),
    ]
    return ours, [module.double() for module in theirs]


# How the outputs of PyTorch's two modules make the container's.
CONTAINERS: dict[str, tuple[Callable[..., Layer], Callable[..., Any]]] = {
    "sequential": (Sequential, lambda x, f, g: g(f(x))),
    "residual": (Residual, lambda x, f, g: x + g(f(x))),
    "parallel": (Parallel, lambda x, f, g: f(x) + g(x)),
    "concat": (
        partial(Parallel, mode="concat"),
        lambda x, f, g: torch.cat([f(x), g(x)], 1 if x.ndim > 3 else -1),
    ),
    "scale": (Scale, lambda x, f, g: x * g(f(x))),
    "multiply": (partial(Parallel, mode="multiply"), lambda x, f, g: f(x) * g(x)),
}


@pytest.mark.parametrize("row", [(4,), (3, 4), (2, 3, 4)])
@pytest.mark.parametrize("name", CONTAINERS)
def test_container_agrees_with_torch(name: str, row: Shape) -> None:
    make, combined = CONTAINERS[name]
    layers, modules = _inner()
    network = Network([make(layers)], row, Streams(1), FLOAT64)
    values = np.random.default_rng(4).normal(size=network.flat.values.size)
    network.flat.values[:] = values
    parameters = [part for module in modules for part in module.parameters()]
    for mine, other in zip(network.flat.leaves, parameters, strict=True):
        with torch.no_grad():
            other.copy_(torch.tensor(np.array(mine.data)))
    for rows in (1, 7):
        for _, x in layouts(np.random.default_rng(rows).normal(size=(rows, *row))):
            network.flat.grads.fill(0)
            ours = Tensor(x, requires_grad=True)
            theirs = torch.tensor(np.ascontiguousarray(x), requires_grad=True)
            y, expected = network(ours), combined(theirs, *modules)
            assert_agrees(y.data, expected.detach(), "value")
            (y * y).sum().backward()
            for other in parameters:
                other.grad = None
            (expected * expected).sum().backward()
            assert_agrees(ours.grad, theirs.grad, "input")
            for mine, other in zip(network.flat.leaves, parameters, strict=True):
                assert_agrees(mine.grad, other.grad, "parameter")


def test_softmax_layer_agrees_with_torch_for_scores_far_apart() -> None:
    scores = np.array([[1e4, -1e4, 0.0], [100.0, 100.0, -100.0], [-1e4, -1e4, -1e4]])
    y = Softmax()(Tensor(scores))
    assert_agrees(y.data, torch.softmax(torch.tensor(scores), -1), "value")


ELSEWHERE = {
    *("input", "embed_columns", "embedding", "tied", "rnn", "lstm", "gru"),
    *("attention", "positions", "transformer_block"),
    *("embedding_bag", "last_step", "mean_over_time"),
}
"""Layers that other files compare: those of sequences, with lengths."""


def test_every_layer_has_a_parity_case() -> None:
    missing = without_case(
        Layer.members(), {case.name for case in CASES} | set(CONTAINERS) | ELSEWHERE
    )
    assert not missing, f"layers without a comparison with PyTorch: {missing}"
