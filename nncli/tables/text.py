"""Rows of a file of text as frames of texts, block by block, each checked."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice
from typing import Any

import numpy as np

from nncli.core.errors import DataError
from nncli.tables.faults import MAX_CELL, broken, long_cells, ragged
from nncli.tables.layout import Layout, layout_of
from nncli.tables.library import polars
from nncli.tables.reading import Reading
from nncli.tables.stream import TextStream

BLOCK = 1 << 22
"""Bytes that are looked at together, or more for some rows to be among them."""

ROWS = 256

LONGEST = 1 << 25
"""Bytes of the longest row."""

_SLOW_ROWS = 20_000
_QUOTE, _NEWLINE = ord('"'), ord("\n")
_EMPTY_LINES = re.compile(rb"\n(?:\r?\n)+")


@dataclass(frozen=True)
class Batch:
    """Some rows.

    Attributes:
        frame: Their cells: texts where they come from text.
        where: Of the place of a row in the batch: what messages call it.
    """

    frame: Any
    where: Callable[[int], str]


@dataclass(frozen=True)
class Block:
    """Whole rows of text, if their quotes are in order.

    Attributes:
        data: UTF-8.
        line: Number of its first line.
        rest: Whether rows end at its end.
    """

    data: bytes
    line: int
    whole: bool = True


def text_batches(
    stream: TextStream, reading: Reading, known: Iterable[str] = ()
) -> tuple[Layout, Iterator[Batch]]:
    """Return how a file is laid out, and its rows.

    Args:
        stream: The file.
        reading: How to read it.
        known: Names of columns of which it has more rows.

    Raises:
        DataError: At once, or while rows are read: the file is no table.
    """
    blocks = _blocks(stream)
    first = next(blocks, None)
    if first is None or not first.data.strip():
        raise DataError(f"{stream.name}: expected rows, got an empty file.")
    text = first.data[: 1 << 24].decode(errors="ignore")
    layout = layout_of(text, reading, stream.name, tuple(known))
    data, line = first.data, first.line
    for _ in range(layout.lines):
        data, line = data[data.find(b"\n") + 1 or len(data) :], line + 1
    first = Block(data, line, first.whole)
    return layout, _batches(chain([first], blocks), layout, stream.name)


def _blocks(stream: TextStream) -> Iterator[Block]:
    line = 1
    parts: list[bytes] = []
    size, wanted = 0, BLOCK
    for piece in stream.pieces():
        parts.append(piece)
        size += len(piece)
        if size < wanted:
            continue
        data = b"".join(parts)
        # Work on a block is mostly for each of its columns: rows should be many.
        enough = min(LONGEST, ROWS * (data.find(b"\n") + 1))
        cut = _row_end(data) if size >= enough else 0
        if not cut and size < LONGEST:
            parts, wanted = [data], max(enough, size + BLOCK)
            continue
        cut = cut or len(data)
        yield Block(data[:cut], line, cut < len(data) or data.endswith(b"\n"))
        line += data.count(b"\n", 0, cut)
        parts, size, wanted = [data[cut:]], len(data) - cut, BLOCK
    data = b"".join(parts)
    if data:
        yield Block(data, line)


def _row_end(data: bytes) -> int:
    """Return where the last row ends: after a newline that is not inside quotes."""
    end = data.rfind(b"\n")
    quotes = data.count(b'"', 0, end + 1)
    while quotes % 2 and end >= 0:
        before = data.rfind(b"\n", 0, end)
        quotes -= data.count(b'"', before + 1, end)
        end = before
    return end + 1


def _batches(blocks: Iterator[Block], layout: Layout, name: str) -> Iterator[Batch]:
    for block in blocks:
        frame = _quick(block, layout)
        if frame is None:
            # Python's reader takes quotes as people write them, and knows its lines.
            yield from _slow(chain([block], blocks), layout, name)
            return
        if len(frame):
            yield Batch(frame, _Places(block, layout.delimiter, name))


def _quick(block: Block, layout: Layout) -> Any | None:
    """Return the rows of a block; None where a slower look is needed."""
    data = block.data.strip(b"\r\n") if len(layout.names) > 1 else block.data
    quoted = b'"' in data
    inside = _delimiters_inside(data, layout.delimiter) if quoted else 0
    if not block.whole or inside is None:
        return None
    if not quoted:
        data = _EMPTY_LINES.sub(b"\n", data.strip(b"\r\n"))
    elif len(layout.names) == 1 and _EMPTY_LINES.search(data):
        return None
    if not data or _holds_long(data):
        return polars().DataFrame(schema=_schema(layout)) if not data else None
    try:
        frame = polars().read_csv(
            # Without a newline at its end a last cell that is too many is overlooked;
            # with two, a single column would have another row.
            data.removesuffix(b"\n") + b"\n",
            has_header=False,
            schema=_schema(layout),
            separator=layout.delimiter,
        )
    # Its errors are vague: the slower look finds the reason and the line.
    except polars().exceptions.PolarsError:
        return None
    # Polars takes rows that are short.
    found = data.count(layout.delimiter.encode()) - inside
    return frame if found == len(frame) * (len(layout.names) - 1) else None


def _schema(layout: Layout) -> dict[str, Any]:
    return dict.fromkeys(layout.names, polars().String)


def _holds_long(data: bytes) -> bool:
    """Tell whether a line may hold a cell that is too long."""
    step = MAX_CELL // 2
    return any(
        data.find(b"\n", begin, begin + step) < 0
        for begin in range(0, len(data) - step, step)
    )


def _delimiters_inside(data: bytes, delimiter: str) -> int | None:
    """Count the delimiters inside of quotes.

    None where quotes do not stand around whole cells, are not doubled inside, or hold
    too much.
    """
    seen = np.frombuffer(b"\n" + data + b"\n", np.uint8)
    quotes = np.flatnonzero(seen == _QUOTE)
    if len(quotes) % 2:
        return None
    opening, closing = quotes[::2], quotes[1::2]
    neighbours = [_QUOTE, _NEWLINE, ord(delimiter)]
    before = np.isin(seen[opening - 1], neighbours)
    after = np.isin(seen[closing + 1], [*neighbours, ord("\r")])
    if not before.all() or not after.all() or (closing - opening).max() > MAX_CELL:
        return None
    found = np.flatnonzero(seen == ord(delimiter))
    counts = np.searchsorted(found, closing) - np.searchsorted(found, opening)
    return int(counts.sum())


class _Places:
    """Finds the line at which a row of a block begins, when it is asked for."""

    def __init__(self, block: Block, delimiter: str, name: str) -> None:
        self._block, self._delimiter, self._name = block, delimiter, name

    def __call__(self, row: int) -> str:
        reader = csv.reader(_lines([self._block]), delimiter=self._delimiter)
        begin, place = 0, -1
        with long_cells():
            for cells in reader:
                place += bool(cells)
                if place == row:
                    break
                begin = reader.line_num
        return f"{self._name}:{self._block.line + begin}"


def _lines(blocks: Iterable[Block]) -> Iterator[str]:
    """Yield lines, of which a block that ends no row may hold a part."""
    rest = ""
    for block in blocks:
        text = rest + block.data.decode()
        lines = text.split("\n")
        rest = lines.pop()
        if len(rest) > LONGEST:
            raise csv.Error("field larger than a row")
        for line in lines:
            yield f"{line}\n"
    if rest:
        yield rest


def _slow(blocks: Iterator[Block], layout: Layout, name: str) -> Iterator[Batch]:
    first = next(blocks)
    rows = _rows(chain([first], blocks), layout, name, first.line)
    while True:
        with long_cells():
            found = list(islice(rows, max(1, min(_SLOW_ROWS, _cells(layout)))))
        if not found:
            return
        lines = [line for line, _ in found]
        columns = zip(*(row for _, row in found), strict=True)
        data = dict(zip(layout.names, map(list, columns), strict=True))
        frame = polars().DataFrame(data, schema=_schema(layout))
        yield Batch(frame, partial(_at, name, lines))


def _at(name: str, lines: list[int], row: int) -> str:
    return f"{name}:{lines[row]}"


def _cells(layout: Layout) -> int:
    return 1_000_000 // len(layout.names)


def _rows(
    blocks: Iterator[Block], layout: Layout, name: str, line: int
) -> Iterator[tuple[int, list[str]]]:
    """Yield the line of each row and its cells, by Python's reader.

    Raises:
        DataError: A row has too many cells or too few, or quotes are not closed.
    """
    reader = csv.reader(
        _lines(blocks),
        delimiter=layout.delimiter,
        skipinitialspace=layout.delimiter != " ",
        strict=True,
    )
    begin = 0
    try:
        for row in reader:
            if row:
                if len(row) != len(layout.names):
                    where = f"{name}:{line + begin}"
                    raise ragged(row, layout.names, layout.delimiter, where)
                yield line + begin, row
            begin = reader.line_num
    except csv.Error as error:
        raise broken(error, f"{name}:{line + begin}") from None
