"""Reshape and permute: NumPy's answer, and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest

from nncli.autograd.tensor import Tensor
from nncli.core.arrays import Shape
from nncli.core.errors import ArgumentError, ShapeError
from nncli.core.randomness import Streams
from nncli.layers.base import Layer
from nncli.layers.shape import Permute, Reshape
from nncli.network.network import Network


def _network(layer: Layer, row: Shape) -> Network:
    return Network([layer], row, Streams(0), np.dtype("float64"))


@pytest.mark.parametrize(
    ("row", "shape", "result"),
    [
        ((12,), [3, 4], (3, 4)),
        ((12,), [-1], (12,)),
        ((3, 4), [2, -1, 3], (2, 2, 3)),
        ((2, 6), [12], (12,)),
        ((), [1, -1], (1, 1)),
        ((1,), [1, 1, 1], (1, 1, 1)),
    ],
)
@pytest.mark.parametrize("rows", [1, 5])
def test_reshape_agrees_with_numpy(
    row: Shape, shape: list[int], result: Shape, rows: int
) -> None:
    network = _network(Reshape(shape), row)
    assert network.shapes[1] == result
    x = np.random.default_rng(0).normal(size=(rows, *row))
    for values in (x, np.asfortranarray(x)):
        np.testing.assert_array_equal(
            network(Tensor(values)).data, x.reshape(rows, *result)
        )


@pytest.mark.parametrize("shape", [[5], [7, -1], [3, 4, 2], [24]])
def test_reshape_refuses_a_shape_for_other_elements(shape: list[int]) -> None:
    with pytest.raises(ShapeError, match=r"12 elements of a row of shape \(12,\)"):
        _network(Reshape(shape), (12,))


@pytest.mark.parametrize("shape", [[-1, -1], [0, 3], [-2], []])
def test_reshape_refuses_sizes_that_are_none(shape: list[int]) -> None:
    with pytest.raises(ArgumentError, match="shape"):
        Reshape(shape)


@pytest.mark.parametrize(
    ("row", "axes"),
    [
        ((3,), [0]),
        ((3, 4), [1, 0]),
        ((3, 4), [-1, -2]),
        ((2, 3, 4), [2, 0, 1]),
        ((2, 3, 4), [-1, 0, 1]),
    ],
)
@pytest.mark.parametrize("rows", [1, 5])
def test_permute_agrees_with_numpy(row: Shape, axes: list[int], rows: int) -> None:
    network = _network(Permute(axes), row)
    x = np.random.default_rng(0).normal(size=(rows, *row))
    expected = np.stack([one.transpose(axes) for one in x])
    np.testing.assert_array_equal(network(Tensor(x)).data, expected)
    assert network.shapes[1] == expected.shape[1:]


@pytest.mark.parametrize("axes", [[0, 0], [1, 2], [0, -2], [2, 0], []])
def test_permute_refuses_what_is_no_order(axes: list[int]) -> None:
    with pytest.raises(ArgumentError, match="axes"):
        Permute(axes)


@pytest.mark.parametrize("row", [(3,), (3, 4, 5), ()])
def test_permute_refuses_rows_with_other_axes(row: Shape) -> None:
    with pytest.raises(ShapeError, match="2 axes"):
        _network(Permute([1, 0]), row)
