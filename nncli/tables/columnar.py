"""Parquet and Arrow files as frames, some rows at a time."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Literal

from nncli.core.errors import DataError
from nncli.core.text import show
from nncli.tables.library import polars
from nncli.tables.reading import MAX_COLUMNS
from nncli.tables.stream import opened, size_of
from nncli.tables.text import Batch

Form = Literal["parquet", "arrow"]

CELLS = 1 << 22
"""Cells that are read together."""

_MAGIC = {"parquet": b"PAR1", "arrow": b"ARROW1"}


class Columnar:
    """A Parquet or an Arrow file.

    Args:
        path: The file.
        form: Its format.
        frame: Reads it lazily.
        names: Of its columns.
    """

    def __init__(self, path: Path, form: str, frame: Any, names: tuple[str, ...]):
        self.names = names
        self._path, self._form, self._frame = path, form, frame
        self._size = size_of(path)
        self._part = 0.0

    def done(self) -> int:
        """Return about how many bytes were read."""
        return int(self._size * self._part)

    def batches(self, rows: int | None = None) -> Iterator[Batch]:
        """Yield all rows, so many together.

        Raises:
            DataError: The file is damaged.
        """
        name = str(self._path)
        rows = rows or max(1, CELLS // len(self.names))
        with _polars_reads(name, self._form):
            total = int(self._frame.select(polars().len()).collect().item())
        for begin in range(0, total, rows):
            with _polars_reads(name, self._form):
                frame = self._frame.slice(begin, rows).collect()
            yield Batch(frame, partial(_at, name, begin))
            self._part = (begin + len(frame)) / total


def columnar_batches(path: Path, form: Form) -> Columnar:
    """Open a file.

    Raises:
        DataError: It is no such file, or has no columns, or double ones.
    """
    pl = polars()
    name = str(path)
    with opened(path) as file:
        begin = file.read(8)
        if not begin:
            raise DataError(f"{name}: expected rows, got an empty file.")
        if not begin.startswith(_MAGIC[form]):
            raise DataError(
                f"{name}: expected {_called(form)}, got something else, which begins "
                f"with {show(begin)}."
            )
    with _polars_reads(name, form):
        scan = pl.scan_parquet if form == "parquet" else pl.scan_ipc
        frame = scan(path, glob=False)
        names = tuple(frame.collect_schema().names())
    if not names:
        raise DataError(f"{name}: expected columns, got none.")
    if len(names) > MAX_COLUMNS:
        raise DataError(f"{name}: expected at most {MAX_COLUMNS:,} columns.")
    return Columnar(path, form, frame, names)


def _at(name: str, begin: int, row: int) -> str:
    return f"{name}: row {begin + row + 1:,}"


def _called(form: str) -> str:
    return "a Parquet file" if form == "parquet" else "an Arrow file"


@contextlib.contextmanager
def _polars_reads(name: str, form: str) -> Iterator[None]:
    """Say of a file that polars cannot read that it is damaged."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit, MemoryError):
        raise
    # It panics at some damaged files, with what is no Exception.
    except BaseException as error:
        raise _damaged(name, form, str(error)) from None


def _damaged(name: str, form: str, error: str) -> DataError:
    reason = (error.strip().splitlines() or ["unknown"])[0][:160]
    return DataError(
        f"{name}: expected {_called(form)}, got a damaged one or one that is cut off "
        f"({reason}). Copy it again."
    )
