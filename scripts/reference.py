"""Writes the tables of docs/config.md: every key of a config, out of the docstrings.

The pre-commit hook and a test run this, so that nobody edits the tables.

    python scripts/reference.py [--check]
"""

from __future__ import annotations

import sys
from pathlib import Path

from nncli.config.hints import sections
from nncli.config.write import to_flow
from nncli.core.registry import spec_of
from nncli.core.signature import Argument, signature_of

DOCUMENT = Path(__file__).parents[1] / "docs" / "config.md"
BEGIN = "<!-- The tables from here on are written by scripts/reference.py. -->\n"
END = "<!-- The tables end here. -->\n"


def tables() -> str:
    """Return a table for each section, the config's own keys first."""
    return "\n".join(_table(place) for place in sections())


def _table(place: str) -> str:
    rows = ["| key | what | value | default | example |", "|---|---|---|---|---|"]
    cls = sections()[place]
    rows += [_row(argument) for argument in signature_of(cls).arguments.values()]
    title = "The config" if place == "config" else f"`{place}`"
    first = (cls.__doc__ or "").partition("\n")[0]
    return f"### {title}\n\n{first}\n\n" + "\n".join(rows) + "\n"


def _row(argument: Argument) -> str:
    default = "required" if argument.required else f"`{_default(argument)}`"
    example = f"`{argument.name}: {argument.example}`"
    cells = (f"`{argument.name}`", argument.help, argument.expected, default, example)
    return f"| {' | '.join(cell.replace('``', '`') for cell in cells)} |"


def _default(argument: Argument) -> str:
    return to_flow(spec_of(argument.made()))


def document() -> str:
    """Return docs/config.md with its tables as they should be."""
    before, _, rest = DOCUMENT.read_text(encoding="utf-8").partition(BEGIN)
    return f"{before}{BEGIN}\n{tables()}\n{END}{rest.partition(END)[2]}"


def main() -> None:
    """Write the tables, or with --check say that they are stale."""
    text = document()
    if "--check" in sys.argv and text != DOCUMENT.read_text(encoding="utf-8"):
        sys.exit(f"stale: {DOCUMENT}: run python scripts/reference.py")
    DOCUMENT.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
