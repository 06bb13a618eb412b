"""JSON lines: one object a line, each a row."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from typing import Any

from nncli.core.errors import DataError
from nncli.core.text import nearest, show
from nncli.tables.library import polars
from nncli.tables.stream import TextStream
from nncli.tables.text import LONGEST, Batch
from nncli.tables.typed import as_float


def json_batches(stream: TextStream, rows: int) -> Iterator[Batch]:
    """Yield the rows of a file, so many together; the first name the columns.

    A key that is missing is a cell that is missing.

    Raises:
        DataError: A line is no object of scalars, or has a key the first rows lack.
    """
    found: list[dict[str, Any]] = []
    lines: list[int] = []
    names: tuple[str, ...] = ()
    for number, line in enumerate(_lines(stream), start=1):
        if not line.strip():
            continue
        where = f"{stream.name}:{number}"
        row = _parsed(line, where)
        for key in row if names else ():
            if key not in names:
                raise DataError(
                    f"{where}: expected the keys of the first rows, got {show(key)} "
                    f"too. {nearest(key, list(names))}"
                )
        found.append(row)
        lines.append(number)
        if len(found) == rows:
            names = names or _names(found)
            yield _batch(found, lines, names, stream.name)
            found, lines = [], []
    if found:
        yield _batch(found, lines, names or _names(found), stream.name)


def _names(rows: list[dict[str, Any]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(key for row in rows for key in row))


def _batch(
    rows: list[dict[str, Any]], lines: list[int], names: tuple[str, ...], source: str
) -> Batch:
    columns = {name: _series(name, [row.get(name) for row in rows]) for name in names}
    return Batch(polars().DataFrame(columns), partial(_at, source, lines))


def _at(source: str, lines: list[int], row: int) -> str:
    return f"{source}:{lines[row]}"


def _series(name: str, values: list[Any]) -> Any:
    """Return values of one type as they are, others as texts."""
    pl = polars()
    kinds = {type(value) for value in values if value is not None}
    if kinds <= {bool} or kinds <= {str}:
        return pl.Series(name, values)
    if kinds <= {int, float}:
        floats = [None if value is None else as_float(value) for value in values]
        whole = kinds == {int} and all(
            value is None or abs(value) < 2**63 for value in values
        )
        return pl.Series(name, values if whole else floats)
    texts = [
        value if value is None or isinstance(value, str) else json.dumps(value)
        for value in values
    ]
    return pl.Series(name, texts, dtype=pl.String)


def _parsed(line: bytes, where: str) -> dict[str, Any]:
    try:
        row = json.loads(line, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise DataError(
            f"{where}: expected JSON, got {show(line.decode()[:40])} ({error})."
        ) from None
    if not isinstance(row, dict):
        raise DataError(f"{where}: expected a JSON object, got {show(row)}.")
    return row


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is no number in JSON")


def _lines(stream: TextStream) -> Iterator[bytes]:
    rest = b""
    for piece in stream.pieces():
        lines = (rest + piece).split(b"\n")
        rest = lines.pop()
        yield from lines
        if len(rest) > LONGEST:
            raise DataError(
                f"{stream.name}:{stream.line}: expected lines of at most {LONGEST:,} "
                "bytes, got a longer one."
            )
    if rest:
        yield rest
