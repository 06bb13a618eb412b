"""The schema: plain values to a typed config, with every default filled in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nncli.config.read import parse, read_config
from nncli.config.schema import Config
from nncli.config.validate import validate
from nncli.config.write import to_yaml
from nncli.core.errors import ConfigError, Problem
from nncli.core.fields import fields_of
from nncli.core.registry import spec_of
from nncli.initializers.random import Uniform
from nncli.layers.activations import Tanh
from nncli.layers.dense import Dense
from nncli.schedules.decay import Constant
from tests.conftest import CONFIGS, SMALL

ALL_CONFIGS = sorted(CONFIGS.glob("*.yaml"))


def made(text: str) -> Config:
    return validate(parse(text, "x"))


def problems(text: str) -> list[Problem]:
    with pytest.raises(ConfigError) as caught:
        made(text)
    return caught.value.problems


def test_components_are_made_with_their_arguments() -> None:
    config = made(SMALL.replace("units: 6", "units: 6, bias: false"))
    first, second, _ = config.layers
    assert isinstance(first, Dense)
    assert first.arguments["units"] == 6
    assert first.arguments["bias"] is False
    assert isinstance(second, Tanh)
    assert config.optimizer.type_name == "adam"
    assert config.optimizer.lr == 0.02


def test_component_inside_a_component_is_made() -> None:
    init = "{type: uniform, low: -1, high: 1}"
    config = made(SMALL.replace("units: 6", f"units: 6, init: {init}"))
    assert isinstance(config.layers[0].arguments["init"], Uniform)


def test_defaults_are_filled_in() -> None:
    text = SMALL.replace("seed: 3\n", "").replace("split: {validation: 0.25}\n", "")
    config = made(text)
    assert config.seed == 0
    assert config.precision == "float32"
    assert config.split.validation == 0.0
    assert isinstance(config.schedule, Constant)
    assert config.transforms == []
    assert config.training.monitor == "loss"
    assert config.training.early_stopping is None


def test_bare_name_is_the_mapping_with_only_its_type() -> None:
    bare = made(SMALL)
    mapping = made(SMALL.replace("- tanh", "- {type: tanh}"))
    assert spec_of(bare) == spec_of(mapping)


def test_integer_is_taken_where_a_number_is_expected() -> None:
    assert made(SMALL.replace("lr: 0.02", "lr: 1")).optimizer.lr == 1


@pytest.mark.parametrize("text", ["1e-3", "0.001", "1.0E-3", "+.001"])
def test_number_may_be_written_in_every_way(text: str) -> None:
    assert made(SMALL.replace("lr: 0.02", f"lr: {text}")).optimizer.lr == 0.001


@pytest.mark.parametrize("size", [1, 16, "full"])
def test_batch_size_is_a_count_or_full(size: int | str) -> None:
    config = made(SMALL.replace("batch_size: 16", f"batch_size: {size}"))
    assert config.training.batch_size == size


@pytest.mark.parametrize("monitor", ["loss", "accuracy"])
def test_monitor_is_the_loss_or_a_metric(monitor: str) -> None:
    text = SMALL.replace("epochs: 5", f"epochs: 5, monitor: {monitor}")
    assert made(text).training.monitor == monitor


def test_largest_seed_is_taken() -> None:
    largest = 2**63 - 1
    assert made(SMALL.replace("seed: 3", f"seed: {largest}")).seed == largest


@pytest.mark.parametrize("name", ["a", "A-1_b.c", "x" * 64, "7"])
def test_name_of_letters_digits_and_signs_is_taken(name: str) -> None:
    assert made(SMALL.replace("name: small", f"name: '{name}'")).name == name


@pytest.mark.parametrize("path", ALL_CONFIGS, ids=lambda path: path.stem)
def test_config_that_ships_is_valid_and_survives_being_written(path: Path) -> None:
    config = validate(read_config(path))
    resolved = spec_of(config)
    again = made(to_yaml(resolved))
    assert spec_of(again) == resolved


def test_problem_has_the_path_of_what_is_wrong() -> None:
    found = problems(
        SMALL.replace("units: 6", "units: 0")
        .replace("- tanh", "- tahn")
        .replace("epochs: 5", "epochs: 5, early_stopping: {patience: 0, x: 1}")
        .replace("[accuracy]", "[accuracy, 3]")
    )
    assert {(problem.path, problem.at_key) for problem in found} == {
        (("layers", 0, "units"), False),
        (("layers", 1, "type"), False),
        (("training", "early_stopping", "patience"), False),
        (("training", "early_stopping", "x"), True),
        (("metrics", 1), False),
    }


def test_wrong_part_is_reported_once_and_not_again_by_what_holds_it() -> None:
    found = problems(SMALL.replace("units: 6", "units: 6, init: {type: normal, st: 1}"))
    assert [problem.path for problem in found] == [("layers", 0, "init", "st")]


def test_misfits_wait_until_every_part_is_right() -> None:
    text = SMALL.replace("[accuracy]", "[accuracy, accuracy]")
    assert [p.path for p in problems(text)] == [("metrics", 1)]
    found = problems(text.replace("units: 6", "units: 0"))
    assert [p.path for p in found] == [("layers", 0, "units")]


VALUES: list[Any] = [None, True, 3, -1.5, "text", [], [1], {}, {"type": 3}, {"a": [{}]}]


@pytest.mark.parametrize("key", list(fields_of(Config)))
@pytest.mark.parametrize("value", VALUES, ids=map(repr, VALUES))
def test_any_value_of_any_key_is_taken_or_refused_at_its_key(
    key: str, value: Any
) -> None:
    document = parse(SMALL, "x")
    document.value[key] = value
    try:
        validate(document)
    except ConfigError as error:
        paths = {problem.path[:1] for problem in error.problems}
        # Without a metric, the monitor has nothing to name.
        assert paths <= {(key,), ("training",)}
