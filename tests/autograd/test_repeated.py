"""Repeated: a computation again and again."""

from __future__ import annotations

import numpy as np

from nncli.autograd.repeated import Repeated
from nncli.autograd.tensor import Tensor


def bent(x: Tensor) -> Tensor:
    return (x * 2).tanh().sum(axis=-1)


def test_repeated_gives_the_bits_of_the_function_for_every_shape() -> None:
    again, rng = Repeated(bent), np.random.default_rng(0)
    for shape in ((2, 3), (2, 3), (2, 3), (4, 3), (4, 3)):
        x = rng.normal(size=shape).astype(np.float32)
        np.testing.assert_array_equal(again(Tensor(x)).data, bent(Tensor(x)).data)
    wide = rng.normal(size=(4, 3))
    assert again(Tensor(wide)).dtype == np.float64


def test_repeated_returns_an_array_of_its_own_each_time() -> None:
    again = Repeated(bent)
    first, second, third = (again(Tensor(np.full((1, 2), k))) for k in (0.1, 0.2, 0.3))
    values = [each.data[0] for each in (first, second, third)]
    assert values == sorted(set(values))


def test_repeated_calls_what_makes_no_step() -> None:
    again = Repeated(lambda x: x)
    for k in range(3):
        assert again(Tensor(np.array([k]))).data[0] == k
