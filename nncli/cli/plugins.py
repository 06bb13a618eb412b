"""Plugins that are named on the command line, which is permission enough."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Plugins = Annotated[
    list[Path] | None,
    typer.Option(
        "--plugin",
        metavar="FILE",
        help="Run this Python file first, and include its components.",
    ),
]


def run_plugins(files: list[Path] | None) -> None:
    """Import the files that were named."""
    from nncli.config.plugins import run_plugin
    from nncli.core.errors import UsageError

    for file in files or []:
        if not file.is_file():
            raise UsageError(f"{file}: expected a Python file, found nothing there.")
        run_plugin(file.resolve(), str(file))
