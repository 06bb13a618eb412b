"""``nncli init``: copies of the example configs, to begin with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nncli.cli.completion import complete_example
from nncli.cli.console import Json, say, say_json
from nncli.cli.tables import Table
from nncli.core.errors import UsageError

EPILOG = """\b
Examples:
  nncli init                  all examples
  nncli init spiral digits    these two
Then: nncli train spiral.yaml
"""


def init(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NAME",
            help="Examples to copy; without one, all.",
            autocompletion=complete_example,
            show_default=False,
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Copy example configs into this folder.

    What is there already is never overwritten.
    """
    from nncli.config.examples import examples, title_of
    from nncli.core.text import nearest

    known = examples()
    for name in names or []:
        if name not in known:
            hint = nearest(name, list(known))
            raise UsageError(f"init: unknown example {name!r}. {hint}")
    facts = []
    for name in names or known:
        target = Path(known[name].name)
        try:
            with target.open("xb") as file:
                file.write(known[name].read_bytes())
            status = "written"
        except FileExistsError:
            status = "kept"
        title = title_of(known[name])
        facts.append({"file": str(target), "status": status, "title": title})
    if json:
        say_json(facts)
        return
    rows = Table("file", "?", "??what it shows")
    for fact in facts:
        rows.add_row(fact["file"], fact["status"], fact["title"])
    rows.print()
    say("")
    if any(fact["status"] == "kept" for fact in facts):
        say("kept: it was there already, and is never overwritten.")
    say(f"next: nncli train {facts[0]['file']}")
