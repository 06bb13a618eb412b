"""``nncli runs rm``: deletes runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nncli.cli.completion import complete_run_name
from nncli.cli.console import Json, RunsDir, note, say, say_json
from nncli.core.errors import UsageError
from nncli.core.text import count, printable, size_text

if TYPE_CHECKING:
    from nncli.runs.removal import Removable

EPILOG = """\b
Examples:
  nncli runs rm spiral-1
  nncli runs rm spiral-2 spiral-3 --yes
"""


def rm(
    runs: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN...",
            help="Runs, by their names or directories.",
            autocompletion=complete_run_name,
            show_default=False,
        ),
    ],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    runs_dir: RunsDir = Path("runs"),
    json: Json = False,
) -> None:
    """Delete runs, checkpoints and all, after asking.

    Only runs and cross-validations of the directory are deleted, and none that is being
    trained. Each is gone at once, or as it was.
    """
    from nncli.runs.removal import removable, remove

    if json and not yes:
        raise UsageError("runs rm: expected --yes beside --json, which asks nothing.")
    found = removable(runs, runs_dir)
    if not yes and not _agreed(found):
        say("nothing was deleted")
        return
    for run in found:
        remove(run)
        if not json:
            say(f"deleted {_told(run)}")
    if json:
        facts = [
            {"run": str(r.path), "files": r.files, "bytes": r.bytes} for r in found
        ]
        say_json({"deleted": facts})


def _agreed(runs: list[Removable]) -> bool:
    """Ask whether these are to be deleted."""
    for run in runs:
        note(_told(run))
    sys.stderr.write(f"Delete {count(len(runs), 'run')} for good? [y/N] ")
    sys.stderr.flush()
    answer = sys.stdin.readline()
    if not answer:
        raise UsageError(
            "runs rm: expected an answer, found nobody to ask. Nothing was deleted. "
            "To delete without asking: --yes"
        )
    return answer.strip().casefold() in ("y", "yes")


def _told(run: Removable) -> str:
    files = count(run.files, "file")
    return f"{printable(str(run.path))} ({files}, {size_text(run.bytes)})"
