"""Rows for a trained model: what was read beside what the model takes of it."""

from __future__ import annotations

import dataclasses
import io
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nncli.core.errors import DataError
from nncli.tables.column import ColumnReader
from nncli.tables.files import open_table
from nncli.tables.jsonlines import json_batches
from nncli.tables.raw import RawColumn, RawTable, check_there
from nncli.tables.reading import Reading
from nncli.tables.stream import TextStream
from nncli.tables.text import Batch, text_batches
from nncli.tables.typed import series_values

_JSON = (".jsonl", ".ndjson")


def table_chunks(
    path: Path | None,
    reading: Reading,
    like: Sequence[RawColumn],
    rows: int = 50_000,
    formats: Mapping[str, str] | None = None,
) -> Iterator[tuple[Any, RawTable]]:
    """Yield the rows of a file, some at a time.

    Columns go by name: in any order, others between them. Of a file without names they
    go by place.

    Args:
        path: Text, JSON lines, Parquet or Arrow; None for standard input (text, or
            JSON lines where it begins with a brace).
        reading: How text is read.
        like: What a model takes. New words follow those that a category has.
        rows: At most so many at a time.
        formats: Of dates that are texts, by column, as ``strptime`` has them.

    Yields:
        All columns as a polars frame, the cells of a text file as they stand there,
        and those of the model.

    Raises:
        DataError: It cannot be read, a column is missing, or a cell does not fit.
    """
    source = "stdin" if path is None else str(path)
    reading, batches = _batches(path, source, reading, rows)
    for read in batches:
        batch = _by_place(read, like, source)
        check_there(like, batch.frame.columns, source)
        for begin in range(0, len(batch.frame), rows):
            part = _Part(batch, begin)
            frame = batch.frame.slice(begin, rows)
            yield frame, _table(frame, part, like, source, reading, formats or {})


def _by_place(batch: Batch, like: Sequence[RawColumn], source: str) -> Batch:
    """Give columns of a file without names those that the model knows."""
    names = batch.frame.columns
    untitled = names == [str(place) for place in range(len(names))]
    if not like or not untitled or names[0] in (column.name for column in like):
        return batch
    if len(names) != len(like):
        raise DataError(
            f"{source}: expected {len(like)} columns of inputs, got {len(names)}."
        )
    named = dict(zip(names, (column.name for column in like), strict=True))
    return dataclasses.replace(batch, frame=batch.frame.rename(named))


class _Part:
    """Places rows of a part of a batch."""

    def __init__(self, batch: Batch, begin: int) -> None:
        self._batch, self._begin = batch, begin

    def __call__(self, row: int) -> str:
        return self._batch.where(self._begin + row)


def _batches(
    path: Path | None, source: str, reading: Reading, rows: int
) -> tuple[Reading, Iterator[Batch]]:
    """Return how rows are read, as it was found out, and the rows."""
    if path is None:
        buffer: Any = sys.stdin.buffer
        if not hasattr(buffer, "peek"):
            buffer = io.BufferedReader(buffer)
        stream = TextStream(buffer, source, reading)
        # A pipe hands over what is there, at least the first byte.
        begin = buffer.peek(64)
        if begin.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
            return reading, _some(json_batches(stream, rows), source)
        layout, batches = text_batches(stream, reading)
        return layout.settled(reading), _some(batches, source)
    if source.lower().removesuffix(".gz").endswith(_JSON):
        stream = TextStream.of(path, reading)
        return reading, _some(json_batches(stream, rows), source)
    opened = open_table(path, reading, rows=rows)
    return opened.reading, _some(opened.batches, source)


def _some(batches: Iterator[Batch], source: str) -> Iterator[Batch]:
    """Hand batches on, of which there must be some."""
    empty = True
    for batch in batches:
        empty = empty and not len(batch.frame)
        yield batch
    if empty:
        raise DataError(f"{source}: expected rows, got none.")


def _table(
    frame: Any,
    where: _Part,
    like: Sequence[RawColumn],
    source: str,
    reading: Reading,
    formats: Mapping[str, str],
) -> RawTable:
    readers = []
    values = np.empty((len(frame), len(like)))
    for place, column in enumerate(like):
        form = formats.get(column.name)
        # A reader of its own for each part: unseen words must not pile up.
        reader = ColumnReader(
            column.name, source, reading, column.kind, form=form, words=column.words
        )
        values[:, place] = series_values(frame[column.name], reader, where, source)
        readers.append(reader)
    for reader in readers:
        reader.finish()
    return RawTable(source, tuple(reader.column for reader in readers), values)
