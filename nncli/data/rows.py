"""Rows: what a Python program hands over, checked."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from numbers import Real
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from nncli.core.arrays import Array, Shape
from nncli.core.balance import balanced_weights
from nncli.core.errors import ArgumentError, DataError, ShapeError
from nncli.core.text import show
from nncli.data.base import Table
from nncli.data.labels import Labels


def paired(x: ArrayLike, y: ArrayLike) -> tuple[Array, Array]:
    """Return inputs as finite float64 numbers, and targets as they are.

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
    """Return numbers as float64; refuse texts, NaN and infinity."""
    try:
        numbers: Array = values.astype(np.float64)
    except (TypeError, ValueError):
        raise DataError(
            f"rows: expected numbers as {what}, got {values.dtype} values such as "
            f"{values.reshape(-1)[0]!r}."
        ) from None
    if not np.isfinite(numbers).all():
        raise DataError(f"rows: expected finite {what}, got NaN or infinity.")
    return numbers


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


ClassWeight = Mapping[Any, float] | Literal["balanced"]


def class_weighted(table: Table, given: ClassWeight, labels: Labels | None) -> Table:
    """Return the table with each row's weight times that of its class.

    Args:
        table: The training part.
        given: Factors by class, 1 for those that are not named; or ``balanced``, see
            ``balanced_weights``.
        labels: The classes as the program writes them.

    Raises:
        DataError: The targets are no classes, one a row.
        ArgumentError: A class is none of these, or a factor is no number >= 0.
    """
    if table.classes is None or labels is None or table.y.ndim != 1:
        raise DataError("class_weight: expected targets of one class a row.")
    if not isinstance(given, Mapping) and given != "balanced":
        raise ArgumentError(
            "class_weight: expected numbers by class, or 'balanced', got "
            f"{show(given)}."
        )
    if isinstance(given, str):
        factors = balanced_weights(np.bincount(table.y, minlength=len(table.classes)))
    else:
        factors = np.ones(len(table.classes))
        for label, factor in given.items():
            if not isinstance(factor, Real) or not 0 <= factor < np.inf:
                raise ArgumentError(
                    f"class_weight: expected a number of at least 0 for class {label}, "
                    f"got {show(factor)}."
                )
            factors[labels.encode(np.asarray([label]))] = factor
    rows = factors[table.y]
    return weighted(table, rows if table.weights is None else rows * table.weights)
