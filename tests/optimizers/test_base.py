"""What every optimizer keeps: chunks change no bit, state belongs to the run."""

from __future__ import annotations

import numpy as np
import pytest

from nncli.backend import Array
from nncli.optimizers import base
from nncli.optimizers.base import CHUNK, Optimizer

OPTIMIZERS = [
    ("sgd", {}),
    ("sgd", {"momentum": 0.9, "weight_decay": 0.01}),
    ("sgd", {"momentum": 0.9, "nesterov": True}),
    ("adam", {}),
    ("adam", {"weight_decay": 0.01}),
]


def _trained(name: str, options: dict[str, float], size: int, dtype: str) -> Array:
    rng = np.random.default_rng(0)
    values = rng.normal(size=size).astype(dtype)
    grads = np.zeros_like(values)
    optimizer = Optimizer.members()[name](**options)
    optimizer.start(values, grads)
    for _ in range(4):
        grads[:] = rng.normal(size=size)
        optimizer.step(0.1)
    return values


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size", [CHUNK + 1, 3 * CHUNK - 7])
@pytest.mark.parametrize(("name", "options"), OPTIMIZERS)
def test_many_chunks_give_the_bits_of_one(
    name: str,
    options: dict[str, float],
    size: int,
    dtype: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chunked = _trained(name, options, size, dtype)
    monkeypatch.setattr(base, "CHUNK", 4 * CHUNK)
    whole = _trained(name, options, size, dtype)
    monkeypatch.setattr(base, "CHUNK", 1000)
    small = _trained(name, options, size, dtype)
    np.testing.assert_array_equal(chunked, whole)
    np.testing.assert_array_equal(chunked, small)


@pytest.mark.parametrize(("name", "options"), OPTIMIZERS)
def test_start_forgets_an_earlier_run(name: str, options: dict[str, float]) -> None:
    optimizer = Optimizer.members()[name](**options)
    found = []
    for _ in range(2):
        values, grads = np.ones(5), np.full(5, 0.5)
        optimizer.start(values, grads)
        for _ in range(3):
            optimizer.step(0.1)
        assert optimizer.steps == 3
        found.append(values)
    np.testing.assert_array_equal(found[0], found[1])


@pytest.mark.parametrize(("name", "options"), OPTIMIZERS)
def test_a_network_without_parameters_can_be_stepped(
    name: str, options: dict[str, float]
) -> None:
    optimizer = Optimizer.members()[name](**options)
    optimizer.start(np.empty(0), np.empty(0))
    optimizer.step(0.1)
    assert optimizer.steps == 1
