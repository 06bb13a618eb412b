"""``nncli config``: validate, show, and the schema for editors."""

from __future__ import annotations

from pathlib import Path

import typer

from nncli.cli.console import (
    AllowPlugins,
    Json,
    Overrides,
    RunsDir,
    Source,
    say,
    say_json,
    say_wrapped,
)
from nncli.cli.help import Verb, Verbs
from nncli.cli.plugins import Plugins, run_plugins

VALIDATE = """\b
Example:
  nncli config validate spiral
"""
SHOW = """\b
Examples:
  nncli config show spiral optimizer=sgd
  nncli config show spiral-1        that of a run
"""
SCHEMA = """\b
Example:
  nncli config schema > nncli.schema.json
With yaml-language-server (VS Code's YAML extension), begin a config with:
  # yaml-language-server: $schema=nncli.schema.json
"""

app = typer.Typer(
    cls=Verbs,
    help="Validate a config, show it in full, or print its schema.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command(cls=Verb, epilog=VALIDATE)
def validate(
    config: Source,
    overrides: Overrides = None,
    runs_dir: RunsDir = Path("runs"),
    allow_plugins: AllowPlugins = False,
    json: Json = False,
) -> None:
    """Find everything that is wrong with a config, data included."""
    from nncli.core.text import count
    from nncli.experiment.build import build
    from nncli.runs.sources import load_source

    changes = list(overrides or [])
    experiment = build(
        load_source(config, changes, runs_dir, allow_plugins=allow_plugins)
    )
    facts = {
        "valid": True,
        "layers": len(experiment.config.layers),
        "parameters": experiment.network.size,
        "rows": {name: len(part) for name, part in experiment.parts.items()},
    }
    if json:
        say_json(facts)
        return
    rows = ", ".join(f"{name} {len(part):,}" for name, part in experiment.parts.items())
    say(f"{config}: valid")
    layers = count(len(experiment.config.layers), "layer")
    parameters = count(experiment.network.size, "parameter")
    say_wrapped(f"{layers}, {parameters}, rows: {rows}")


@app.command(cls=Verb, epilog=SHOW)
def show(
    config: Source,
    overrides: Overrides = None,
    runs_dir: RunsDir = Path("runs"),
    allow_plugins: AllowPlugins = False,
    json: Json = False,
) -> None:
    """Print a config with every default filled in."""
    from nncli.config.write import to_yaml
    from nncli.runs.sources import load_source

    changes = list(overrides or [])
    loaded = load_source(config, changes, runs_dir, allow_plugins=allow_plugins)
    value = loaded.config.spec
    if json:
        say_json(value)
    else:
        say(to_yaml(value).rstrip())


@app.command(cls=Verb, epilog=SCHEMA)
def schema(
    plugin: Plugins = None,
    json: Json = False,
) -> None:
    """Print the JSON Schema of a config, for editors."""
    from nncli.config.jsonschema import config_schema

    del json  # A schema is JSON anyway.
    run_plugins(plugin)
    say_json(config_schema())
