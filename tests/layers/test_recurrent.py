"""Recurrent layers: what is remembered from batch to batch, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nncli as nn
from nncli.autograd.tensor import Tensor
from nncli.core.arrays import Array
from nncli.core.errors import ArgumentError, NncliError
from nncli.core.randomness import Streams
from nncli.layers.base import InputSpec, Layer, LayerError
from nncli.network.network import Network

FLOAT64 = np.dtype(np.float64)
CELLS = [nn.layers.Rnn, nn.layers.Lstm, nn.layers.Gru]

each_cell = pytest.mark.parametrize("cls", CELLS, ids=lambda cls: cls.type_name)


def build(*layers: Layer, row: Any = (6, 3), rows: int = 4) -> Network:
    return Network(layers, row, Streams(0), FLOAT64, rows)


def sequences(steps: int = 6) -> Array:
    return np.random.default_rng(0).normal(size=(4, steps, 3))


@pytest.mark.parametrize(
    "layer",
    [cls(3, bidirectional=True) for cls in CELLS]
    + [nn.layers.Gru(3, reset="before"), nn.layers.Attention(1, causal=True)],
    ids=lambda layer: layer.type_name,
)
def test_no_rows_give_no_outputs_and_gradients_of_zero(layer: Layer) -> None:
    network = build(layer)
    x = Tensor(np.zeros((0, 6, 3)), requires_grad=True)
    y = network(x)
    y.sum().backward()
    assert y.shape == (0, *network.shapes[-1])
    assert x.grad is not None
    assert x.grad.shape == x.shape
    for name, tensor in network.flat.tensors.items():
        assert tensor.grad is not None, name
        assert not tensor.grad.any(), name


@each_cell
def test_steps_one_by_one_give_what_a_call_gives(cls: Any) -> None:
    for layer in (cls(2, layers=2), cls(2, initial_state="learned")):
        network = build(layer, nn.Dense(2))
        outputs, state = [], None
        for t in range(6):
            y, state = network.advance(Tensor(sequences()[:, t : t + 1]), state)
            outputs.append(y.data)
        expected = network(Tensor(sequences())).data
        np.testing.assert_allclose(np.concatenate(outputs, 1), expected, rtol=1e-12)


def test_steps_one_by_one_give_the_last_state_where_a_call_does() -> None:
    network = build(nn.layers.Gru(2, reset="before", return_sequences=False))
    y: Any = None
    state: Any = None
    for t in range(6):
        y, state = network.advance(Tensor(sequences()[:, t : t + 1]), state)
    np.testing.assert_allclose(y.data, network(Tensor(sequences())).data, rtol=1e-12)


@each_cell
def test_stateful_layer_goes_on_where_the_last_batch_stopped(cls: Any) -> None:
    network = build(cls(2, layers=2, stateful=True))
    whole = network(Tensor(sequences())).data
    network.set_training(True)
    halves = [
        network(Tensor(sequences()[:, part])).data for part in (slice(3), slice(3, 6))
    ]
    np.testing.assert_allclose(np.concatenate(halves, 1), whole, rtol=1e-12)
    network.begin_epoch()
    again = network(Tensor(sequences()[:, :3])).data
    np.testing.assert_array_equal(again, halves[0])


@each_cell
def test_evaluation_begins_with_zeros_and_leaves_a_state_alone(cls: Any) -> None:
    network = build(cls(2, stateful=True))
    fresh = network(Tensor(sequences())).data
    network.set_training(True)
    network(Tensor(sequences()))
    before = {name: array.copy() for name, array in network.state.items()}
    assert all(array.any() for array in before.values())
    network.set_training(False)
    np.testing.assert_array_equal(network(Tensor(sequences())).data, fresh)
    for name, array in network.state.items():
        np.testing.assert_array_equal(array, before[name])


def test_stateful_layer_refuses_more_rows_than_it_remembers() -> None:
    network = build(nn.layers.Lstm(2, stateful=True), rows=3)
    network.set_training(True)
    with pytest.raises(LayerError, match="expected at most as many, got 4"):
        network(Tensor(sequences()))


def test_stateful_layer_refuses_batches_of_an_unknown_size() -> None:
    with pytest.raises(LayerError, match="got full"):
        build(nn.layers.Lstm(2, stateful=True), rows=0)


@pytest.mark.parametrize(
    "arguments",
    [
        {"dropout": 0.5},
        {"stateful": True, "bidirectional": True},
        {"stateful": True, "initial_state": "learned"},
    ],
)
def test_arguments_that_exclude_each_other_are_refused(arguments: Any) -> None:
    with pytest.raises(ArgumentError):
        nn.layers.Lstm(2, **arguments)


def test_bidirectional_layer_cannot_take_steps_one_by_one() -> None:
    network = build(nn.layers.Rnn(2, bidirectional=True))
    with pytest.raises(LayerError, match="bidirectional"):
        network.advance(Tensor(sequences()[:, :1]))


def test_state_of_a_row_without_steps_is_the_first_one() -> None:
    network = build(nn.layers.Lstm(2, return_sequences=False))
    y = network(Tensor(sequences(), lengths=[0, 6, 6, 6])).data
    assert not y[0].any()
    assert y[1:].all()


@each_cell
def test_recurrent_dropout_drops_the_same_elements_at_all_steps(cls: Any) -> None:
    network = build(cls(8, recurrent_dropout=0.5))
    network.set_training(True)
    first, second = (network(Tensor(sequences())).data for _ in range(2))
    assert np.abs(first - second).max() > 1e-3
    np.testing.assert_array_equal(first[:, 0], second[:, 0])
    network.set_training(False)
    first, second = (network(Tensor(sequences())).data for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_dropout_between_layers_acts_in_training_alone() -> None:
    network = build(nn.layers.Gru(8, layers=2, dropout=0.5))
    used = network(Tensor(sequences())).data
    network.set_training(True)
    first, second = (network(Tensor(sequences())).data for _ in range(2))
    assert np.abs(first - second).max() > 1e-3
    assert np.abs(first - used).max() > 1e-3


@pytest.mark.parametrize("padding", [None, 2])
@pytest.mark.parametrize("frozen", [False, True])
@each_cell
def test_folded_embedding_gives_what_it_gives_unfolded(
    cls: Any, frozen: bool, padding: int | None
) -> None:
    index = np.random.default_rng(0).integers(0, 5, (4, 6))
    found = []
    # A layer between them, though it changes nothing, keeps them apart.
    for between in ([], [nn.layers.LeakyRelu(1.0)]):
        layers = [
            nn.layers.Embedding(3, padding=padding, trainable=not frozen),
            *between,
            cls(2, bidirectional=True),
        ]
        network = build(*layers, row=InputSpec((6,), 5))
        y = network(Tensor(index, lengths=[6, 2, 5, 3]))
        (y * y).sum().backward()
        found.append((y.data, network.flat.grads.copy()))
    for one, two in zip(*found, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-9, atol=1e-12)


def test_layer_refuses_rows_that_are_no_sequences_of_vectors() -> None:
    for row in ((3,), (2, 3, 4)):
        with pytest.raises(NncliError, match=r"\(T, F\)"):
            build(nn.layers.Lstm(2), row=row)


def test_forget_bias_is_added_to_the_biases_of_that_gate_alone() -> None:
    plain, made = (
        build(nn.layers.Lstm(2, layers=2, bidirectional=True, forget_bias=bias))
        for bias in (0.0, 1.5)
    )
    for name, tensor in plain.layers[0].parameters.items():
        added = made.layers[0].parameters[name].data - tensor.data
        gates = added.reshape(4, -1).sum(axis=1) / 2
        expected = [0, 1.5, 0, 0] if name.startswith("bias") else [0] * 4
        np.testing.assert_allclose(gates, expected, atol=1e-12)
