"""``nncli compare``: in what runs differ, how good they are, where they part."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nncli.cli.completion import complete_run
from nncli.cli.console import Json, RunsDir, say_json
from nncli.core.errors import UsageError

EPILOG = """\b
Examples:
  nncli compare spiral-1 spiral-2
  nncli compare runs/digits-*
  nncli compare spiral-1 spiral-2 --json
"""


def compare(
    runs: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN RUN...",
            help="Two runs or more: their directories, or their names.",
            autocompletion=complete_run,
            show_default=False,
        ),
    ],
    runs_dir: RunsDir = Path("runs"),
    json: Json = False,
) -> None:
    """Compare runs: scores, keys that differ, where they part.

    Each is compared with the first: the first step after which an evaluation gave other
    numbers is where two runs part.
    """
    from dataclasses import asdict

    from nncli.cli.run_tables import show_comparison
    from nncli.runs.comparison import differences, environment, parting
    from nncli.runs.entry import entry_of
    from nncli.runs.listing import config_of_run
    from nncli.runs.sources import find_run

    found = {str(run.path): run for run in (find_run(each, runs_dir) for each in runs)}
    if len(found) < 2:
        raise UsageError(
            "compare: expected two runs or more, for example: nncli compare spiral-1 "
            "spiral-2"
        )
    entries = [entry_of(run.path) for run in found.values()]
    configs = differences({run.path: config_of_run(run) for run in entries})
    made = differences({path: environment(run) for path, run in found.items()})
    first, *others = found.values()
    partings = [parting(first.metrics, other.metrics) for other in others]
    if json:
        pairs = zip(others, partings, strict=True)
        say_json(
            {
                "runs": [asdict(run) for run in entries],
                "config": configs,
                "environment": made,
                "parting": [
                    {"runs": [str(first.path), str(other.path)], **asdict(found)}
                    for other, found in pairs
                ],
            }
        )
    else:
        show_comparison(entries, configs, made, partings)
