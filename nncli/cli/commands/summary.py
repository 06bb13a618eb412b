"""``nncli summary``: layers, shapes, parameters, work and memory of a config."""

from __future__ import annotations

from nncli.cli.console import AllowPlugins, ConfigFile, Json, Overrides, say_json

EPILOG = """\b
Examples:
  nncli summary configs/digits.yaml
  nncli summary configs/digits.yaml training.batch_size=256 --json
"""


def summary(
    config: ConfigFile,
    overrides: Overrides = None,
    allow_plugins: AllowPlugins = False,
    json: Json = False,
) -> None:
    """Show a network's layers, shapes, parameters, work and memory."""
    from nncli.build import build
    from nncli.cli.summary import show_summary, summary_json
    from nncli.config.load import load_config

    changes = list(overrides or [])
    experiment = build(load_config(config, changes, allow_plugins=allow_plugins))
    facts = summary_json(experiment)
    if json:
        say_json(facts)
    else:
        show_summary(facts)
