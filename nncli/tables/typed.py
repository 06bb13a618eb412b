"""Columns of frames that know their types, given to the readers of columns."""

from __future__ import annotations

from typing import Any

import numpy as np

from nncli.core.arrays import Array
from nncli.core.errors import DataError
from nncli.tables.column import ColumnReader, Where
from nncli.tables.library import polars
from nncli.tables.raw import Kind


def series_values(cells: Any, reader: ColumnReader, where: Where, source: str) -> Array:
    """Read a polars series of any type as float64.

    Raises:
        DataError: It holds lists, structs or bytes, or cells that do not fit.
    """
    pl = polars()
    kind = cells.dtype
    if kind in (pl.Categorical, pl.Enum):
        cells = cells.cast(pl.String)
        kind = pl.String
    if kind == pl.String:
        if reader.kind is None:
            reader.kind = "category"
        return reader.texts(cells, where)
    if kind == pl.Null:
        return reader.typed(np.full(len(cells), np.nan), "number", where, spelled)
    if kind == pl.Boolean:
        return reader.typed(_floats(cells), "boolean", where, spelled_booleans)
    if kind == pl.Date:
        cells = cells.cast(pl.Datetime("us"))
    if kind in (pl.Date, pl.Datetime):
        seconds = cells.dt.epoch("us").cast(pl.Float64) / 1e6
        return reader.typed(_floats(seconds), "date", where, spelled_dates)
    if kind == pl.Duration:
        cells = cells.dt.total_microseconds().cast(pl.Float64) / 1e6
    elif kind == pl.Time:
        cells = cells.cast(pl.Int64).cast(pl.Float64) / 1e9
    elif not kind.is_numeric():
        raise DataError(
            f"{source}: column {reader.name!r}: expected numbers, texts, booleans or "
            f"dates, got {kind}. Leave the column out by the type skip, or take it "
            "apart."
        )
    return reader.typed(_floats(cells), "number", where, spelled)


def _floats(cells: Any) -> Array:
    values = cells.cast(polars().Float64).fill_null(np.nan).to_numpy()
    return np.asarray(values, np.float64)


def as_float(value: float) -> float:
    """Return a number as a float; an integer too large for one is infinite."""
    try:
        return float(value)
    except OverflowError:
        return float("inf")


def spelled(values: Array) -> list[str]:
    """Write numbers as a file would: integers without a decimal point."""
    return [
        str(int(value)) if value.is_integer() else repr(value)
        for value in values.tolist()
    ]


def spelled_booleans(values: Array) -> list[str]:
    """Write booleans as texts."""
    return ["true" if value else "false" for value in values.tolist()]


def spelled_dates(values: Array) -> list[str]:
    """Write seconds since 1970 as ISO 8601: a day, or a time where it has one."""
    return [
        str(np.datetime64(int(value), "s")).removesuffix("T00:00:00")
        for value in values.tolist()
    ]


NATURAL: dict[str, Kind] = {"i": "number", "u": "number", "f": "number", "b": "boolean"}
"""Kinds of NumPy's types."""
