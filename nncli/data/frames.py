"""Columns by name: of frames (pandas, polars) and of files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nncli.core.arrays import Array, Shape
from nncli.core.errors import DataError
from nncli.core.text import nearest


def columns_of(x: Any) -> tuple[str, ...] | None:
    """Return the names of a frame's columns; None for an array, which has none."""
    names = getattr(x, "columns", None)
    if names is None or isinstance(x, np.ndarray):
        return None
    return tuple(map(str, names))


def in_order(x: Any, wanted: Sequence[str] | None) -> Any:
    """Return a frame with the columns that a model was trained on, in their order.

    An array, and a frame for a model that knows no names, go by position.

    Raises:
        DataError: A column is missing.
    """
    names = columns_of(x)
    if names is None or wanted is None or names == tuple(wanted):
        return x
    _check_there(names, wanted, "rows")
    own = dict(zip(names, x.columns, strict=True))
    return x[[own[name] for name in wanted]]


def chosen(
    names: Sequence[str], wanted: Sequence[str] | None, row: Shape, source: str
) -> list[str]:
    """Return which columns of a file are inputs, in order.

    By name, where the model knows names and the file has some; else by position.

    Args:
        names: Of the file's columns; ``0``, ``1``, ... where it names none.
        wanted: What the model was trained on, if it knows.
        row: Shape of one row of the inputs.
        source: What messages call the file.

    Raises:
        DataError: A column is missing, or there are too many or too few.
    """
    untitled = list(names) == [str(place) for place in range(len(names))]
    if wanted is not None and not untitled:
        _check_there(names, wanted, source)
        return list(wanted)
    count = int(np.prod(row))
    if len(names) != count:
        raise DataError(
            f"{source}: expected {count} columns of inputs, got {len(names)}."
        )
    return list(names)


def as_rows(values: Array, row: Shape, source: str) -> Array:
    """Return inputs whose rows have a shape, or can be given it.

    Raises:
        DataError: They have another number of elements.
    """
    if values.ndim and values.shape[1:] == row:
        return values
    if values.ndim and values.size == len(values) * int(np.prod(row)):
        return values.reshape(len(values), *row)
    wanted = f"({', '.join(['N', *map(str, row)])})"
    raise DataError(f"{source}: expected inputs of shape {wanted}, got {values.shape}.")


def _check_there(names: Sequence[str], wanted: Sequence[str], source: str) -> None:
    missing = [name for name in wanted if name not in names]
    if missing:
        more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
        raise DataError(
            f"{source}: expected a column {missing[0]!r}{more}, as the model was "
            f"trained on. {nearest(missing[0], list(names))}"
        )
