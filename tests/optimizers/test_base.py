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


def variants(name: str) -> list[dict[str, Any]]:
    """Return arguments of an optimizer: its defaults, then each one changed alone."""
    cls = Optimizer.members()[name]
    return [arguments for arguments in variations(cls) if accepted(cls, arguments)]


def _trained(name: str, options: dict[str, Any]) -> Array:
    rng = np.random.default_rng(0)
    # A weight and a bias, so that both kinds of decay have their chunks.
    size, bias = 262, 5
    flat = flat_of(
        rng.normal(size=(1, size - bias)).astype(np.float32),
        rng.normal(size=bias).astype(np.float32),
    )
    optimizer = Optimizer.members()[name](**options).over(flat)
    for _ in range(4):
        flat.grads[:] = rng.normal(size=size)
        optimizer.step(0.1)
    return flat.values


@pytest.mark.parametrize("name", Optimizer.members())
def test_many_chunks_give_the_bits_of_one(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert CHUNK > 262
    for options in variants(name):
        whole = _trained(name, options)
        # 257 weights are three chunks, the last one shorter; a bias comes after them.
        with monkeypatch.context() as patch:
            patch.setattr(base, "CHUNK", 100)
            chunked = _trained(name, options)
        np.testing.assert_array_equal(chunked, whole, str(options))


@pytest.mark.parametrize("name", Optimizer.members())
def test_start_forgets_an_earlier_run(name: str) -> None:
    for options in variants(name):
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
        np.testing.assert_array_equal(found[0], found[1], str(options))


@pytest.mark.parametrize("name", Optimizer.members())
def test_a_network_without_parameters_can_be_stepped(name: str) -> None:
    for options in variants(name):
        optimizer = Optimizer.members()[name](**options)
        optimizer = optimizer.over(flat_of())
        optimizer.step(0.1)
        assert optimizer.steps == 1, options
