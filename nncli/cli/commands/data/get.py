"""``nncli data get``: download a public dataset."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

import typer

from nncli.cli.completion import offered
from nncli.cli.console import Json, err, note, say, say_json, watched
from nncli.core.errors import UsageError

EPILOG = """\b
Examples:
  nncli data get mnist
  nncli data get cifar10 --root data/cifar10
Then: nncli train mnist_cnn
"""


def complete_dataset(incomplete: str) -> list[str]:
    """Return the names of datasets that can be downloaded."""
    from nncli.data.sources import SOURCES

    return offered(SOURCES, incomplete)


def get(
    name: Annotated[
        str,
        typer.Argument(
            metavar="DATASET",
            help="mnist, fashion_mnist, kmnist, cifar10 or cifar100.",
            autocompletion=complete_dataset,
            show_default=False,
        ),
    ],
    root: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Where to put it; by default where a config without dataset.root "
            "looks for it, below $NNCLI_DATA or ~/.cache/nncli.",
            show_default=False,
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Download a public dataset, and check it.

    What is there already is kept, a broken download is gone on with, and a file is only
    there once its SHA-256 is right.
    """
    from nncli.cli.download import get as download
    from nncli.core.text import nearest
    from nncli.data.sources import SOURCES, root_of

    if name not in SOURCES:
        hint = nearest(name, list(SOURCES))
        raise UsageError(f"data get: unknown dataset {name!r}. {hint}")
    folder = root_of(name, None if root is None else str(root))
    with _progress() as report:
        found = download(SOURCES[name], folder, report)
    if json:
        files = [{"file": file, "status": status} for file, status in found.items()]
        say_json({"dataset": name, "root": str(folder), "files": files})
        return
    for file, status in found.items():
        say(f"{status:<8}{folder / file}")
    key = "" if root is None else f", root: {root}"
    say(f"in a config: dataset: {{type: {name}{key}}}")


@contextlib.contextmanager
def _progress() -> Iterator[Callable[[str, int, int], None]]:
    """Show how far each file is: a bar on a terminal, else a line when it begins."""
    if not watched():
        known: set[str] = set()

        def tell(file: str, _done: int, total: int) -> None:
            if file not in known:
                note(f"{file}: {total:,} bytes")
            known.add(file)

        yield tell
        return
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TaskID,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=20),
        DownloadColumn(),
        TimeRemainingColumn(),
    )
    tasks: dict[str, TaskID] = {}
    with Progress(*columns, console=err(), transient=True) as bar:

        def draw(file: str, done: int, total: int) -> None:
            if file not in tasks:
                tasks[file] = bar.add_task(file, total=total)
            bar.update(tasks[file], completed=done)

        yield draw
