"""Thinned: fewer of many values, evenly, where more would not be told apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def places(count: int, most: int, keep: int | None = None) -> list[int]:
    """Return at most so many places of values, evenly spaced, the first and the last.

    Args:
        count: How many values there are.
        most: How many places are returned at most; at least 2.
        keep: One more that is among them.
    """
    if count <= most:
        return list(range(count))
    chosen = {round(i * (count - 1) / (most - 1)) for i in range(most)}
    return sorted(chosen | (set() if keep is None else {keep}))


def thinned(values: Sequence[T], most: int) -> list[T]:
    """Return at most so many of some values, as ``places`` says."""
    return [values[place] for place in places(len(values), most)]
