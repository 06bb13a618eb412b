"""Layers made of layers: their values, their parts, and what they refuse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nncli.autograd.tensor import Tensor
from nncli.core.arrays import Array, Shape
from nncli.core.errors import ArgumentError
from nncli.core.randomness import Streams
from nncli.layers.activations import Relu, Sigmoid, Softmax, Tanh
from nncli.layers.base import Layer, LayerError
from nncli.layers.chain import copies
from nncli.layers.containers import Parallel, Residual, Sequential
from nncli.layers.dense import Dense
from nncli.layers.dropout import Dropout, GaussianNoise
from nncli.layers.normalization import BatchNorm, LayerNorm
from nncli.network.network import Network

FLOAT64 = np.dtype("float64")


def _network(layers: list[Layer], row: Shape = (3,), seed: int = 0) -> Network:
    return Network(layers, row, Streams(seed), FLOAT64)


def _draw(*shape: int) -> Array:
    return np.random.default_rng(sum(shape)).normal(size=shape)


def _dense(network: Network, name: str, x: Array) -> Array:
    tensors = network.flat.tensors
    bias: Array = tensors[f"{name}.bias"].data
    product: Array = x @ tensors[f"{name}.weight"].data.T
    return product + bias


def test_sequential_is_its_layers_one_behind_the_other() -> None:
    nested = _network([Sequential([Dense(5), Tanh(), Dense(2)])])
    plain = _network([Dense(5), Tanh(), Dense(2)])
    x = Tensor(_draw(4, 3))
    np.testing.assert_array_equal(nested.flat.values, plain.flat.values)
    np.testing.assert_array_equal(nested(x).data, plain(x).data)
    assert nested.shapes == [(3,), (2,)]


def test_repeat_makes_copies_with_parameters_of_their_own() -> None:
    network = _network([Sequential([Dense(3), Tanh()], repeat=3)])
    names = [f"layers.0.repeat.{i}.layers.0" for i in range(3)]
    assert list(network.flat.tensors) == [
        f"{name}.{part}" for name in names for part in ("weight", "bias")
    ]
    weights = [network.flat.tensors[f"{name}.weight"].data for name in names]
    assert (weights[0] != weights[1]).any()
    assert (weights[1] != weights[2]).any()
    x = _draw(4, 3)
    expected = x
    for name in names:
        expected = np.tanh(_dense(network, name, expected))
    np.testing.assert_allclose(network(Tensor(x)).data, expected, atol=1e-15)


def test_repeat_infers_sizes_for_each_copy() -> None:
    network = _network([Sequential([Dense(5)], repeat=2)])
    shapes = [tensor.shape for tensor in network.flat.tensors.values()]
    assert shapes == [(5, 3), (5,), (5, 5), (5,)]


@pytest.mark.parametrize("repeat", [0, -1, 1001])
def test_sequential_refuses_repeats_that_are_no_count(repeat: int) -> None:
    with pytest.raises(ArgumentError, match="repeat"):
        Sequential([Tanh()], repeat=repeat)


@pytest.mark.parametrize("make", [Sequential, Residual, Parallel])
def test_containers_refuse_to_be_empty(make: Any) -> None:
    with pytest.raises(ArgumentError, match="at least 1"):
        make([])


def test_sequential_refuses_a_name_over_two_lines() -> None:
    with pytest.raises(ArgumentError, match="one line"):
        Sequential([Tanh()], name="a\nb")


def test_residual_adds_its_input() -> None:
    network = _network([Residual([Dense(5), Tanh(), Dense(3)])])
    x = _draw(4, 3)
    inner = np.tanh(_dense(network, "layers.0.layers.0", x))
    expected = x + _dense(network, "layers.0.layers.2", inner)
    np.testing.assert_allclose(network(Tensor(x)).data, expected, atol=1e-15)


def test_residual_of_nothing_is_twice_its_input() -> None:
    network = _network([Residual([Dropout(0.5)])])
    network.set_training(False)
    x = Tensor(_draw(4, 3), requires_grad=True)
    y = network(x)
    (y * 1.0).sum().backward()
    np.testing.assert_array_equal(y.data, 2 * x.data)
    np.testing.assert_array_equal(x.grad, 2)


def test_residual_refuses_layers_that_change_the_shape() -> None:
    with pytest.raises(LayerError, match=r"keep the shape \(3,\).*got \(4,\)") as told:
        _network([Tanh(), Residual([Dense(4)])])
    assert told.value.path == (1,)


@pytest.mark.parametrize("mode", ["sum", "concat", "multiply"])
def test_parallel_combines_its_branches(mode: Any) -> None:
    branches = [Sequential([Dense(2), Tanh()]), Dense(2), Relu()]
    network = _network([Dense(2), Parallel(branches, mode=mode)])
    x = _draw(4, 3)
    given = _dense(network, "layers.0", x)
    outputs = [
        np.tanh(_dense(network, "layers.1.branches.0.layers.0", given)),
        _dense(network, "layers.1.branches.1", given),
        np.maximum(given, 0),
    ]
    expected = {
        "sum": outputs[0] + outputs[1] + outputs[2],
        "concat": np.concatenate(outputs, axis=1),
        "multiply": outputs[0] * outputs[1] * outputs[2],
    }[str(mode)]
    np.testing.assert_allclose(network(Tensor(x)).data, expected, atol=1e-15)
    assert network.shapes[-1] == expected.shape[1:]


def test_parallel_concat_joins_the_last_axis() -> None:
    network = _network([Parallel([Dense(2), Tanh()], mode="concat")], (4, 3))
    x = _draw(5, 4, 3)
    y = network(Tensor(x)).data
    assert y.shape == (5, 4, 5)
    np.testing.assert_array_equal(y[..., 2:], np.tanh(x))


@pytest.mark.parametrize(
    ("mode", "row", "branches", "message"),
    [
        ("sum", (3,), [Tanh(), Dense(3), Dense(4)], r"\(3,\) to sum.*got \(4,\)"),
        ("multiply", (3,), [Dense(1), Tanh(), Tanh()], r"\(1,\) to multiply"),
        ("concat", (2, 3), [Tanh(), Tanh(), Dense(1)], ""),
    ],
)
def test_parallel_names_the_branch_that_does_not_fit(
    mode: Any, row: Shape, branches: list[Layer], message: str
) -> None:
    if not message:
        assert _network([Parallel(branches, mode=mode)], row).shapes[-1] == (2, 7)
        return
    with pytest.raises(LayerError, match=message) as told:
        _network([Parallel(branches, mode=mode)], row)
    wrong = 1 if mode == "multiply" else 2
    assert told.value.path == (0, "branches", wrong)


def test_containers_leave_alone_the_layers_they_are_given() -> None:
    dense = Dense(3)
    block = Residual([dense, Tanh()])
    parts = (Sequential([block], repeat=2), Parallel([block, dense]))
    networks = [_network([*parts], seed=seed) for seed in (0, 1)]
    assert not dense.parameters
    assert not hasattr(block, "children")
    assert networks[0].flat.values.size == 4 * 12
    first = parts[0].arguments["layers"][0]
    assert first is block


def test_copies_of_built_layers_are_not_built() -> None:
    block = Sequential([Dense(3)])
    _network([block])
    (copy,) = copies([block])
    assert isinstance(copy, Sequential)
    assert copy is not block
    assert copy.layers[0] is not block.layers[0]
    assert not hasattr(copy, "children")
    assert copy.arguments["repeat"] == 1


def test_first_values_suit_what_follows_through_containers() -> None:
    # Glorot's uniform numbers in front of tanh, He's normal ones in front of ReLU.
    def spread(layers: list[Layer], name: str) -> float:
        network = _network(layers, (100,))
        return float(network.flat.tensors[f"{name}.weight"].data.std())

    he, glorot = np.sqrt(2 / 100), np.sqrt(2 / 200)
    inside: list[Layer] = [Sequential([Relu(), Dense(100)])]
    cases: list[tuple[list[Layer], str, float]] = [
        ([Dense(100), *inside], "layers.0", he),
        ([Dense(100), Residual([LayerNorm(), Relu()])], "layers.0", he),
        ([Dense(100), Parallel([Dropout(0.1), Relu()])], "layers.0", he),
        ([*inside, Tanh()], "layers.0.layers.1", glorot),
        ([*inside, Relu()], "layers.0.layers.1", he),
        ([Sequential([Relu(), Dense(100)], 2), Tanh()], HEAD, he),
    ]
    for layers, name, expected in cases:
        assert spread(layers, name) == pytest.approx(expected, rel=0.05), name


HEAD = "layers.0.repeat.0.layers.1"


@pytest.mark.parametrize(
    ("layers", "kind"),
    [
        ([Sequential([Dense(3), Softmax()])], "distribution"),
        ([Sequential([Dense(3), Sigmoid()]), Dropout(0.5)], "probability"),
        ([Sigmoid(), Sequential([Dropout(0.5)])], "probability"),
        ([Residual([Softmax()])], "real"),
        ([Parallel([Sigmoid(), Softmax()])], "real"),
        ([Parallel([Sigmoid(), Softmax()], mode="concat")], "probability"),
        ([Parallel([Sigmoid(), Tanh()], mode="multiply")], "real"),
        ([Sigmoid(), BatchNorm()], "real"),
    ],
)
def test_network_knows_what_its_containers_give(layers: Any, kind: str) -> None:
    assert _network(layers).output == kind


def test_containers_hand_training_state_and_penalties_through() -> None:
    noise = GaussianNoise(1.0)
    inner: list[Layer] = [Dense(3, l2=0.1), BatchNorm(), noise]
    network = _network([Sequential([Residual(inner)], repeat=2)])
    assert network.min_rows == 2
    assert len(network.penalties) == 2
    assert set(network.state) == {
        f"layers.0.repeat.{i}.layers.0.layers.1.running_{name}"
        for i in range(2)
        for name in ("mean", "var")
    }
    x = Tensor(_draw(4, 3))
    network.set_training(True)
    assert (network(x).data != network(x).data).all()
    network.set_training(False)
    np.testing.assert_array_equal(network(x).data, network(x).data)
