"""Attention, positions and the transformer block: what needs no oracle but NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nncli as nn
from nncli.autograd.tensor import Tensor, apply
from nncli.core.errors import ArgumentError, NncliError
from nncli.core.randomness import Streams
from nncli.layers.base import Layer, LayerError
from nncli.network.network import Network
from nncli.ops.attention import Attention
from nncli.ops.rotary import Rotation

FLOAT32, FLOAT64 = np.dtype(np.float32), np.dtype(np.float64)


def build(layers: list[Layer], steps: int, features: int, dtype: Any) -> Network:
    network = Network(layers, (steps, features), Streams(0), dtype)
    rng = np.random.default_rng(1)
    network.flat.values[:] = rng.normal(0, 0.4, network.flat.values.size)
    return network


def test_rotary_attention_turns_pairs_as_a_slow_loop_does() -> None:
    heads, kv_heads, size, steps = 4, 2, 6, 5
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, steps, (heads + 2 * kv_heads) * size))
    turned = x.reshape(2, steps, -1, size).copy()
    for t in range(steps):
        for i in range(size // 2):
            turn = np.exp(1j * t * 10_000 ** (-2 * i / size))
            for head in range(heads + kv_heads):
                pair = turned[:, t, head, i] + 1j * turned[:, t, head, i + size // 2]
                turned[:, t, head, i] = (pair * turn).real
                turned[:, t, head, i + size // 2] = (pair * turn).imag
    plain = apply(Attention(heads, kv_heads), Tensor(turned.reshape(x.shape)))
    rotary = apply(Attention(heads, kv_heads, rotary=True), Tensor(x))
    np.testing.assert_allclose(rotary.data, plain.data, rtol=1e-12, atol=1e-12)


def test_rotary_scores_depend_on_the_distance_alone() -> None:
    rng = np.random.default_rng(0)
    q, k = rng.normal(size=(2, 1, 1, 1, 8))
    work = np.empty((1, 1, 1, 4))

    def score(at: int, to: int) -> float:
        sides = []
        for vector, step in ((q, at), (k, to)):
            turned = np.empty_like(vector)
            Rotation(1, 8, FLOAT64, step).rotate(vector, work, turned)
            sides.append(turned.ravel())
        return float(sides[0] @ sides[1])

    assert score(7, 3) == pytest.approx(score(104, 100), abs=1e-12)
    assert score(7, 3) != pytest.approx(score(7, 4), abs=1e-3)


@pytest.mark.parametrize("causal", [True, False])
def test_attention_ignores_what_stands_beyond_a_length(causal: bool) -> None:
    layer = nn.layers.Attention(2, causal=causal, rotary=True)
    network = build([layer], 6, 4, FLOAT64)
    x = np.random.default_rng(0).normal(size=(3, 6, 4))
    lengths = [6, 4, 1]
    y = network(Tensor(x, lengths=lengths)).data
    for row, length in enumerate(lengths):
        alone = network(Tensor(x[row : row + 1, :length])).data
        np.testing.assert_allclose(y[row, :length], alone[0], rtol=1e-12, atol=1e-14)


def test_attention_of_a_row_without_keys_is_zero_and_so_is_its_gradient() -> None:
    x = Tensor(np.random.default_rng(0).normal(size=(2, 3, 6)), requires_grad=True)
    y = apply(Attention(1, 1), x, Tensor(np.array([0, 2])))
    (y * y).sum().backward()
    assert not y.data[0].any()
    assert x.grad is not None
    assert not x.grad[0].any()
    assert x.grad[1].any()


def test_attention_drops_weights_in_training_only() -> None:
    network = build([nn.layers.Attention(2, dropout=0.5)], 4, 4, FLOAT64)
    x = Tensor(np.random.default_rng(0).normal(size=(2, 4, 4)))
    in_use = [network(x).data for _ in range(2)]
    network.set_training(True)
    trained = [network(x).data for _ in range(2)]
    np.testing.assert_array_equal(in_use[0], in_use[1])
    assert (trained[0] != trained[1]).any()


@pytest.mark.parametrize(
    "layers",
    [
        [nn.layers.Attention(2, causal=True)],
        [nn.layers.Attention(4, kv_heads=2, causal=True, rotary=True, bias=False)],
        [nn.layers.Positions("sinusoidal"), nn.layers.TransformerBlock(2, causal=True)],
        [
            nn.layers.Positions(block=12),
            nn.Sequential(
                [
                    nn.layers.TransformerBlock(
                        2, activation="swiglu", norm="post", causal=True, rotary=True
                    )
                ],
                repeat=2,
            ),
            nn.Dense(5),
        ],
        [
            nn.Parallel(
                [nn.layers.Attention(1, causal=True), nn.layers.Positions()],
                mode="concat",
            )
        ],
    ],
    ids=["attention", "grouped rotary", "block", "stack", "parallel"],
)
def test_steps_one_by_one_give_what_the_whole_sequence_gives(
    layers: list[Layer],
) -> None:
    network = build(layers, 9, 8, FLOAT32)
    x = np.random.default_rng(0).normal(size=(3, 9, 8)).astype(np.float32)
    whole = network(Tensor(x)).data
    outputs: list[Any] = []
    state: Any = None
    for t in range(9):
        before = state
        y, state = network.advance(Tensor(x[:, t : t + 1]), before)
        again, _ = network.advance(Tensor(x[:, t : t + 1]), before)
        np.testing.assert_array_equal(y.data, again.data)
        outputs.append(y.data)
    assert outputs[0].dtype == np.float32
    np.testing.assert_allclose(np.concatenate(outputs, 1), whole, atol=1e-5)


def test_attention_that_sees_later_steps_takes_none_alone() -> None:
    network = build([nn.layers.TransformerBlock(2)], 3, 4, FLOAT64)
    with pytest.raises(LayerError, match="causal: true"):
        network.advance(Tensor(np.zeros((1, 1, 4))))


@pytest.mark.parametrize("encoding", ["learned", "sinusoidal"])
def test_positions_refuse_sequences_longer_than_the_block(encoding: Any) -> None:
    layer = nn.layers.Positions(encoding, block=4)
    with pytest.raises(LayerError, match="at most 4 steps, the block, got 5"):
        Network([layer], (5, 2), Streams(0), FLOAT64)
    network = Network([layer], (3, 2), Streams(0), FLOAT64)
    with pytest.raises(LayerError, match="at most 4 steps, the block, got 6"):
        network(Tensor(np.zeros((1, 6, 2))))
    state = None
    for _ in range(4):
        _, state = network.advance(Tensor(np.zeros((1, 1, 2))), state)
    with pytest.raises(LayerError, match="at most 4 steps, the block, got 5"):
        network.advance(Tensor(np.zeros((1, 1, 2))), state)


def test_sinusoidal_positions_are_those_of_the_paper() -> None:
    network = Network([nn.layers.Positions("sinusoidal")], (7, 5), Streams(0), FLOAT64)
    table = network(Tensor(np.zeros((1, 7, 5)))).data[0]
    for t in range(7):
        for i in range(5):
            angle = t / 10_000 ** (2 * (i // 2) / 5)
            wave = np.cos(angle) if i % 2 else np.sin(angle)
            assert table[t, i] == pytest.approx(wave, abs=1e-12)
    assert not network.flat.values.size


def test_swiglu_block_has_as_many_parameters_as_gelu() -> None:
    one = nn.layers.TransformerBlock(2, bias=False)
    two = nn.layers.TransformerBlock(2, activation="swiglu", bias=False)
    sizes = [Network([each], (4, 24), Streams(0), FLOAT32).size for each in (one, two)]
    assert sizes[0] == sizes[1]


@pytest.mark.parametrize("layer", [nn.layers.Attention, nn.layers.TransformerBlock])
def test_heads_that_do_not_divide_are_refused(layer: Any) -> None:
    with pytest.raises(ArgumentError, match="divide the 4 heads, got 3"):
        layer(heads=4, kv_heads=3)
    for features, rotary in ((5, False), (6, True)):
        with pytest.raises(NncliError, match=f"2 heads divide.*got {features}"):
            Network([layer(heads=2, rotary=rotary)], (3, features), Streams(0), FLOAT32)
    with pytest.raises(NncliError, match=r"expected sequences \(T, F\)"):
        Network([layer(heads=2)], (4,), Streams(0), FLOAT32)
