"""Files of columns: which format they are in, and their rows batch by batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from nncli.tables.columnar import Form, columnar_batches
from nncli.tables.reading import Reading
from nncli.tables.stream import TextStream, size_of
from nncli.tables.text import Batch, text_batches

_PARQUET = (".parquet", ".pq")
_ARROW = (".arrow", ".feather", ".ipc")
COLUMNAR = (*_PARQUET, *_ARROW)


@dataclass(frozen=True)
class Opened:
    """A file whose beginning was looked at.

    Attributes:
        names: Of its columns.
        batches: Its rows.
        facts: What was found about it.
        done: Returns how many of its bytes were read.
        size: Of the file in bytes.
        reading: How its text is read.
    """

    names: tuple[str, ...]
    batches: Iterator[Batch]
    facts: Callable[[], dict[str, Any]]
    done: Callable[[], int]
    size: int
    reading: Reading


def is_columnar(path: Path) -> bool:
    """Tell whether a file's name is that of Parquet or Arrow."""
    return path.suffix.lower() in COLUMNAR


def open_table(
    path: Path, reading: Reading, known: Sequence[str] = (), rows: int | None = None
) -> Opened:
    """Open a file of columns.

    Args:
        path: Parquet and Arrow by its name; else text.
        reading: How text is read.
        known: Names of columns of which it has more rows.
        rows: How many come together where that is free; None for many.

    Raises:
        DataError: It cannot be read as what it is called.
    """
    size = size_of(path)
    if is_columnar(path):
        form: Form = "parquet" if path.suffix.lower() in _PARQUET else "arrow"
        columnar = columnar_batches(path, form)
        names = columnar.names
        batches = columnar.batches(rows)
        form_alone = partial(dict[str, Any], format=form)
        return Opened(names, batches, form_alone, columnar.done, size, reading)
    stream = TextStream.of(path, reading)
    layout, batches = text_batches(stream, reading, known)

    def facts() -> dict[str, Any]:
        return {
            "format": "text",
            "delimiter": layout.delimiter,
            "encoding": stream.encoding,
            "header": layout.header,
            "decimal": layout.decimal,
        }

    return Opened(
        layout.names,
        batches,
        facts,
        lambda: stream.done,
        size,
        layout.settled(reading),
    )
