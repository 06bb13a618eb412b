"""Labels: classes as a program writes them, and as indices."""

from __future__ import annotations

from typing import Any

import numpy as np

from nncli.core.arrays import Array
from nncli.core.errors import DataError, RunError


class Labels:
    """The classes of a target column, in order.

    Args:
        values: (K,) the classes in order: numbers, texts or booleans.
    """

    def __init__(self, values: Array) -> None:
        self.values = values

    @classmethod
    def of(cls, targets: Array) -> Labels:
        """Take the classes that occur in (N,) targets.

        Raises:
            DataError: They are no numbers, texts or booleans of one kind.
        """
        return cls(np.unique(_of_one_kind(targets)))

    @property
    def names(self) -> tuple[str, ...]:
        """The classes as texts."""
        return tuple(str(value) for value in self.values)

    def encode(self, targets: Array) -> Array:
        """Return class indices.

        Raises:
            DataError: A class is none of these.
        """
        targets = _of_one_kind(targets)
        if self.values.dtype.kind == "U" and targets.dtype.kind != "U":
            # A checkpoint knows names: 1, 1.0 and True are all the class "1".
            whole = targets.dtype.kind in "bf" and (targets == targets // 1).all()
            targets = (targets.astype(int) if whole else targets).astype(str)
        # The classes of a dataset need not be in alphabetical order.
        order = np.argsort(self.values, kind="stable")
        found = np.searchsorted(self.values, targets, sorter=order)
        index: Array = order[found.clip(0, len(self.values) - 1)]
        strange = self.values[index] != targets
        if strange.any():
            known = ", ".join(self.names[:10]) + (", ..." * (len(self.names) > 10))
            raise DataError(
                f"rows: expected one of the classes {known}, got {targets[strange][0]}."
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
    def of_checkpoint(cls, meta: dict[str, Any], source: str) -> Labels | None:
        """Return the labels that a checkpoint's metadata hold, if any.

        Raises:
            RunError: They are not what ``to_json`` gave.
        """
        value = meta.get("labels")
        try:
            return None if value is None else cls.from_json(value)
        except (TypeError, ValueError, OverflowError) as error:
            raise RunError(
                f"{source}: expected the labels of a model, got: {error!r}."
            ) from None

    @classmethod
    def from_json(cls, value: Any) -> Labels:
        """Undo ``to_json``.

        Raises:
            ValueError: It is not what ``to_json`` gave.
        """
        dtype, values = value
        if not isinstance(dtype, str):
            raise TypeError(f"expected the name of a type, got {dtype!r}")
        made = np.dtype(dtype)
        if made.kind not in "iufbU":
            raise ValueError(f"expected a type of numbers or texts, got {made}")
        if made.kind == "U":
            # The size of a text is that of the longest one, whatever a file says.
            made = np.dtype(str)
        labels = np.array(values, made)
        if labels.ndim != 1:
            raise ValueError(f"expected a list of classes, got shape {labels.shape}")
        return cls(labels)


def _of_one_kind(targets: Array) -> Array:
    """Return targets as an array of numbers, texts or booleans."""
    if targets.dtype.kind == "O":
        # A column of a table, say: the values know better what they are.
        if len({type(value) for value in targets.tolist()}) > 1:
            raise DataError("rows: expected classes of one kind, got several kinds.")
        targets = np.array(targets.tolist())
    if targets.dtype.kind not in "iufbU":
        raise DataError(
            f"rows: expected numbers, texts or booleans as classes, got "
            f"{targets.dtype} values."
        )
    if targets.dtype.kind == "f" and not np.isfinite(targets).all():
        raise DataError("rows: expected finite targets, got NaN or infinity.")
    return targets
