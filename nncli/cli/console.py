"""Console: results to stdout, progress to stderr, numbers as people read them."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nncli.cli.completion import complete_config, complete_override
from nncli.core.text import json_text

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
AllowPlugins = Annotated[
    bool,
    typer.Option("--allow-plugins", help="Let the config run the Python it names."),
]
Threads = Annotated[
    int | None,
    typer.Option(
        "--threads", min=1, max=1024, help="Threads of BLAS, instead of the config's."
    ),
]
ConfigFile = Annotated[
    Path,
    typer.Argument(
        metavar="CONFIG",
        help="The YAML file, or the name of an example: spiral.",
        autocompletion=complete_config,
        show_default=False,
    ),
]
Overrides = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="PATH=VALUE",
        help="Changes of the config: optimizer.lr=0.01 layers[0].units=32",
        autocompletion=complete_override,
        show_default=False,
    ),
]


def out() -> Console:
    """Return the console of results."""
    from rich.console import Console

    # No markup: what is shown may hold brackets of its own.
    return Console(highlight=False, markup=False)


def say(text: str) -> None:
    """Print one line of a result."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def say_of_run(text: str) -> None:
    """Print one line of a result that the run's directory holds too.

    Where it cannot be printed (nobody reads any more, a full disk) training goes on.
    """
    with contextlib.suppress(OSError, ValueError):
        say(text)


def note(text: str) -> None:
    """Print one line that is no result; if it cannot be printed, go on."""
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()


@contextlib.contextmanager
def progress(title: str, total: int) -> Iterator[Callable[[str], None]]:
    """Show how far something is: a bar on a terminal, nothing elsewhere.

    Args:
        title: What it is.
        total: How many steps it has.

    Yields:
        A function to be called at each step, with what is under way.
    """
    if not sys.stderr.isatty():
        yield lambda _text: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (
        TextColumn(title),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TextColumn("{task.fields[now]}"),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(title, total=total, now="")
        yield lambda text: bar.update(task, advance=1, now=text)


def say_json(value: Any) -> None:
    """Print a result as JSON."""
    say(json_text(value))


def table(*columns: str) -> Table:
    """Return an empty table; a column whose name begins with ``>`` holds numbers."""
    from rich import box
    from rich.table import Table

    made = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for column in columns:
        if column.startswith(">"):
            made.add_column(column[1:], justify="right", no_wrap=True)
        else:
            made.add_column(column, overflow="fold")
    return made


def number(value: float | None) -> str:
    """Write a number with four significant digits, or a dash for none."""
    if value is None:
        return "-"
    size = abs(value)
    if size and (size < 1e-3 or size >= 1e5):
        return f"{value:.3e}"
    return f"{value:.4f}" if size < 10 else f"{value:.2f}"


def duration(seconds: float) -> str:
    """Write a duration as 0.42 s, 12.3 s, 4:05 or 1:02:03."""
    if seconds < 60:
        return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
