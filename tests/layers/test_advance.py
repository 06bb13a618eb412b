"""Layers that take the steps of a sequence one by one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nncli as nn
from nncli.autograd.tensor import Tensor
from nncli.checking.everything import drawn_input, lone_network
from nncli.checking.variations import variations
from nncli.core.arrays import Shape
from nncli.core.errors import NncliError
from nncli.core.randomness import Streams
from nncli.layers.base import InputSpec, Layer, LayerError
from nncli.layers.chain import add_children, copies, run
from nncli.network.network import Network

FLOAT64 = np.dtype(np.float64)


def build(layers: list[Layer], spec: Shape | InputSpec) -> Network:
    """Return a network in float64, in use."""
    return Network(layers, spec, Streams(0), FLOAT64)


def steps(network: Network, x: Any, *counts: int) -> Any:
    """Return the outputs of steps that come so many at a time; else one by one."""
    outputs, state = [], None
    for part in np.split(x, np.cumsum(counts or [1] * x.shape[1])[:-1], axis=1):
        y, state = network.advance(Tensor(part), state)
        outputs.append(y.data)
    return np.concatenate(outputs, axis=1)


@pytest.mark.parametrize(
    "layer",
    [
        nn.Dense(2),
        nn.Residual([nn.Dense(3), nn.layers.Tanh()]),
        nn.Sequential([nn.Dense(2), nn.layers.LayerNorm()], repeat=2),
        nn.Parallel([nn.Dense(2), nn.Dense(3)], mode="concat"),
        nn.layers.Scale([nn.layers.Gru(3), nn.layers.Sigmoid()]),
        nn.layers.Scale([nn.Dense(1)]),
    ],
    ids=lambda layer: layer.type_name,
)
def test_advance_gives_what_a_call_gives_for_all_steps(layer: Layer) -> None:
    network = build([layer], (4, 3))
    x = np.random.default_rng(0).normal(size=(2, 4, 3))
    np.testing.assert_allclose(
        steps(network, x), network(Tensor(x)).data, rtol=1e-12, atol=1e-14
    )


ONE_BY_ONE = (
    "attention embedding gru lstm positions residual rnn sequential "
    "tied transformer_block"
)


@pytest.mark.parametrize("cls", Layer.members().values(), ids=lambda cls: cls.type_name)
def test_layer_takes_steps_as_a_call_does_or_refuses_them(cls: type[Layer]) -> None:
    took = 0
    for arguments in variations(cls):
        for example in cls.examples:
            try:
                network = lone_network(cls, arguments, example, np.float64)
            except NncliError:
                continue
            network.set_training(False)
            x = drawn_input(network, 2, np.random.default_rng(0)).data
            whole = network(Tensor(x)).data
            tokens = x.dtype.kind == "i" and x.ndim > 1
            if x.ndim + tokens < 3 or whole.shape[:2] != x.shape[:2]:
                continue
            for counts in ((), (x.shape[1],), (1, x.shape[1] - 1))[: x.shape[1] + 1]:
                try:
                    found = steps(network, x, *counts)
                except LayerError:
                    continue
                took += 1
                case = f"{arguments} {example} {counts}"
                np.testing.assert_allclose(found, whole, 1e-9, 1e-11, err_msg=case)
    assert took or cls.type_name not in ONE_BY_ONE.split()


@pytest.mark.parametrize(
    "layer",
    [
        nn.layers.Lstm(3, layers=2),
        nn.layers.Gru(3, reset="before", initial_state="learned"),
        nn.layers.Attention(2, kv_heads=1, causal=True, rotary=True),
        nn.layers.TransformerBlock(2, causal=True),
    ],
    ids=lambda layer: layer.type_name,
)
def test_a_state_is_gone_on_from_twice_a_few_steps_at_a_time(layer: Layer) -> None:
    network = build([layer], (6, 4))
    rng = np.random.default_rng(0)
    x, other = rng.normal(size=(2, 2, 6, 4))
    other[:, :3] = x[:, :3]
    first, state = network.advance(Tensor(x[:, :3]))
    states = [network.advance(Tensor(each[:, 3:5]), state) for each in (x, other)]
    for each, (second, after) in zip((x, other), states, strict=True):
        third, _ = network.advance(Tensor(each[:, 5:]), after)
        found = np.concatenate([first.data, second.data, third.data], axis=1)
        whole = network(Tensor(each)).data
        np.testing.assert_allclose(found, whole, rtol=1e-12, atol=1e-14)


def test_attention_without_positions_goes_on_beyond_the_rows_it_was_built_for() -> None:
    layer = nn.layers.Attention(2, causal=True, rotary=True)
    network = build([layer], (3, 4))
    x = np.random.default_rng(0).normal(size=(2, 11, 4))
    whole = network(Tensor(x)).data
    for counts in ((), (2, 1, 5, 3), (11,)):
        found = steps(network, x, *counts)
        np.testing.assert_allclose(found, whole, rtol=1e-12, atol=1e-14)


class Around(Layer):
    """A layer of a plugin around another one, which does not say how it advances."""

    inside: Layer

    def build(self, input_shape: Shape, rng: Streams) -> Shape:
        inside = copies([self.inside])
        return add_children(self, "inside", inside, InputSpec(input_shape)).shape

    def __call__(self, x: Tensor) -> Tensor:
        return run(list(self.children.values()), x)


def test_a_layer_around_others_is_taken_step_by_step_where_these_do_not_mix() -> None:
    x = np.random.default_rng(0).normal(size=(2, 4, 3))
    network = build([Around(nn.Dense(2))], (4, 3))
    np.testing.assert_allclose(steps(network, x), network(Tensor(x)).data, rtol=1e-12)
    network = build([Around(nn.layers.Gru(2))], (4, 3))
    for counts in ((), (4,), (1, 3)):
        with pytest.raises(LayerError, match="takes the steps of a sequence one by"):
            steps(network, x, *counts)


@pytest.mark.parametrize(
    "layer",
    [
        nn.Flatten(),
        nn.layers.Permute([1, 0]),
        nn.layers.Scale([nn.layers.Gru(3, bidirectional=True), nn.Dense(3)]),
    ],
    ids=lambda layer: layer.type_name,
)
@pytest.mark.parametrize("count", [1, 4])
def test_advance_refuses_a_layer_that_mixes_steps(layer: Layer, count: int) -> None:
    network = build([layer], (4, 3))
    with pytest.raises(LayerError):
        network.advance(Tensor(np.zeros((2, count, 3))))
