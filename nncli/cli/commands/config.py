"""``nncli config``: validate, show, and the schema for editors."""

from __future__ import annotations

import typer

from nncli.cli.console import (
    AllowPlugins,
    ConfigFile,
    Json,
    Overrides,
    say,
    say_json,
)
from nncli.cli.plugins import Plugins, run_plugins

app = typer.Typer(
    help="Validate a config, show it with every default, or print its JSON Schema.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command()
def validate(
    config: ConfigFile,
    overrides: Overrides = None,
    allow_plugins: AllowPlugins = False,
    json: Json = False,
) -> None:
    r"""Find everything that is wrong with a config, shapes and data included.

    \b
    Example:
      nncli config validate configs/spiral.yaml
    """
    from nncli.build import build
    from nncli.config.load import load_config

    changes = list(overrides or [])
    experiment = build(load_config(config, changes, allow_plugins=allow_plugins))
    facts = {
        "valid": True,
        "layers": len(experiment.config.layers),
        "parameters": experiment.network.flat.values.size,
        "rows": {name: len(part) for name, part in experiment.parts.items()},
    }
    if json:
        say_json(facts)
        return
    rows = ", ".join(f"{name} {len(part):,}" for name, part in experiment.parts.items())
    say(
        f"{config}: valid: {facts['layers']} layers, {facts['parameters']:,} "
        f"parameters, rows: {rows}"
    )


@app.command()
def show(
    config: ConfigFile,
    overrides: Overrides = None,
    allow_plugins: AllowPlugins = False,
    json: Json = False,
) -> None:
    r"""Print a config with every default filled in.

    \b
    Example:
      nncli config show configs/spiral.yaml optimizer=sgd
    """
    from nncli.config.load import load_config
    from nncli.config.write import to_yaml
    from nncli.registry import spec_of

    changes = list(overrides or [])
    loaded = load_config(config, changes, allow_plugins=allow_plugins)
    value = spec_of(loaded.config)
    if json:
        say_json(value)
    else:
        say(to_yaml(value).rstrip())


@app.command()
def schema(
    plugin: Plugins = None,
    json: Json = False,
) -> None:
    r"""Print the JSON Schema of a config, for editors.

    With yaml-language-server (VS Code's YAML extension), write it to a file and begin
    a config with the line: # yaml-language-server: $schema=nncli.schema.json

    \b
    Example:
      nncli config schema > nncli.schema.json
    """
    from nncli.config.jsonschema import config_schema

    del json  # A schema is JSON anyway.
    run_plugins(plugin)
    say_json(config_schema())
