"""``nncli runs tag``: gives a run words by which it is found again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nncli.cli.completion import complete_run_name, complete_tag
from nncli.cli.console import Json, RunsDir, say_json, say_wrapped
from nncli.core.text import printable

EPILOG = """\b
Examples:
  nncli runs tag spiral-1 baseline
  nncli runs tag spiral-1 paper --remove baseline
  nncli runs tag spiral-1              shows its tags
  nncli runs --tag paper
"""


def tag(
    run: Annotated[
        Path,
        typer.Argument(
            metavar="RUN",
            help="A run: its directory, or its name.",
            autocompletion=complete_run_name,
            show_default=False,
        ),
    ],
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="WORD",
            help="Tags to add.",
            autocompletion=complete_tag,
            show_default=False,
        ),
    ] = None,
    remove: Annotated[
        list[str] | None,
        typer.Option(
            metavar="WORD",
            help="A tag to remove; can be given several times.",
            autocompletion=complete_tag,
        ),
    ] = None,
    runs_dir: RunsDir = Path("runs"),
    json: Json = False,
) -> None:
    """Add words to a run, remove some, and show those that it has.

    They are kept in the run, also while it is being trained.
    """
    from nncli.runs.sources import find_run
    from nncli.runs.tags import change_tags, read_tags

    found = find_run(run, runs_dir)
    if words or remove:
        tags = change_tags(found, words or [], remove or [])
    else:
        tags = read_tags(found)
    if json:
        say_json({"run": str(found.path), "tags": tags})
    else:
        shown = " ".join(map(printable, tags)) or "no tags"
        say_wrapped(f"{printable(str(found.path))}: {shown}", hang=2)
