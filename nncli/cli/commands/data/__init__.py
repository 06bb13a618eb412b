"""``nncli data``: datasets before they are trained on, one verb a file."""

from __future__ import annotations

import sys

import typer

from nncli.cli.help import Verbs
from nncli.cli.verbs import add_verbs

app = typer.Typer(
    cls=Verbs,
    help="Get datasets, and look at what training makes of them.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
add_verbs(app, sys.modules[__name__])
