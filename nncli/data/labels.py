"""Labels: classes as a program writes them, and as indices."""

from __future__ import annotations

from typing import Any

import numpy as np

from nncli.backend import Array
from nncli.errors import DataError


class Labels:
    """The classes of a target column, in order.

    Args:
        values: (K,) the classes in order: numbers, texts or booleans.
    """

    def __init__(self, values: Array) -> None:
        self.values = values

    @classmethod
    def of(cls, targets: Array) -> Labels:
        """Take the classes that occur in (N,) targets."""
        return cls(np.unique(targets))

    @property
    def names(self) -> tuple[str, ...]:
        """The classes as texts."""
        return tuple(str(value) for value in self.values)

    def encode(self, targets: Array) -> Array:
        """Return class indices.

        Raises:
            DataError: A class is none of these.
        """
        if self.values.dtype.kind == "U" and targets.dtype.kind != "U":
            targets = targets.astype(str)
        # The classes of a dataset need not be in alphabetical order.
        order = np.argsort(self.values, kind="stable")
        found = np.searchsorted(self.values, targets, sorter=order)
        index: Array = order[found.clip(0, len(self.values) - 1)]
        strange = self.values[index] != targets
        if strange.any():
            raise DataError(
                f"rows: expected classes that were in the first fit, got "
                f"{targets[strange][0]!r}."
            )
        return index

    def decode(self, index: Array) -> Array:
        """Return the classes of indices."""
        chosen: Array = self.values[index]
        return chosen

    def to_json(self) -> list[Any] | None:
        """Return type and classes as JSON values; None for types without such."""
        if self.values.dtype.kind not in "iufbU":
            return None
        return [self.values.dtype.str, self.values.tolist()]

    @classmethod
    def from_json(cls, value: Any) -> Labels:
        """Undo ``to_json``.

        Raises:
            ValueError: It is not what ``to_json`` gave.
        """
        dtype, values = value
        made = np.dtype(dtype)
        if made.kind not in "iufbU":
            raise ValueError(f"expected a type of numbers or texts, got {made}")
        return cls(np.array(values, made))
