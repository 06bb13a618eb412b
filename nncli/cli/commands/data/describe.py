"""``nncli data describe``: what a dataset holds, and what may go wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nncli.cli.completion import complete_config
from nncli.cli.console import AllowPlugins, Json, RunsDir, say_json
from nncli.core.errors import UsageError

EPILOG = """\b
Examples:
  nncli data describe houses.csv --target price
  nncli data describe houses.yaml       with the parts of the split
  nncli data describe digits --json
"""


def describe(
    source: Annotated[
        str,
        typer.Argument(
            metavar="CONFIG|FILE",
            help="A config, an example or a run, whose dataset is taken; or a file: "
            ".csv, .tsv, .parquet, .npz, ...",
            autocompletion=complete_config,
            show_default=False,
        ),
    ],
    overrides: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="PATH=VALUE",
            help="Changes of the config.",
            show_default=False,
        ),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN",
            help="Target of a table, or several with commas; by default the last "
            "column. A config names its own.",
        ),
    ] = None,
    runs_dir: RunsDir = Path("runs"),
    allow_plugins: AllowPlugins = False,
    json: Json = False,
) -> None:
    """Describe data: columns, targets, parts, and what they should not share.

    Rows whose inputs occur in training and in another part, and columns that tell the
    target by themselves, make scores better than they will be.
    """
    from nncli.cli.described import show_description
    from nncli.experiment.description import describe_config, describe_file
    from nncli.runs.sources import load_source

    path = Path(source)
    if _is_data(path, runs_dir):
        if overrides:
            raise UsageError(
                f"data describe: expected changes of a config only, got {overrides[0]} "
                f"beside {path}."
            )
        facts = describe_file(path, target)
    else:
        if target is not None:
            raise UsageError(
                "data describe: expected --target beside a file only; a config names "
                "its own: dataset.target=NAME."
            )
        changes = list(overrides or [])
        loaded = load_source(path, changes, runs_dir, allow_plugins=allow_plugins)
        facts = describe_config(loaded.config)
    if json:
        say_json(facts)
    else:
        show_description(facts)


def _is_data(path: Path, runs: Path) -> bool:
    """Whether a path is that of data, rather than of a config, a run or an example."""
    if path.suffix in (".yaml", ".yml", ".safetensors"):
        return False
    if len(path.parts) == 1 and not path.exists() and (runs / path).is_dir():
        # A run's name may have a dot: v1.2-1.
        return False
    # What is not there is a file that was misspelled, if it looks like one.
    return path.is_file() or (bool(path.suffix) and not path.is_dir())
