"""``nncli runs``: lists runs; below it, the verbs that tag and delete them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from nncli.cli.completion import complete_key, complete_state, complete_tag
from nncli.cli.console import Json, RunsDir, say_json
from nncli.cli.help import Verbs
from nncli.cli.verbs import add_verbs
from nncli.core.errors import UsageError

EPILOG = """\b
Examples:
  nncli runs
  nncli runs --sort validation --limit 5
  nncli runs --state done --tag baseline --score accuracy
  nncli runs --where 'optimizer.lr<0.01' --where 'name=spiral*'
  nncli runs --json
"""

app = typer.Typer(
    cls=Verbs,
    invoke_without_command=True,
    rich_markup_mode=None,
)


@app.callback(epilog=EPILOG)
def runs(
    context: typer.Context,
    sort: Annotated[
        str | None,
        typer.Option(
            metavar="KEY",
            help="A fact (name, state, started, seconds, epochs, steps), a score "
            "(validation, test.accuracy) or a place in the config (optimizer.lr). By "
            "default the newest come first.",
            autocompletion=complete_key,
            show_default=False,
        ),
    ] = None,
    reverse: Annotated[
        bool, typer.Option("--reverse", "-r", help="The other way round.")
    ] = False,
    limit: Annotated[
        int | None,
        typer.Option("--limit", "-n", min=1, metavar="N", help="Only the first N."),
    ] = None,
    state: Annotated[
        list[str] | None,
        typer.Option(
            metavar="STATE",
            help="Only what is running, done, stopped, crashed, diverged or damaged; "
            "can be given several times.",
            autocompletion=complete_state,
        ),
    ] = None,
    tag: Annotated[
        list[str] | None,
        typer.Option(
            metavar="WORD",
            help="Only what has this tag; can be given several times.",
            autocompletion=complete_tag,
        ),
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUE",
            help="Only where it is so, with =, !=, <, <=, > or >=, and * in names; the "
            "keys of --sort, and tags. Can be given several times.",
        ),
    ] = None,
    score: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="The score that is shown; by default the one that decides which "
            "checkpoint is the best.",
            show_default=False,
        ),
    ] = None,
    runs_dir: RunsDir = Path("runs"),
    json: Json = False,
) -> None:
    """List runs; tag or delete them.

    Shown are the state, scores, time, tags and overrides of each. Scores are those of
    the best checkpoint; of the test part those that nncli eval found.
    """
    if context.invoked_subcommand is not None:
        _refuse_options(context)
        return
    from dataclasses import asdict

    from nncli.cli.run_tables import show_runs
    from nncli.runs.listing import list_runs
    from nncli.runs.selection import Condition, Facts, ordered, select

    _check_states(state or [])
    conditions = [Condition.read(text) for text in where or ()]
    conditions += [Condition("tags", "=", word) for word in tag or ()]
    listing = list_runs(runs_dir)
    if score is not None:
        Facts(listing.runs).check_score(score)
    found = [run for run in listing.runs if not state or run.state in state]
    found = select(found, conditions)
    if sort is not None:
        found = ordered(found, sort, reverse=reverse)
    elif reverse:
        found.reverse()
    found = found[:limit]
    if json:
        facts = [asdict(run) for run in found]
        say_json({"folder": str(runs_dir), "runs": facts, "others": listing.others})
    else:
        show_runs(found, listing, runs_dir, score)


def _check_states(given: list[str]) -> None:
    from nncli.core.text import nearest
    from nncli.runs.entry import STATES

    for state in given:
        if state not in STATES:
            raise UsageError(
                f"runs: expected a --state of runs, got {state!r}. "
                f"{nearest(state, list(STATES))}"
            )


def _refuse_options(context: typer.Context) -> None:
    """Refuse what would be left unheard: the verbs below take options of their own."""
    for name in context.params:
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            verb = context.invoked_subcommand
            option = f"--{name.replace('_', '-')}"
            raise UsageError(
                f"runs: expected {option} behind the verb: nncli runs {verb} ..., got "
                f"it before {verb}."
            )


add_verbs(app, sys.modules[__name__])
