"""Terse: plain values without what is the default, which still mean the same."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from nncli.config.load import load_config, load_values
from nncli.config.terse import terse
from tests.conftest import CONFIGS


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ({"type": "relu"}, "relu"),
        ({"units": 3, "bias": True, "type": "dense"}, {"type": "dense", "units": 3}),
        ({"type": "adam", "lr": 0.5}, {"type": "adam", "lr": 0.5}),
        ({"type": "nobody's", "lr": 0.5}, {"type": "nobody's", "lr": 0.5}),
        ({"type": "adam", "strange": 1}, {"type": "adam", "strange": 1}),
        ({"type": ["adam"]}, {"type": ["adam"]}),
        ({"epochs": 3, "decay": None}, {"epochs": 3, "decay": None}),
        ([1, {"type": "tanh"}], [1, "tanh"]),
        (None, None),
    ],
)
def test_defaults_are_left_out(value: Any, wanted: Any) -> None:
    assert terse(value) == wanted


@pytest.mark.parametrize("name", ["spiral", "iris", "residual", "digits_cnn"])
def test_terse_config_means_the_same(name: str) -> None:
    path = CONFIGS / f"{name}.yaml"
    config = load_config(path, []).config
    again = load_values(terse(config.spec), [], folder=path.parent).config
    assert again == config
    written = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert len(str(terse(config.spec)["layers"])) <= len(str(written["layers"])) + 2
