"""``nncli config``: validate, show and schema."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest

from nncli.config.read import parse
from tests.cli.plugins import write_plugin
from tests.command import Command
from tests.conftest import CONFIGS, SMALL

Write = Callable[..., Path]
SHIPPED = sorted(CONFIGS.glob("*.yaml"))


@pytest.mark.parametrize("config", SHIPPED, ids=lambda path: path.stem)
def test_validate_accepts_every_config_that_ships(
    command: Command, config: Path
) -> None:
    outcome = command("config", "validate", config)
    assert outcome.code == 0
    assert outcome.out.startswith(f"{config}: valid\n")


def test_validate_counts_layers_parameters_and_rows(
    command: Command, write_config: Write
) -> None:
    assert command("config", "validate", write_config(), "--json").json() == {
        "valid": True,
        "layers": 3,
        "parameters": 32,
        "rows": {"train": 60, "validation": 20},
    }


def test_validate_reports_everything_at_once(
    command: Command, write_config: Write
) -> None:
    text = SMALL.replace("units: 6", "units: -6").replace("tanh", "tan")
    outcome = command("config", "validate", write_config(text.replace("seed", "sed")))
    assert outcome.code == 2
    assert outcome.out == ""
    for part in ("layers[0].units", "layers[1]", "tanh", "sed", "3 problems"):
        assert part in outcome.err


def test_validate_looks_at_shapes_and_data(
    command: Command, write_config: Write
) -> None:
    outcome = command("config", "validate", write_config(), "layers[2].units=5")
    assert outcome.code == 2
    assert "layers[2].units" in outcome.err


@pytest.mark.parametrize("config", SHIPPED, ids=lambda path: path.stem)
def test_show_gives_a_config_that_shows_the_same(
    command: Command, write_config: Write, config: Path
) -> None:
    first = command("config", "show", config)
    again = command("config", "show", write_config(first.out))
    assert first.code == again.code == 0
    assert first.out == again.out


def test_show_fills_in_defaults_and_overrides(
    command: Command, write_config: Write
) -> None:
    config = write_config()
    shown = command("config", "show", config, "optimizer=sgd").out
    result = command("config", "show", config, "optimizer=sgd", "--json").json()
    assert parse(shown, "shown").value == result
    assert result["optimizer"]["type"] == "sgd"
    assert result["optimizer"]["momentum"] == 0
    assert result["precision"] == "float32"
    assert result["training"]["checkpoint_seconds"] == 10


def test_show_needs_no_data(command: Command, write_config: Write) -> None:
    outcome = command(
        "config", "show", write_config(), "dataset.samples=10000000000000"
    )
    assert outcome.code == 0


@pytest.mark.slow
def test_schema_accepts_every_config_that_ships(command: Command) -> None:
    schema = command("config", "schema").json()
    jsonschema.Draft7Validator.check_schema(schema)
    validator = jsonschema.Draft7Validator(schema)
    for config in SHIPPED:
        validator.validate(parse(config.read_text(), str(config)).value)
    with pytest.raises(jsonschema.ValidationError):
        validator.validate({"layers": ["reluu"]})


@pytest.mark.usefixtures("own_registries")
def test_schema_includes_a_plugin(command: Command, tmp_path: Path) -> None:
    plugin = write_plugin(tmp_path)
    assert "my_cube" in command("config", "schema", "--plugin", plugin).out
    with_json = command("config", "schema", "--json")
    assert with_json.out == command("config", "schema").out


def test_config_runs_no_plugin_without_leave(
    command: Command, write_config: Write, tmp_path: Path
) -> None:
    sign = tmp_path / "it-ran"
    (tmp_path / "evil.py").write_text(f"open({str(sign)!r}, 'w')\n")
    config = write_config(SMALL + "plugins: [evil.py]\n")
    for verb in ("validate", "show"):
        outcome = command("config", verb, config)
        assert outcome.code == 2
        assert "--allow-plugins" in outcome.err
    assert not sign.exists()
