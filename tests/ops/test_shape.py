"""Concat: parts side by side, and each part's gradient to its owner."""

from __future__ import annotations

import numpy as np
import pytest

from nncli.autograd.tensor import Tensor, apply
from nncli.core.arrays import Shape
from nncli.core.errors import ShapeError
from nncli.ops.shape import Concat


def test_concat_adds_up_gradients_of_one_tensor_given_twice() -> None:
    x = Tensor(np.array([[1.0, 2.0]]), requires_grad=True)
    y = apply(Concat(), x, x)
    (y * Tensor(np.array([[1.0, 10.0, 100.0, 1000.0]]))).sum().backward()
    np.testing.assert_array_equal(y.data, [[1, 2, 1, 2]])
    np.testing.assert_array_equal(x.grad, [[101, 1010]])


@pytest.mark.parametrize(
    ("axis", "shapes"),
    [(-1, ((2, 3), (3, 3))), (0, ((2, 3), (2, 4))), (1, ((2, 3), (2, 3, 1)))],
)
def test_concat_refuses_shapes_that_differ_elsewhere(
    axis: int, shapes: tuple[Shape, Shape]
) -> None:
    with pytest.raises(ShapeError, match="differ only along axis"):
        apply(Concat(axis), *(Tensor(np.ones(shape)) for shape in shapes))


@pytest.mark.parametrize("axis", [-3, 2])
def test_concat_refuses_an_axis_that_is_not_there(axis: int) -> None:
    with pytest.raises(ShapeError, match=f"axis {axis}"):
        apply(Concat(axis), Tensor(np.ones((2, 3))))
