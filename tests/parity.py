"""Comparing with an independent oracle: what every ``test_parity.py`` shares."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from nncli.core.arrays import Array

GRADIENTS = 1e-10
"""How far values and gradients may be from PyTorch's in float64."""

TRAINED = 1e-9
"""How far parameters may be from PyTorch's after 200 optimizer steps in float64."""


def distance(ours: Array, theirs: Any, *, special: bool = False) -> float:
    """Return max |a − b| / max(1, |b|); infinite where an element is not a number.

    With ``special``, infinities are 0 from themselves, and what is no number from what
    is none either.
    """
    expected = np.asarray(theirs)
    assert ours.shape == expected.shape, f"{ours.shape} instead of {expected.shape}"
    if not ours.size:
        return 0.0
    ours, expected = ours.astype(np.float64), expected.astype(np.float64)
    with np.errstate(invalid="ignore"):
        error = np.abs(ours - expected) / np.maximum(1.0, np.abs(expected))
    if special:
        same = (ours == expected) | (np.isnan(ours) & np.isnan(expected))
        error = np.where(same, 0.0, error)
    return float(np.nan_to_num(error, nan=np.inf).max())


def assert_agrees(
    ours: Array | None,
    theirs: Any,
    what: str,
    tolerance: float = GRADIENTS,
    *,
    special: bool = False,
) -> None:
    """Fail, naming ``what``, where two arrays differ by more than ``tolerance``."""
    assert ours is not None, f"{what}: nothing was computed"
    assert theirs is not None, f"{what}: the oracle computed nothing"
    error = distance(ours, theirs, special=special)
    assert error <= tolerance, f"{what}: {error:.3g} apart, more than {tolerance:g}"


def layouts(array: Array) -> Iterator[tuple[str, Array]]:
    """Yield the same values in every kind of memory layout that NumPy has.

    Row-major, column-major, every other element of a larger array, and backwards.
    """
    yield "C", np.array(array, order="C")
    if array.ndim < 1:
        return
    yield "F", np.asfortranarray(array)
    wide = np.full([2 * size for size in array.shape], 77, array.dtype)
    strided = wide[tuple(slice(None, None, 2) for _ in array.shape)]
    strided[...] = array
    yield "strided", strided
    flip = tuple(slice(None, None, -1) for _ in array.shape)
    yield "reversed", np.ascontiguousarray(array[flip])[flip]


def without_case(members: dict[str, type[Any]], covered: set[str]) -> list[str]:
    """Return the names of nncli's own members that have no case, in order."""
    own = {name for name, cls in members.items() if cls.__module__.startswith("nncli.")}
    return sorted(own - covered)
