"""Embeddings: padding, first values from files, and layers that share the vectors."""

from __future__ import annotations

from pathlib import Path
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
VECTORS = np.arange(8.0).reshape(4, 2)


def build(*layers: Layer, below: int = 4) -> Network:
    return Network(layers, InputSpec((3,), below), Streams(0), FLOAT64)


def test_padding_counts_as_zeros_whatever_is_trained() -> None:
    network = build(nn.layers.Embedding(2, padding=1))
    weight = network.layers[0].parameters["weight"]
    y = network(Tensor(np.array([[1, 0, 1]])))
    assert not y.data[0, ::2].any()
    assert y.data[0, 1].any()
    y.sum().backward()
    assert weight.grad is not None
    np.testing.assert_array_equal(weight.grad, [[1, 1], [0, 0], [0, 0], [0, 0]])


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint64])
def test_gradients_are_the_same_whatever_the_type_of_the_integers(dtype: Any) -> None:
    index = np.random.default_rng(0).integers(0, 200, (100, 4))
    network = Network(
        [nn.layers.Embedding(2)], InputSpec((4,), 200), Streams(0), FLOAT64
    )
    network(Tensor(index.astype(dtype))).sum().backward()
    counts = np.bincount(index.ravel(), minlength=200)
    grad = network.layers[0].parameters["weight"].grad
    assert grad is not None
    np.testing.assert_array_equal(grad[:, 0], counts)


def test_padding_must_be_one_of_the_integers() -> None:
    with pytest.raises(NncliError, match="padding below 4"):
        build(nn.layers.Embedding(2, padding=4))


def test_integers_out_of_range_are_refused() -> None:
    network = build(nn.layers.Embedding(2))
    for index in (-1, 4):
        with pytest.raises(NncliError, match="from 0 to 3"):
            network(Tensor(np.array([[0, index, 0]])))


def test_numbers_are_refused() -> None:
    with pytest.raises(NncliError, match="integers"):
        Network([nn.layers.Embedding(2)], (3,), Streams(0), FLOAT64)


def test_vectors_come_from_files(tmp_path: Path) -> None:
    files = [tmp_path / f"vectors.{end}" for end in ("npy", "npz", "txt")]
    np.save(files[0], VECTORS)
    np.savez_compressed(files[1], vectors=VECTORS)
    np.savetxt(files[2], VECTORS)
    for file in files:
        network = build(nn.layers.Embedding(2, weights=str(file), trainable=False))
        weight = network.layers[0].parameters["weight"].data
        np.testing.assert_array_equal(weight, VECTORS)
        assert not network.flat.values.size


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (VECTORS[:3], r"expected 4 vectors of 2 numbers.*got shape \(3, 2\)"),
        (np.full((4, 2), np.nan), "finite"),
        (np.full((4, 2), "a"), "finite"),
        (None, "missing.npy"),
    ],
)
def test_vectors_that_do_not_fit_are_refused(
    tmp_path: Path, values: Any, message: str
) -> None:
    file = tmp_path / ("vectors.npy" if values is not None else "missing.npy")
    if values is not None:
        np.save(file, values)
    with pytest.raises(NncliError, match=message):
        build(nn.layers.Embedding(2, weights=str(file)))


@pytest.mark.parametrize("text", ["1 2\n3\n", "a b\n", "", "1 2\n" * 9])
def test_lines_that_are_no_vectors_are_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "vectors.txt"
    file.write_text(text)
    with pytest.raises(NncliError, match="weights"):
        build(nn.layers.Embedding(2, weights=str(file)))


def test_tied_weight_is_counted_and_kept_once() -> None:
    network = build(
        nn.layers.Embedding(2, name="words"), nn.layers.Tied("words", bias=False)
    )
    assert network.size == 8
    assert list(network.flat.tensors) == ["layers.0.weight"]
    weight = network.layers[0].parameters["weight"]
    weight.data = VECTORS
    y = network(Tensor(np.array([[0, 1, 2]])))
    np.testing.assert_array_equal(y.data[0], VECTORS[:3] @ VECTORS.T)


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([nn.layers.Embedding(2), nn.layers.Tied("words")], "name of an embedding"),
        (
            [nn.layers.Embedding(2, name="a"), nn.Dense(3), nn.layers.Tied("a")],
            "units: 2",
        ),
        (
            [
                nn.Parallel(
                    [nn.layers.Embedding(2, name="a"), nn.layers.Embedding(2, name="a")]
                )
            ],
            "of its own",
        ),
    ],
)
def test_tied_layer_says_what_it_wants(layers: list[Layer], message: str) -> None:
    with pytest.raises(NncliError, match=message):
        build(*layers)
