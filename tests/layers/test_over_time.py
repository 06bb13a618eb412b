"""What makes one vector of several: the last step, the mean of steps, bags of words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nncli as nn
from nncli.autograd.tensor import Tensor
from nncli.core.errors import NncliError
from nncli.core.randomness import Streams
from nncli.layers.base import InputSpec, Layer
from nncli.network.network import Network

FLOAT64 = np.dtype(np.float64)
LENGTHS = np.array([4, 0, 1, 3])
TOKENS = np.array([[[3, 0, 0], [1, 2, 1]], [[0, 0, 0], [2, 2, 0]]])


def build(layer: Layer, spec: Any = (4, 3)) -> Network:
    return Network([layer], spec, Streams(0), FLOAT64)


def last(x: Any) -> Any:
    return x[-1] if len(x) else np.zeros(3)


def mean(x: Any) -> Any:
    return x.mean(axis=0) if len(x) else np.zeros(3)


@pytest.mark.parametrize(
    ("layer", "of"), [(nn.layers.LastStep(), last), (nn.layers.MeanOverTime(), mean)]
)
@pytest.mark.parametrize("lengths", [LENGTHS, None])
def test_steps_beyond_a_row_s_length_count_nothing(
    layer: Layer, of: Any, lengths: Any
) -> None:
    network = build(layer)
    x = np.random.default_rng(0).normal(size=(4, 4, 3))
    given = Tensor(x, requires_grad=True, lengths=lengths)
    y = network(given)
    sizes = [4] * 4 if lengths is None else lengths
    rows = [of(row[:size]) for row, size in zip(x, sizes, strict=True)]
    np.testing.assert_allclose(y.data, rows, rtol=1e-14)
    assert y.lengths is None
    y.sum().backward()
    assert given.grad is not None
    for grad, size in zip(given.grad, sizes, strict=True):
        assert not grad[size:].any()
        assert grad.sum() == pytest.approx(3 if size else 0)


@pytest.mark.parametrize("layer", [nn.layers.LastStep(), nn.layers.MeanOverTime()])
def test_steps_some_at_a_time_give_what_those_so_far_give(layer: Layer) -> None:
    network = build(layer)
    x, state, at = np.random.default_rng(0).normal(size=(2, 4, 3)), None, 0
    for count in (1, 2, 1):
        y, state = network.advance(Tensor(x[:, at : at + count]), state)
        at += count
        whole = network(Tensor(x[:, :at])).data
        np.testing.assert_allclose(y.data, whole, rtol=1e-14)


def test_images_are_no_sequences() -> None:
    with pytest.raises(NncliError, match=r"expected sequences \(T, F\)"):
        build(nn.layers.LastStep(), (3, 4, 4))


@pytest.mark.parity
@pytest.mark.parametrize("padding", [0, None])
@pytest.mark.parametrize("mode", ["mean", "sum"])
def test_embedding_bag_is_torch_s(mode: Any, padding: int | None) -> None:
    torch = pytest.importorskip("torch")
    network = build(
        nn.layers.EmbeddingBag(5, mode=mode, padding=padding), InputSpec((2, 3), 4)
    )
    weight = network.layers[0].parameters["weight"]
    theirs = torch.nn.EmbeddingBag(
        4, 5, mode=mode, padding_idx=padding, dtype=torch.float64
    )
    theirs.weight.data = torch.tensor(weight.data.copy())
    c = np.random.default_rng(0).normal(size=(2, 2, 5))
    y, expected = network(Tensor(TOKENS)), theirs(torch.tensor(TOKENS.reshape(4, 3)))
    (y * c).sum().backward()
    (expected * torch.tensor(c.reshape(4, 5))).sum().backward()
    np.testing.assert_allclose(y.data.reshape(4, 5), expected.detach(), rtol=1e-12)
    assert weight.grad is not None
    np.testing.assert_allclose(weight.grad, theirs.weight.grad, rtol=1e-12)


def test_embedding_bag_hands_lengths_on_unless_the_row_is_the_bag() -> None:
    steps = build(nn.layers.EmbeddingBag(5), InputSpec((2, 3), 4))
    y = steps(Tensor(TOKENS, lengths=np.array([2, 1])))
    assert y.lengths is not None
    assert y.lengths.tolist() == [2, 1]
    rows, lengths = np.array([[3, 1, 0], [2, 0, 0]]), np.array([2, 1])
    bag = build(nn.layers.EmbeddingBag(5, padding=0), InputSpec((3,), 4))
    y = bag(Tensor(rows, lengths=lengths))
    table = bag.layers[0].parameters["weight"].data
    np.testing.assert_allclose(y.data, [table[[3, 1]].mean(axis=0), table[2]])
    assert y.lengths is None
    blind = build(nn.layers.EmbeddingBag(5), InputSpec((3,), 4))
    with pytest.raises(NncliError, match="the padding that fills shorter rows"):
        blind(Tensor(rows, lengths=lengths))
