"""``nncli summary``: layers, shapes, parameters, work and memory of a network."""

from __future__ import annotations

from pathlib import Path

from nncli.cli.console import (
    AllowPlugins,
    Json,
    Overrides,
    RunsDir,
    Source,
    columns,
    say,
    say_json,
)

EPILOG = """\b
Examples:
  nncli summary digits
  nncli summary digits-1        the network of a run
  nncli summary digits training.batch_size=256 --json
"""


def summary(
    config: Source,
    overrides: Overrides = None,
    runs_dir: RunsDir = Path("runs"),
    allow_plugins: AllowPlugins = False,
    json: Json = False,
) -> None:
    """Show a network's layers, shapes, parameters, work and memory."""
    from nncli.experiment.build import build
    from nncli.runs.sources import load_source
    from nncli.training.cost import summary_facts, summary_text

    changes = list(overrides or [])
    experiment = build(
        load_source(config, changes, runs_dir, allow_plugins=allow_plugins)
    )
    facts = summary_facts(experiment)
    if json:
        say_json(facts)
    else:
        say(summary_text(facts, columns()))
