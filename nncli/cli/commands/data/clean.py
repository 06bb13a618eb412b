"""``nncli data clean``: frees what large tables were converted into."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from nncli.cli.console import Json, say, say_json, say_wrapped
from nncli.cli.tables import Table

EPILOG = """\b
Examples:
  nncli data clean --dry-run    shows what lies there
  nncli data clean              frees it
"""


def clean(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what lies there.")
    ] = False,
    json: Json = False,
) -> None:
    """Free the disk of tables that were converted.

    Large tables are converted once, and kept in $NNCLI_CACHE (by default
    ~/.cache/nncli). A training that uses one goes on; the next one converts it again.
    """
    from nncli.core.text import size_text
    from nncli.tables.cache import cache_dir, entries
    from nncli.tables.cache import clean as free

    kept = entries()
    total = sum(entry.size for entry in kept) if dry_run else free()
    if json:
        tables = [
            {"source": entry.source, "bytes": entry.size, "made": entry.made}
            for entry in kept
        ]
        freed = 0 if dry_run else total
        say_json({"folder": str(cache_dir()), "tables": tables, "freed_bytes": freed})
        return
    if not kept and not total:
        say_wrapped(f"{cache_dir()}: no tables are kept there.")
        return
    if kept:
        rows = Table("table", ">size", "??made")
        for entry in kept:
            made = time.strftime("%Y-%m-%d %H:%M", time.localtime(entry.made))
            rows.add_row(entry.source, size_text(entry.size), made)
        rows.print()
        say("")
    what = "would be freed; nothing was" if dry_run else "freed"
    say_wrapped(f"{cache_dir()}: {size_text(total)} {what}.")
