"""Rows from files of numbers: NumPy's archives and arrays."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np

from nncli.core.arrays import Array
from nncli.core.errors import DataError
from nncli.core.npy import read_npy, read_npz
from nncli.core.signature import File, Positive
from nncli.core.text import nearest
from nncli.data.base import Dataset
from nncli.data.table import Table

Kind = Literal["auto", "classes", "numbers"]


class Npz(Dataset, name="npz"):
    """Arrays of one NumPy archive (``np.savez``): inputs x (N, ...) and targets y.

    Never unpickled; memory-mapped, where the archive is not compressed. Other arrays
    with one value a row are columns to split by.

    Args:
        path: The file; relative to the config.
        x: Name of the inputs.
        y: Name of the targets.
        weights: Name of how much each row counts in the loss; null for 1.
        targets: Whether targets are ``classes`` or ``numbers``; ``auto`` for what the
            loss wants of integers and texts, and numbers otherwise.
        rows_per_epoch: How many rows an epoch takes; null for all.
    """

    path: File
    x: str = "x"
    y: str = "y"
    weights: str | None = None
    targets: Kind = "auto"
    rows_per_epoch: Positive | None = None

    def load(self, rng: np.random.Generator) -> Table:
        """Open the archive."""
        arrays = read_npz(Path(self.path))
        x = _named(arrays, self.x, self.path)
        y = _named(arrays, self.y, self.path)
        weights = None
        if self.weights is not None:
            weights = _named(arrays, self.weights, self.path)
        used = {self.x, self.y, self.weights}
        keys = {
            name: np.asarray(array)
            for name, array in arrays.items()
            if name not in used and array.shape == x.shape[:1]
        }
        return _table(x, y, self.targets, self.path, weights, keys, self.rows_per_epoch)


class Npy(Dataset, name="npy"):
    """Two files of NumPy arrays (``np.save``): inputs (N, ...) and targets.

    Never unpickled; memory-mapped, so that they may be larger than memory.

    Args:
        x: The file of the inputs; relative to the config.
        y: The file of the targets.
        targets: Whether targets are ``classes`` or ``numbers``; ``auto`` for what the
            loss wants of integers and texts, and numbers otherwise.
        rows_per_epoch: How many rows an epoch takes; null for all.
    """

    x: File
    y: File
    targets: Kind = "auto"
    rows_per_epoch: Positive | None = None

    def load(self, rng: np.random.Generator) -> Table:
        """Open the files."""
        x, y = read_npy(Path(self.x)), read_npy(Path(self.y))
        return _table(x, y, self.targets, self.x, None, {}, self.rows_per_epoch)


def _table(
    x: Array,
    y: Array,
    targets: Kind,
    source: str,
    weights: Array | None,
    keys: Mapping[str, Array],
    per_epoch: int | None,
) -> Table:
    """Return rows after a look at shapes and types."""
    if x.ndim < 2:
        raise DataError(
            f"{source}: expected inputs of shape (N, ...), got {x.shape}. For one "
            "number a row, save x[:, None]."
        )
    for name, array in (("targets", y), ("weights", weights)):
        if array is not None and array.shape[:1] != x.shape[:1]:
            raise DataError(
                f"{source}: expected as many {name} as inputs, got shapes "
                f"{array.shape} and {x.shape}."
            )
    if x.dtype.kind not in "biuf":
        raise DataError(f"{source}: expected inputs of numbers, got {x.dtype} values.")
    if targets == "numbers" and y.dtype.kind not in "biuf":
        raise DataError(f"{source}: expected targets of numbers, got {y.dtype} values.")
    return Table(
        x,
        # Targets are small, and looked at as a whole.
        np.array(y),
        weights=weights,
        keys=keys,
        per_epoch=per_epoch,
        targets=targets,
    )


def _named(arrays: Mapping[str, Array], name: str, source: str) -> Array:
    if name not in arrays:
        raise DataError(
            f"{source}: expected an array {name!r}. {nearest(name, list(arrays))}"
        )
    return arrays[name]
