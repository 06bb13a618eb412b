"""Where the values of a table go while it is read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from nncli.core.arrays import Array, check_memory


class Store(Protocol):
    """Takes rows of float64, and gives them back as one array."""

    def add(self, block: Array) -> None:
        """Take some rows."""

    def column(self, place: int) -> Array:
        """Return one column of all rows."""

    def finish(self, places: Sequence[int]) -> Array:
        """Return all rows of some columns, row-major."""

    def drop(self) -> None:
        """Forget everything."""


class Memory:
    """Keeps rows in memory.

    Args:
        columns: How many there are.
    """

    def __init__(self, columns: int) -> None:
        self._blocks: list[Array] = []
        self._columns = columns
        self._rows = 0

    def add(self, block: Array) -> None:
        """Take some rows."""
        self._rows += len(block)
        what = "the table"
        check_memory((self._rows, self._columns), np.dtype(np.float64), what)
        self._blocks.append(block)

    def column(self, place: int) -> Array:
        """Return one column of all rows."""
        return np.concatenate([block[:, place] for block in self._blocks])

    def finish(self, places: Sequence[int]) -> Array:
        """Return all rows of some columns, row-major."""
        values = np.empty((self._rows, len(places)))
        begin = 0
        for block in self._blocks:
            values[begin : begin + len(block)] = block[:, places]
            begin += len(block)
        return values

    def drop(self) -> None:
        """Forget everything."""
        self._blocks.clear()
