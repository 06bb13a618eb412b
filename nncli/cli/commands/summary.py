"""``nncli summary``: layers, shapes, parameters, work and memory of a config."""

from __future__ import annotations

from nncli.cli.console import AllowPlugins, ConfigFile, Json, Overrides, say, say_json

EPILOG = """\b
Examples:
  nncli summary digits
  nncli summary digits training.batch_size=256 --json
"""


def summary(
    config: ConfigFile,
    overrides: Overrides = None,
    allow_plugins: AllowPlugins = False,
    json: Json = False,
) -> None:
    """Show a network's layers, shapes, parameters, work and memory."""
    from nncli.config.load import load_config
    from nncli.experiment.build import build
    from nncli.training.cost import summary_facts, summary_text

    changes = list(overrides or [])
    experiment = build(load_config(config, changes, allow_plugins=allow_plugins))
    facts = summary_facts(experiment)
    if json:
        say_json(facts)
    else:
        say(summary_text(facts))
