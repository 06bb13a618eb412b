"""Rows that are given in Python: frames, dicts of lists, arrays."""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from nncli.core.arrays import Array
from nncli.core.errors import DataError
from nncli.core.text import nearest
from nncli.tables.column import ColumnReader
from nncli.tables.library import polars
from nncli.tables.raw import RawColumn, RawTable, check_there
from nncli.tables.reading import Kinds, Reading
from nncli.tables.typed import (
    as_float,
    series_values,
    spelled,
    spelled_booleans,
    spelled_dates,
)


def raw_of(
    rows: Any,
    like: Sequence[RawColumn] | None = None,
    kinds: Kinds | None = None,
    source: str = "rows",
    reading: Reading | None = None,
    formats: Mapping[str, str] | None = None,
) -> RawTable:
    """Return rows from Python as a table.

    Frames (pandas, polars) and dicts go by name: columns stand in any order, and others
    may stand between them. Arrays go by position. Polars is needed for texts only.

    Args:
        rows: A frame of pandas or polars, a dict of columns, or a matrix (N, F).
        like: The columns that are wanted, of their kinds. New words follow those that
            a category has. None for all columns, of the kinds that their types say.
        kinds: Kinds of columns that are known, or ``skip``, where nothing is wanted.
        source: What messages call the rows.
        reading: What texts mean; None for the defaults.
        formats: Of dates that are texts, by column, as ``strptime`` has them.

    Raises:
        DataError: A column is missing, or a cell does not fit its kind.
    """
    reading, kinds, formats = reading or Reading(), kinds or {}, formats or {}
    found = _columns(rows, like, source)
    if not found:
        raise DataError(f"{source}: expected columns, got none.")
    readers = _readers(found, like, kinds, source, reading, formats)
    arrays = [
        _values(found[reader.name], reader, partial(_at, source), source)
        for reader in readers
    ]
    sizes = {
        reader.name: len(each) for reader, each in zip(readers, arrays, strict=True)
    }
    if len(set(sizes.values())) > 1:
        raise DataError(f"{source}: expected columns of one length, got {sizes}.")
    for reader in readers:
        reader.finish()
    values = np.empty((len(arrays[0]) if arrays else 0, len(arrays)))
    for place, each in enumerate(arrays):
        values[:, place] = each
    columns = tuple(reader.column for reader in readers)
    return RawTable(source, columns, values)


def _at(source: str, row: int) -> str:
    return f"{source}: row {row:,}"


def _columns(
    rows: Any, like: Sequence[RawColumn] | None, source: str
) -> dict[str, Any]:
    """Return the columns of rows by name."""
    if isinstance(rows, Mapping):
        found = {str(name): rows[name] for name in rows}
    elif getattr(rows, "columns", None) is not None:
        names = [str(name) for name in rows.columns]
        double = next((name for name in names if names.count(name) > 1), None)
        if double is not None:
            raise DataError(
                f"{source}: expected each column once, got {double!r} twice."
            )
        by_name = dict(zip(names, rows.columns, strict=True))
        found = {name: rows[own] for name, own in by_name.items()}
    else:
        return _by_position(np.asarray(rows), like, source)
    check_there(like or (), list(found), source)
    return found


def _by_position(
    matrix: Array, like: Sequence[RawColumn] | None, source: str
) -> dict[str, Any]:
    if matrix.ndim != 2:
        raise DataError(
            f"{source}: expected a matrix (N, F), got an array of shape {matrix.shape}."
        )
    if like is None:
        names = [str(place) for place in range(matrix.shape[1])]
    else:
        names = [column.name for column in like]
    if len(names) != matrix.shape[1]:
        raise DataError(
            f"{source}: expected {len(names)} columns, got {matrix.shape[1]}. An array "
            "goes by position; a frame or a dict goes by name."
        )
    return {name: matrix[:, place] for place, name in enumerate(names)}


def _readers(
    found: Mapping[str, Any],
    like: Sequence[RawColumn] | None,
    kinds: Kinds,
    source: str,
    reading: Reading,
    formats: Mapping[str, str],
) -> list[ColumnReader]:
    if like is not None:
        return [
            ColumnReader(
                each.name,
                source,
                reading,
                each.kind,
                form=formats.get(each.name),
                words=each.words,
            )
            for each in like
        ]
    for name in kinds:
        if name not in found:
            raise DataError(
                f"{source}: expected a column {name!r}. {nearest(name, list(found))}"
            )
    readers = []
    for name in found:
        kind = kinds.get(name)
        if kind != "skip":
            form = formats.get(name)
            readers.append(ColumnReader(name, source, reading, kind, form=form))
    return readers


def _values(column: Any, reader: ColumnReader, where: Any, source: str) -> Array:
    """Read a column of any library."""
    if type(column).__module__.startswith("polars"):
        return series_values(column, reader, where, source)
    if hasattr(column, "cat") and hasattr(column, "to_numpy"):
        words = [_text(word, reader) for word in column.cat.categories.tolist()]
        if reader.kind in (None, "category"):
            return reader.coded(np.asarray(column.cat.codes), words, where)
    if hasattr(column, "to_numpy"):
        column = _of_pandas(column)
    array = column if isinstance(column, np.ndarray) else _array(column)
    return _of_array(array, reader, where, source)


def _of_pandas(column: Any) -> Array:
    kind = getattr(column.dtype, "kind", "O")
    if getattr(column.dtype, "tz", None) is not None:
        column = column.dt.tz_convert("UTC").dt.tz_localize(None)
    if kind in "iufb" and not isinstance(column.dtype, np.dtype):
        values = np.asarray(column.to_numpy(np.float64, na_value=np.nan))
        return values.astype(object) == 1 if _is_full_bool(kind, values) else values
    return np.asarray(column.to_numpy())


def _is_full_bool(kind: str, values: Array) -> bool:
    return kind == "b" and not np.isnan(values).any()


def _array(column: Any) -> Array:
    values = list(column)
    array = np.empty(len(values), object)
    array[:] = values
    return array


def _of_array(array: Array, reader: ColumnReader, where: Any, source: str) -> Array:
    if array.ndim != 1:
        raise DataError(
            f"{source}: column {reader.name!r}: expected one value a row, got shape "
            f"{array.shape}."
        )
    kind = array.dtype.kind
    if kind in "iuf":
        return reader.typed(array.astype(np.float64), "number", where, spelled)
    if kind == "b":
        floats = array.astype(np.float64)
        return reader.typed(floats, "boolean", where, spelled_booleans)
    if kind == "M":
        return reader.typed(_seconds(array), "date", where, spelled_dates)
    if kind == "m":
        floats = array.astype("m8[us]").astype(np.float64) / 1e6
        floats[np.isnat(array)] = np.nan
        return reader.typed(floats, "number", where, spelled)
    values = [None if _is_nothing(each) else each for each in array.tolist()]
    return _of_objects(values, reader, where, source)


def _seconds(array: Array) -> Array:
    floats = array.astype("M8[us]").astype(np.float64) / 1e6
    floats[np.isnat(array)] = np.nan
    return floats


def _is_nothing(value: Any) -> bool:
    """Tell None, NaN, pandas' NA and NaT."""
    return value is None or (
        not isinstance(value, str)
        and (type(value).__name__ in ("NAType", "NaTType") or value != value)
    )


def _of_objects(
    values: list[Any], reader: ColumnReader, where: Any, source: str
) -> Array:
    """Read Python's objects: one type of them decides, texts where they are mixed."""
    present = [each for each in values if each is not None]
    if all(isinstance(each, bool | np.bool_) for each in present) and present:
        floats = np.array([np.nan if v is None else float(v) for v in values])
        return reader.typed(floats, "boolean", where, spelled_booleans)
    if all(_is_number(each) for each in present):
        floats = np.array([np.nan if v is None else as_float(v) for v in values])
        return reader.typed(floats, "number", where, spelled)
    if all(isinstance(each, datetime.date) for each in present):
        floats = np.array([np.nan if v is None else _stamp(v) for v in values])
        return reader.typed(floats, "date", where, spelled_dates)
    texts = [None if each is None else _text(each, reader) for each in values]
    odd = next(
        (i for i, t in enumerate(texts) if t is None and values[i] is not None), None
    )
    if odd is not None and not isinstance(values[odd], str):
        raise DataError(
            f"{where(odd)}: column {reader.name!r}: expected a number, a text, a "
            f"boolean or a date, got {type(values[odd]).__name__}."
        )
    if reader.kind is None:
        reader.kind = "category"
    pl = polars(f"{source} with texts")
    return reader.texts(pl.Series(reader.name, texts, dtype=pl.String), where)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(
        value, bool
    )


def _stamp(value: datetime.date) -> float:
    if not isinstance(value, datetime.datetime):
        value = datetime.datetime(value.year, value.month, value.day)
    if value.tzinfo is None:
        value = value.replace(tzinfo=datetime.UTC)
    return value.timestamp()


def _text(value: Any, reader: ColumnReader) -> str | None:
    """Return a scalar as a file would have it; None if it is none, or is missing."""
    if isinstance(value, str):
        text = value.strip()
        return None if text in reader.reading.missing else text
    if isinstance(value, bool | np.bool_):
        return "true" if value else "false"
    if _is_number(value):
        return None if math.isnan(value) else spelled(np.array([value], np.float64))[0]
    if isinstance(value, datetime.date):
        return spelled_dates(np.array([_stamp(value)]))[0]
    return None
