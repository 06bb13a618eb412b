"""The public names: what a program and its type checker find under ``nn``."""

from __future__ import annotations

import inspect
import subprocess
import sys
from typing import assert_type

import pytest

import nncli as nn
from tests.conftest import CONFIGS


def test_stubs_say_what_there_is() -> None:
    script = CONFIGS.parent / "scripts" / "stubs.py"
    subprocess.run([sys.executable, script, "--check"], check=True)


def test_type_checker_knows_the_arguments_of_a_layer() -> None:
    # mypy --strict reads this file: an ignore that is not needed is an error.
    assert_type(nn.Dense(8, bias=False), nn.Dense)
    assert_type(nn.layers.Dense(8, l2=0.1).units, int)
    assert_type(nn.__version__, str)
    with pytest.raises(ValueError, match="units"):
        nn.Dense("8")  # type: ignore[arg-type]


def test_signature_of_a_layer_shows_its_arguments() -> None:
    parameters = inspect.signature(nn.Dense).parameters
    assert list(parameters)[:2] == ["units", "bias"]
    assert parameters["bias"].default is True
    assert parameters["units"].default is inspect.Parameter.empty


def test_repr_is_the_call_that_makes_the_object() -> None:
    layer = nn.Sequential([nn.Dense(8, l2=0.1), nn.Relu()], repeat=2)
    text = "Sequential(layers=[Dense(units=8, l2=0.1), Relu()], repeat=2)"
    assert repr(layer) == text
    assert eval(text, vars(nn.layers) | {n: getattr(nn, n) for n in dir(nn)}) == layer


def test_layers_and_optimizers_are_flat_and_the_others_are_not() -> None:
    assert nn.Dense is nn.layers.Dense
    assert nn.Adam is nn.optimizers.Adam
    assert nn.schedules.Linear is not None
    for name in ("Linear", "Cosine", "Huber"):
        with pytest.raises(AttributeError, match=name):
            getattr(nn, name)


def test_names_that_are_flat_are_of_one_thing_each() -> None:
    families = [set(dir(nn.layers)), set(dir(nn.optimizers))]
    assert not families[0] & families[1]
    assert {"Callback", "Model", "Tensor", "no_grad"} <= set(dir(nn))
