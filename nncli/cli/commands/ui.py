"""``nncli ui``: runs and the playground in a browser on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nncli.cli.console import Json, RunsDir, say, say_json

EPILOG = """\b
Examples:
  nncli ui
  nncli ui --runs-dir experiments --port 8400
  nncli ui --open
"""


def ui(
    runs_dir: RunsDir = Path("runs"),
    port: Annotated[
        int,
        typer.Option(
            min=0, max=65535, metavar="N", help="Of this machine; 0 for a free one."
        ),
    ] = 8321,
    open_: Annotated[
        bool, typer.Option("--open", help="Open the page in the browser.")
    ] = False,
    json: Json = False,
) -> None:
    """Show runs in the browser, and a playground.

    Only this machine can reach the page, and nothing but the runs directory is read.
    Ctrl-C ends it.
    """
    from nncli.ui.server import serve

    def ready(address: str) -> None:
        if json:
            say_json({"address": address, "runs_dir": str(runs_dir)})
        else:
            say(f"{address}  (Ctrl-C ends it)")
        if open_:
            import webbrowser

            webbrowser.open(address)

    serve(runs_dir, port, ready)
