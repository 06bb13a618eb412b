"""Columns by name: of frames (pandas, polars) and of files."""

from __future__ import annotations

from typing import Any

import numpy as np

from nncli.core.arrays import Array, Shape
from nncli.core.errors import DataError


def columns_of(x: Any) -> tuple[str, ...] | None:
    """Return the names of a frame's columns; None for an array, which has none."""
    names = getattr(x, "columns", None)
    if names is None or isinstance(x, np.ndarray):
        return None
    return tuple(map(str, names))


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


def numeric_columns(x: Any) -> list[str]:
    """Return the names of a frame's columns that hold numbers."""
    own = dict(zip(columns_of(x) or (), getattr(x, "columns", ()), strict=True))
    return [n for n, key in own.items() if np.asarray(x[key]).dtype.kind in "biuf"]
