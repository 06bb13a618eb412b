"""Inputs of a network: several by name, integers that stay such, rows of any length."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nncli.autograd.tape import no_grad, record
from nncli.autograd.tensor import Tensor
from nncli.core.arrays import Array, Longest, Shape
from nncli.core.errors import NncliError
from nncli.core.randomness import Streams
from nncli.initializers.random import GlorotUniform
from nncli.layers.activations import Tanh
from nncli.layers.base import InputSpec, Layer, LayerError
from nncli.layers.containers import Input, Parallel, Residual, Sequential
from nncli.layers.dense import Dense
from nncli.layers.dropout import Dropout
from nncli.layers.normalization import LayerNorm, RmsNorm
from nncli.network.network import Network

FLOAT32 = np.dtype("float32")

pytestmark = pytest.mark.usefixtures("own_registries")


@pytest.fixture
def table(own_registries: None) -> type[Layer]:
    """Return a layer of the tests: a trained number for each token."""

    class Table(Layer, name="table_of_the_tests"):
        takes = "integers"

        def build(self, input_shape: Shape, rng: Streams) -> Shape:
            assert self.below is not None
            self.add_parameter("numbers", (self.below, 2), GlorotUniform(), rng)
            return (*input_shape, 2)

        def __call__(self, x: Tensor) -> Tensor:
            assert x.dtype == np.int64
            return self.parameters["numbers"][x]

    return Table


def network_of(layers: list[Layer], inputs: Any) -> Network:
    return Network(layers, inputs, Streams(0), FLOAT32)


def test_branches_take_the_inputs_that_they_name() -> None:
    branches: list[Layer] = [
        Tanh(),
        Sequential([Input("other"), Dense(2)]),
        Input("other"),
    ]
    inputs = {"x": InputSpec((2,)), "other": InputSpec((3,))}
    network = network_of([Parallel(branches, mode="concat")], inputs)
    assert network.shapes == [(2,), (7,)]
    x, other = np.ones((4, 2), FLOAT32), np.full((4, 3), 2.0, FLOAT32)
    y = network({"other": Tensor(other), "x": Tensor(x)}).data
    weight, bias = (tensor.data for tensor in network.flat.leaves)
    np.testing.assert_allclose(y[:, :2], np.tanh(x), rtol=1e-6)
    np.testing.assert_allclose(y[:, 2:4], other @ weight.T + bias, rtol=1e-6)
    np.testing.assert_array_equal(y[:, 4:], other)


def test_an_input_in_yaml_names_its_rows() -> None:
    from nncli.config.validate import component_from

    layer = component_from(Layer, {"type": "input", "name": "other"})
    assert layer.arguments == {"name": "other", "trainable": True}
    assert layer.title == "input 'other'"


def test_an_input_that_is_missing_is_named() -> None:
    inputs = {"x": InputSpec((2,)), "other": InputSpec((2,))}
    network = network_of([Parallel([Tanh(), Input("other")])], inputs)
    with pytest.raises(NncliError, match="expected the inputs x, other, got x"):
        network(Tensor(np.ones((4, 2), FLOAT32)))
    with pytest.raises(LayerError, match=r"\(x\), got 'other'"):
        network_of([Parallel([Tanh(), Input("other")])], (2,))


def test_integers_reach_their_layer_as_integers(table: type[Layer]) -> None:
    layers: list[Layer] = [Parallel([Sequential([Input("words"), table()]), Tanh()])]
    inputs = {"x": InputSpec((3, 2)), "words": InputSpec((3,), below=5)}
    network = network_of(layers, inputs)
    assert network.zeros(2)["words"].dtype.kind == "i"
    assert network.zeros(2)["x"].dtype == FLOAT32
    words = np.array([[0, 4, 4], [1, 0, 2]])
    y = network({"x": Tensor(np.zeros((2, 3, 2), FLOAT32)), "words": Tensor(words)})
    y.sum().backward()
    (numbers,) = network.flat.leaves
    assert y.dtype == FLOAT32
    np.testing.assert_array_equal(y.data, numbers.data[words])
    assert numbers.grad is not None
    np.testing.assert_array_equal(numbers.grad[:, 0], [2, 1, 1, 0, 2])


def test_integers_and_numbers_are_not_taken_for_each_other(table: type[Layer]) -> None:
    with pytest.raises(LayerError, match=r"expected integers .* got numbers"):
        network_of([table()], (3,))
    with pytest.raises(LayerError, match=r"expected numbers .* got integers below 5"):
        network_of([Tanh()], InputSpec((3,), below=5))


def test_the_longest_length_of_rows_is_carried_from_layer_to_layer() -> None:
    layers: list[Layer] = [
        Dense(4),
        LayerNorm(),
        Residual([Tanh(), Dropout(0.5), RmsNorm()]),
        Parallel([Dense(2), Tanh()], mode="concat"),
    ]
    network = network_of(layers, (Longest(5), 3))
    assert network.shapes == [(5, 3), (5, 4), (5, 4), (5, 4), (5, 6)]
    assert [repr(shape[0]) for shape in network.shapes] == ["<=5"] * 5


def test_lengths_of_rows_come_out_of_a_network_with_them() -> None:
    layers: list[Layer] = [Dense(4), Tanh(), LayerNorm(), Residual([Dense(4)])]
    network = network_of(layers, (Longest(5), 3))
    values: Array = np.ones((2, 4, 3), FLOAT32)
    x = Tensor(values, lengths=[4, 1])
    np.testing.assert_array_equal(network(x).lengths, [4, 1])
    with no_grad(), record():
        np.testing.assert_array_equal(network(x).lengths, [4, 1])
