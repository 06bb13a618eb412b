"""What every optimizer keeps: chunks change no bit, state belongs to the run."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nncli.checking.variations import variations
from nncli.core.arrays import Array
from nncli.core.errors import ArgumentError
from nncli.optimizers import base
from nncli.optimizers.base import CHUNK, Optimizer
from tests.optimizers.flats import flat_of


def accepted(cls: type[Optimizer], arguments: dict[str, Any]) -> bool:
    """Whether the arguments go together."""
    try:
        cls(**arguments)
    except ArgumentError:
        return False
    return True


OPTIMIZERS = [
    (name, arguments)
    for name, cls in Optimizer.members().items()
    for arguments in variations(cls)
    if accepted(cls, arguments)
]


def _trained(name: str, options: dict[str, Any], size: int, dtype: str) -> Array:
    rng = np.random.default_rng(0)
    # A weight and a bias, so that both kinds of decay have their chunks.
    flat = flat_of(
        rng.normal(size=(1, size - 5)).astype(dtype), rng.normal(size=5).astype(dtype)
    )
    values, grads = flat.values, flat.grads
    optimizer = Optimizer.members()[name](**options)
    optimizer = optimizer.over(flat)
    for _ in range(4):
        grads[:] = rng.normal(size=size)
        optimizer.step(0.1)
    return values


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size", [CHUNK + 1, 3 * CHUNK - 7])
@pytest.mark.parametrize(("name", "options"), OPTIMIZERS)
def test_many_chunks_give_the_bits_of_one(
    name: str,
    options: dict[str, Any],
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
def test_start_forgets_an_earlier_run(name: str, options: dict[str, Any]) -> None:
    optimizer = Optimizer.members()[name](**options)
    found = []
    for _ in range(2):
        flat = flat_of(np.ones(5))
        flat.grads.fill(0.5)
        optimizer = optimizer.over(flat)
        for _ in range(3):
            optimizer.step(0.1)
        assert optimizer.steps == 3
        found.append(flat.values)
    np.testing.assert_array_equal(found[0], found[1])


@pytest.mark.parametrize(("name", "options"), OPTIMIZERS)
def test_a_network_without_parameters_can_be_stepped(
    name: str, options: dict[str, Any]
) -> None:
    optimizer = Optimizer.members()[name](**options)
    optimizer = optimizer.over(flat_of())
    optimizer.step(0.1)
    assert optimizer.steps == 1
