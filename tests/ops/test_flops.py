"""Operations that ops count, where a formula says how many there are."""

from __future__ import annotations

import numpy as np
import pytest

from nncli.autograd.buffers import form
from nncli.autograd.function import FUNCTIONS
from nncli.core.arrays import Shape

COUNTS: list[tuple[str, tuple[Shape, ...], Shape, int]] = [
    ("matmul", ((3, 4), (4, 2)), (3, 2), 2 * 3 * 4 * 2),
    ("matmul", ((5, 3, 4), (4, 2)), (5, 3, 2), 2 * 5 * 3 * 4 * 2),
    ("linear", ((3, 4), (2, 4)), (3, 2), 2 * 3 * 4 * 2),
    ("linear", ((3, 4), (2, 4), (2,)), (3, 2), 2 * 3 * 4 * 2 + 3 * 2),
    ("tanh", ((3, 4),), (3, 4), 12),
    ("layer_norm", ((3, 4), (4,), (4,)), (3, 4), 7 * 12),
    ("mse", ((3, 4), (3, 4)), (), 3 * 12),
    ("softmax_cross_entropy", ((3, 4), (3,)), (), 5 * 12),
    ("reshape", ((3, 4),), (4, 3), 0),
]
REQUIRED = {"reshape": {"shape": (4, 3)}}


@pytest.mark.parametrize(("name", "inputs", "output", "count"), COUNTS, ids=str)
def test_op_counts_its_operations(
    name: str, inputs: tuple[Shape, ...], output: Shape, count: int
) -> None:
    function = FUNCTIONS.scan()[name](**REQUIRED.get(name, {}))
    arrays = [form(shape, np.float32) for shape in (*inputs, output)]
    assert function.flops(*arrays) == count
