"""Rows: what a Python program hands over, checked."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import ArrayLike

from nncli.core.arrays import Array, Shape
from nncli.core.errors import DataError, ShapeError
from nncli.data.base import Table


def paired(x: ArrayLike, y: ArrayLike) -> tuple[Array, Array]:
    """Return inputs as finite numbers in their own type, and targets as they are.

    Raises:
        DataError: There are not as many inputs as targets, or none at all.
    """
    inputs, targets = np.asarray(x), np.asarray(y)
    if inputs.ndim == 0 or targets.shape[:1] != inputs.shape[:1]:
        raise DataError(
            f"rows: expected as many inputs as targets, got shapes "
            f"{inputs.shape} and {targets.shape}."
        )
    if not len(inputs):
        raise DataError("rows: expected at least one row, got none.")
    return finite(inputs, "inputs"), targets


def finite(values: Array, what: str) -> Array:
    """Return numbers in their own type; refuse texts, NaN and infinity."""
    if values.dtype.kind not in "biuf":
        try:
            values = values.astype(np.float64)
        except (TypeError, ValueError):
            raise DataError(
                f"rows: expected numbers as {what}, got {values.dtype} values such as "
                f"{values.reshape(-1)[0]!r}."
            ) from None
    start = 0
    for (block,) in Table(values).blocks("x") if values.dtype.kind == "f" else ():
        check_finite(block, "rows", what, start)
        start += len(block)
    return values


def check_finite(block: Array, where: str, what: str, first: int = 0) -> None:
    """Refuse NaN and infinity among some rows, and name the first.

    Args:
        block: (n, ...) floating-point numbers.
        where: What the message begins with.
        what: What they are.
        first: The place of the block's first row.

    Raises:
        DataError: There are some.
    """
    # A sum is finite where all are, or too large a number to work with.
    if np.isfinite(block).all():
        return
    rows = np.flatnonzero(~np.isfinite(block.reshape(len(block), -1)).all(axis=1))
    raise DataError(
        f"{where}: expected finite {what}, got NaN or infinity, first in row "
        f"{first + rows[0]}."
    )


def shaped(values: Array, row: Shape) -> Array:
    """Return inputs whose rows have a shape.

    Raises:
        ShapeError: They have another; a single row is no batch.
    """
    if values.ndim == 0 or values.shape[1:] != row:
        wanted = f"({', '.join(['N', *map(str, row)])})"
        hint = " For a single row, give x[None]." if values.shape == row else ""
        raise ShapeError(
            f"rows: expected inputs of shape {wanted}, got {values.shape}.{hint}"
        )
    return values


def weighted(table: Table, weights: ArrayLike | None) -> Table:
    """Return the table with a weight for each row, if there are any.

    Raises:
        DataError: They are not one number of at least 0 a row, or all of them are 0.
    """
    if weights is None:
        return table
    array = np.asarray(weights, np.float64)
    if array.shape != (len(table),):
        raise DataError(
            f"sample_weight: expected one number a row, shape ({len(table)},), got "
            f"{array.shape}."
        )
    if not (np.isfinite(array).all() and (array >= 0).all() and array.any()):
        raise DataError(
            "sample_weight: expected numbers of at least 0, not all of them 0."
        )
    return dataclasses.replace(table, weights=array)
