"""Console: results to stdout, progress to stderr."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nncli.cli.completion import complete_config, complete_override, complete_run
from nncli.core.errors import DataError
from nncli.core.text import json_text, shown, wrapped

if TYPE_CHECKING:
    from rich.console import Console

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
Source = Annotated[
    Path,
    typer.Argument(
        metavar="CONFIG|RUN",
        help="A YAML file, or the name of an example; or a run (its directory, or its "
        "name), or a checkpoint, whose config is taken.",
        autocompletion=complete_config,
        show_default=False,
    ),
]
Trained = Annotated[
    Path,
    typer.Argument(
        metavar="RUN|CHECKPOINT",
        help="A run (its directory, or its name: the best checkpoint), or a "
        "checkpoint.",
        autocompletion=complete_run,
        show_default=False,
    ),
]
RunsDir = Annotated[
    Path, typer.Option("--runs-dir", metavar="DIR", help="Where runs lie.")
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


def watched() -> bool:
    """Whether a person sees stderr on a terminal that can be drawn on.

    The commands of a notebook (``!nncli train``) have a terminal in name only, which
    shows what moves the cursor as it is.
    """
    return sys.stderr.isatty() and "JPY_PARENT_PID" not in os.environ


def out() -> Console:
    """Return the console of results."""
    from rich.console import Console

    # No markup: what is shown may hold brackets and colons of its own. Where it is
    # piped, tables are as wide as texts, however wide the terminal of stderr.
    return Console(width=columns(), highlight=False, markup=False, emoji=False)


def err() -> Console:
    """Return the console of progress."""
    from rich.console import Console
    from rich.theme import Theme

    # The terminal's own colours, which read on light and on dark backgrounds.
    bars = {
        "bar.back": "bright_black",
        "bar.complete": "green",
        "bar.finished": "green",
    }
    return Console(stderr=True, highlight=False, markup=False, theme=Theme(bars))


def columns() -> int:
    """Return how wide results may be; without rich, which takes a while to load."""
    return shutil.get_terminal_size((80, 24)).columns


def read_stdin() -> str:
    """Return all that stdin holds.

    Raises:
        DataError: It is no UTF-8.
    """
    try:
        text = sys.stdin.read()
    except UnicodeDecodeError:
        raise _no_text("stdin") from None
    return checked_text(text, "stdin")


def checked_text(text: str, source: str) -> str:
    """Return a text that came from outside, if all of it is characters.

    Arguments, and stdin in some locales, hold other bytes as half characters.

    Raises:
        DataError: It was no UTF-8.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        raise _no_text(source) from None
    return text


def _no_text(source: str) -> DataError:
    return DataError(f"{source}: expected text in UTF-8, got other bytes.")


def say(text: str) -> None:
    """Print one line of a result."""
    _print(shown(text))


def _print(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def say_wrapped(text: str, hang: int = 0) -> None:
    """Print a result that may be long, broken between words to the terminal's width.

    Args:
        text: What to print.
        hang: By how much all lines but the first are indented.
    """
    for line in wrapped(text, columns(), hang):
        say(line)


def say_of_run(text: str, hang: int | None = None) -> None:
    """Print a result that the run's directory holds too.

    Where it cannot be printed (nobody reads any more, a full disk) training goes on.

    Args:
        text: What to print.
        hang: Break it between words, all lines but the first indented by that.
    """
    with contextlib.suppress(OSError, ValueError):
        if hang is None:
            say(text)
        else:
            say_wrapped(text, hang)


def note(text: str) -> None:
    """Print one line that is no result; if it cannot be printed, go on."""
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(f"{shown(text)}\n")
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
    if not watched():
        yield lambda _text: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (
        TextColumn(title),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TextColumn("{task.fields[now]}"),
    )
    with Progress(*columns, console=err(), transient=True) as bar:
        task = bar.add_task(title, total=total, now="")
        yield lambda text: bar.update(task, advance=1, now=text)


def say_json(value: Any) -> None:
    """Print a result as JSON."""
    _print(json_text(value))
