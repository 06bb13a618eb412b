"""Rows: what a Python program hands over, checked."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from nncli.core.arrays import Array, Shape
from nncli.core.balance import balanced_weights
from nncli.core.errors import ArgumentError, DataError, ShapeError
from nncli.core.text import show
from nncli.data.base import Rows
from nncli.data.frames import columns_of
from nncli.data.labels import Labels
from nncli.data.table import Table


def paired(x: ArrayLike, y: ArrayLike) -> tuple[Array, Array]:
    """Return inputs as finite numbers in their own type, and targets as they are.

    Raises:
        DataError: There are not as many inputs as targets, or none at all.
    """
    inputs, targets = np.asarray(x), np.asarray(y)
    check_paired(inputs, targets)
    return finite(inputs, "inputs", columns_of(x)), targets


def check_paired(inputs: Array, targets: Array) -> None:
    """Refuse inputs and targets that are not as many, or none.

    Raises:
        DataError: They are not.
    """
    if inputs.ndim == 0 or targets.shape[:1] != inputs.shape[:1]:
        raise DataError(
            f"rows: expected as many targets y as inputs x, got x of shape "
            f"{inputs.shape} and y of shape {targets.shape}."
        )
    if not len(inputs):
        raise DataError("rows: expected at least one row, got none.")


def finite(values: Array, what: str, columns: Sequence[str] | None = None) -> Array:
    """Return numbers in their own type; refuse texts, NaN and infinity.

    Args:
        values: (N, ...) what was given.
        what: What messages call it.
        columns: Names of the columns, where they have names.
    """
    if values.dtype.kind not in "biuf":
        try:
            values = values.astype(np.float64)
        except (TypeError, ValueError):
            place, value = _first_text(values)
            where = f" in {_located(place, columns or ())}" if place else ""
            raise DataError(
                f"rows: expected numbers as {what}, got {value!r}{where}. Leave such a "
                "column out, or write it as numbers."
            ) from None
    fault = not_finite(Table(values), "x", columns)
    if fault:
        raise DataError(f"rows: expected finite {what}: {fault}.")
    return values


def not_finite(rows: Rows, field: str, columns: Sequence[str] | None = None) -> str:
    """Say how many rows hold NaN or infinity, and where the first is; or nothing.

    Args:
        rows: Gone through some at a time.
        field: Which field of them.
        columns: Names of its columns, where they have names.
    """
    if rows.fields[field].dtype.kind != "f" or (rows.finite and field == "x"):
        return ""
    found: dict[str, None] = {}
    first: tuple[int, ...] | None = None
    start = count = 0
    for (block,) in rows.blocks(field):
        bad = ~np.isfinite(block)
        if bad.any():
            row, *rest = (int(i) for i in np.argwhere(bad)[0])
            first = first or (start + row, *rest)
            kinds = {"NaN": np.isnan(block), "infinity": np.isinf(block)}
            found |= {name: None for name, where in kinds.items() if where.any()}
            count += int(bad.reshape(len(block), -1).any(axis=1).sum())
        start += len(block)
    if first is None:
        return ""
    verb = "holds" if count == 1 else "hold"
    return (
        f"{count:,} of {len(rows):,} rows {verb} {' or '.join(sorted(found))}, the "
        f"first in {_located(first, columns or ())}"
    )


def _located(place: tuple[int, ...], columns: Sequence[str]) -> str:
    """Write a place as row and column, counted from 0."""
    row, *rest = place
    if not rest:
        return f"row {row} (from 0)"
    if len(rest) > 1:
        return f"row {row} at {tuple(rest)} (from 0)"
    if rest[0] < len(columns):
        return f"row {row} (from 0), column {columns[rest[0]]!r}"
    return f"row {row}, column {rest[0]} (from 0)"


def _first_text(values: Array) -> tuple[tuple[int, ...], Any]:
    """Return the place and the value of the first element that is no number."""
    for place in np.ndindex(values.shape):
        try:
            float(values[place])
        except (TypeError, ValueError):
            return place, values[place]
    return (), values.dtype


def shaped(values: Array, row: Shape) -> Array:
    """Return inputs whose rows have a shape.

    Raises:
        ShapeError: They have another; a single row is no batch.
    """
    if values.ndim == 0 or values.shape[1:] != row:
        wanted = f"({', '.join(['N', *map(str, row)])})"
        hint = " For a single row, give x[None]." if values.shape == row else ""
        raise ShapeError(
            f"rows: expected inputs x of shape {wanted}, got {values.shape}.{hint}"
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


ClassWeight = Mapping[Any, float] | Literal["balanced"]


def class_weighted(
    table: Table, given: ClassWeight, labels: Labels | None, index: Array | None
) -> Table:
    """Return the table with each row's weight times that of its class.

    Args:
        table: The rows that the training part is in.
        given: Factors by class, 1 for those that are not named; or ``balanced``, see
            ``balanced_weights``.
        labels: The classes as the program writes them.
        index: Places of the training part; None for all.

    Raises:
        DataError: The targets are no classes, one a row.
        ArgumentError: A class is none of these, or a factor is no number >= 0.
    """
    y = table.y
    if table.classes is None or labels is None or y is None or y.ndim != 1:
        raise DataError("class_weight: expected targets of one class a row.")
    if not isinstance(given, Mapping) and given != "balanced":
        raise ArgumentError(
            "class_weight: expected numbers by class, or 'balanced', got "
            f"{show(given)}."
        )
    if isinstance(given, str):
        trained = y if index is None else y[index]
        factors = balanced_weights(np.bincount(trained, minlength=len(table.classes)))
    else:
        factors = np.ones(len(table.classes))
        for label, factor in given.items():
            if not isinstance(factor, Real) or not 0 <= factor < np.inf:
                raise ArgumentError(
                    f"class_weight: expected a number of at least 0 for class {label}, "
                    f"got {show(factor)}."
                )
            factors[labels.encode(np.asarray([label]))] = factor
    rows = factors[y]
    return weighted(table, rows if table.weights is None else rows * table.weights)
