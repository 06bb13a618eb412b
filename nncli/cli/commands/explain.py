"""``nncli explain``: one sample there and back through a network, in numbers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from nncli.cli.completion import complete_config
from nncli.cli.console import (
    AllowPlugins,
    Json,
    Overrides,
    RunsDir,
    columns,
    progress,
    say,
    say_json,
)
from nncli.core.errors import CheckFailed

if TYPE_CHECKING:
    from nncli.checking.explanation import Explanation

EPILOG = """\b
Examples:
  nncli explain spiral --sample 20
  nncli explain spiral-1                the trained network of a run
  nncli explain spiral layers[0].units=2 optimizer=sgd
  nncli explain digits --html page.html
"""

Split = Literal["train", "validation", "test"]


def explain(
    config: Annotated[
        Path,
        typer.Argument(
            metavar="CONFIG|RUN",
            help="A YAML file, or the name of an example; or a run (its directory, or "
            "its name: the best checkpoint), or a checkpoint.",
            autocompletion=complete_config,
            show_default=False,
        ),
    ],
    overrides: Overrides = None,
    sample: Annotated[
        int, typer.Option(min=0, metavar="K", help="Which row of the part, from 0.")
    ] = 0,
    split: Annotated[Split, typer.Option(help="Which part of the data.")] = "train",
    html: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write a page that a browser opens without a network.",
            show_default=False,
        ),
    ] = None,
    runs_dir: RunsDir = Path("runs"),
    allow_plugins: AllowPlugins = False,
    json: Json = False,
) -> None:
    """Show every number of one row's training step.

    Forward pass, loss, backward pass and update, layer by layer: the formula, the
    numbers put in, the result, and derivatives, each beside a numeric one. Of a run,
    the parameters are those of its best checkpoint. Ends with exit code 3 if a
    derivative is wrong, or a layer's draws make every result another one.
    """
    from nncli.checking.explain import explain as explained
    from nncli.report.explanation_text import explanation_text
    from nncli.report.explanation_words import unsteady
    from nncli.training.opened import open_source
    from nncli.training.threads import using

    changes = list(overrides or [])
    opened = open_source(config, changes, runs_dir, allow_plugins=allow_plugins)
    experiment = opened.experiment
    # Values are computed thousands of times of one row: threads would wait.
    with using(1), progress("explain", len(experiment.network.nested)) as tell:
        found = explained(experiment, opened.progress, split, sample, tell)
    if html is not None:
        _write(html, found)
    if json:
        checkpoint = None if opened.checkpoint is None else str(opened.checkpoint)
        say_json({"checkpoint": checkpoint, **found.facts()})
    elif html is None:
        say(explanation_text(found, columns()))
    else:
        say(f"explained: {html}")
    if found.wrong:
        raise CheckFailed(f"wrong derivatives, by: {', '.join(found.wrong)}.")
    if found.unsteady:
        raise CheckFailed(f"no numeric derivatives: {unsteady(found)}")


def _write(path: Path, found: Explanation) -> None:
    from nncli.core.atomic import write_bytes
    from nncli.core.files import writable
    from nncli.report.explanation_page import explanation_page

    with writable(path):
        write_bytes(path, explanation_page(found).encode())
