"""``nncli doctor``: what is probably wrong with an experiment, and what to do."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from nncli.cli.console import (
    AllowPlugins,
    Json,
    Overrides,
    RunsDir,
    Source,
    note,
    progress,
    say,
    say_json,
    say_wrapped,
    watched,
)
from nncli.core.text import count

if TYPE_CHECKING:
    from nncli.checking.doctor.base import Finding
    from nncli.config.load import Loaded

EPILOG = """\b
Examples:
  nncli doctor digits
  nncli doctor digits optimizer.lr=3
  nncli doctor digits-1 --json          a run: its config, its trained units
"""


def doctor(
    config: Source,
    overrides: Overrides = None,
    runs_dir: RunsDir = Path("runs"),
    allow_plugins: AllowPlugins = False,
    json: Json = False,
) -> None:
    """Find what is wrong before training, and mend it.

    Looks at the data, at the network with its first values, and at some first steps;
    of a run, without overrides, also at the units of the trained network.
    Ends with exit code 1 if something is found. Nothing is written.
    """
    from nncli.checking.doctor.examine import examine, names
    from nncli.runs.sources import load_source, trained_source
    from nncli.training.opened import open_source

    changes = list(overrides or [])

    def load(more: list[str]) -> Loaded:
        return load_source(
            config, [*changes, *more], runs_dir, allow_plugins=allow_plugins
        )

    with progress("doctor", len(names())) as step:

        def tell(name: str, slow: bool) -> None:
            step(name)
            if slow and not watched():
                note(f"doctor: {name} ...")

        trained = None
        if not changes and trained_source(config, runs_dir) is not None:
            opened = open_source(config, [], runs_dir, allow_plugins=allow_plugins)
            trained = opened.experiment
        found = examine(load, tell, trained)
    if json:
        say_json(
            {
                "healthy": not found,
                "checks": names(),
                "findings": [finding.facts() for finding in found],
            }
        )
    else:
        options = ["--runs-dir", str(runs_dir)] if runs_dir != Path("runs") else []
        options += ["--allow-plugins"] if allow_plugins else []
        _show(found, str(config), changes, options)
    if found:
        raise typer.Exit(1)


def _show(
    found: list[Finding], config: str, changes: list[str], options: list[str]
) -> None:
    from nncli.checking.doctor.examine import names

    for finding in found:
        say_wrapped(f"! {finding.check}: {finding.text}", 2)
        say_wrapped(f"  {finding.advice}", 2)
        if finding.overrides:
            # A command is to be pasted, and stays whole.
            command = ["nncli", "train", config, *finding.after(changes), *options]
            say(f"  next: {shlex.join(command)}")
        say("")
    if found:
        first = " Begin with the first: it may be the cause of others."
        say_wrapped(f"{count(len(found), 'finding')}.{first if found[1:] else ''}")
    else:
        say_wrapped(f"nothing found, in {count(len(names()), 'check')}")
