"""The JSON Schema: what an editor accepts is what nncli accepts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from nncli.config.jsonschema import config_schema
from nncli.config.read import parse, read_config
from nncli.config.schema import Config
from nncli.config.validate import validate
from nncli.core.registry import FAMILIES, spec_of
from nncli.core.signature import signature_of
from tests.config.test_schema import ALL_CONFIGS
from tests.conftest import SMALL

SCHEMA = config_schema()
VALIDATOR = Draft7Validator(SCHEMA)


def accepts(value: Any) -> bool:
    return bool(VALIDATOR.is_valid(value))


def test_schema_is_itself_valid_and_plain_json() -> None:
    Draft7Validator.check_schema(SCHEMA)
    assert json.loads(json.dumps(SCHEMA, allow_nan=False)) == SCHEMA


def test_configs_that_ship_were_found() -> None:
    assert len(ALL_CONFIGS) >= 5


@pytest.mark.parametrize("path", ALL_CONFIGS, ids=lambda path: path.stem)
def test_schema_accepts_what_ships(path: Path) -> None:
    assert [e.message for e in VALIDATOR.iter_errors(read_config(path).value)] == []


@pytest.mark.parametrize("path", ALL_CONFIGS, ids=lambda path: path.stem)
def test_schema_accepts_a_config_with_every_default(path: Path) -> None:
    resolved = spec_of(validate(read_config(path)))
    assert [e.message for e in VALIDATOR.iter_errors(resolved)] == []


BAD = {
    "unknown key": ("seed: 3", "sed: 3"),
    "missing part": ("loss: softmax_cross_entropy\n", ""),
    "unknown layer": ("- tanh", "- tahn"),
    "unknown argument": ("units: 6", "unit: 6"),
    "missing argument": ("type: dense, units: 6", "type: dense"),
    "bare name with a missing argument": ("{type: dense, units: 6}", "dense"),
    "missing type": ("type: dense, units: 6", "units: 6"),
    "text for a number": ("units: 6", "units: six"),
    "quoted number": ("lr: 0.02", "lr: '0.02'"),
    "fraction for an integer": ("units: 6", "units: 6.5"),
    "true for an integer": ("units: 6", "units: true"),
    "out of bounds": ("units: 6", "units: 0"),
    "at an open bound": ("lr: 0.02", "lr: 0"),
    "number for true or false": ("validation: 0.25", "stratify: 1"),
    "unknown choice": ("seed: 3", "precision: float16"),
    "no list": ("[accuracy]", "accuracy"),
    "no mapping": ("{validation: 0.25}", "0.25"),
    "wrong batch size": ("batch_size: 16", "batch_size: all"),
    "wrong component in a component": ("units: 6", "units: 6, init: he"),
    "wrong section in a section": ("epochs: 5", "epochs: 5, early_stopping: {}"),
    "null": ("[accuracy]", ""),
}


@pytest.mark.parametrize(("old", "new"), BAD.values(), ids=list(BAD))
def test_schema_rejects_a_bad_config(old: str, new: str) -> None:
    assert accepts(parse(SMALL, "x").value)
    assert old in SMALL
    assert not accepts(parse(SMALL.replace(old, new, 1), "x").value)


def test_schema_rejects_a_config_without_layers() -> None:
    value = parse(SMALL, "x").value
    assert not accepts({**value, "layers": []})


@pytest.mark.parametrize("value", [None, [], "spiral", 3])
def test_schema_rejects_what_is_no_mapping(value: Any) -> None:
    assert not accepts(value)


def test_schema_describes_every_component_and_argument() -> None:
    for family, cls in FAMILIES.items():
        described = json.dumps(SCHEMA["definitions"][family])
        for name, member in cls.members().items():
            assert f'"{name}"' in described
            for argument in signature_of(member).arguments:
                assert f'"{argument}"' in described


def test_schema_has_help_for_every_key() -> None:
    properties = SCHEMA["properties"]
    assert list(properties) == list(signature_of(Config).arguments)
    assert all(made["description"] for made in properties.values())


def test_schema_knows_defaults() -> None:
    training = SCHEMA["definitions"]["Training"]["properties"]
    assert training["batch_size"]["default"] == 32
    assert training["early_stopping"]["default"] is None
    stopping = SCHEMA["definitions"]["EarlyStopping"]["properties"]
    assert "default" not in stopping["patience"]
