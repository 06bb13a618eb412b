"""Rows, Dataset, Transform and Augmentation: the contracts of where data comes from."""

from __future__ import annotations

import hashlib
import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from nncli.core.arrays import Array, Shape, xp
from nncli.core.registry import Component

Index = Array | slice
"""Which rows: their places, or a run of them."""

BLOCK = 2**22
"""Bytes, as float64, that are looked at together where all rows are gone through."""


@dataclass(frozen=True)
class Field:
    """What one field of a row holds.

    Attributes:
        dtype: The type that it is stored in.
        shape: Its shape in one row.
    """

    dtype: np.dtype[Any]
    shape: Shape

    @property
    def nbytes(self) -> int:
        """Bytes of one row."""
        return math.prod(self.shape) * self.dtype.itemsize


class Rows(ABC):
    """Rows of data: nothing is copied or cast before a batch needs it.

    Attributes:
        fields: What a row holds, by name: ``x`` the inputs, ``y`` the targets (class
            indices where there are classes, else numbers), ``weights`` how much it
            counts in the loss (1 where there is no such field), ``lengths`` how many
            steps of a sequence there are (all where there is no such field).
        classes: The classes in the order of their indices, in their own type; None
            where targets are numbers.
        columns: Names of the elements of ``x``, where these are columns of a table.
        keys: Columns that rows can be split by, (N,) each, by name.
        parts: Places of the rows of official parts, by name; empty where there are
            none.
        per_epoch: How many rows an epoch of training takes; None for all of them.
        below: The inputs are integers from 0 to below − 1 (tokens, categories); None
            where they are numbers.
        stream: Each row goes on where the one before it stops: a batch's rows go on
            where the same rows of the batch before stopped.
        finite: The inputs are known to hold neither NaN nor infinity.
        scale_targets: Targets that are numbers are standardized for the loss, where it
            is one that this suits.
        target_names: Names of the targets, where they have names.
        notes: What who trains on them should know: columns that were left out.
        names: What messages call the rows, the names of files for example; None where
            they have numbers only.
    """

    fields: Mapping[str, Field]
    classes: tuple[Any, ...] | None = None
    columns: tuple[str, ...] | None = None
    keys: Mapping[str, Array] = {}
    parts: Mapping[str, Array] = {}
    per_epoch: int | None = None
    below: int | None = None
    stream: bool = False
    finite: bool = False
    scale_targets: bool = False
    target_names: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()
    names: tuple[str, ...] | None = None

    @abstractmethod
    def __len__(self) -> int:
        """Return the number of rows."""

    @abstractmethod
    def take(self, index: Index, out: Mapping[str, Array]) -> None:
        """Write the fields of some rows into arrays, in the type of each array.

        Args:
            index: Places of the rows; all of them are there.
            out: For each field that is wanted, (n, ...) in any type that holds it.
        """

    def read(self, name: str, index: Index) -> Array:
        """Return one field of some rows, in its own type."""
        field = self.fields[name]
        out = xp.empty((count_of(index), *field.shape), field.dtype)
        self.take(index, {name: out})
        return out

    def without_overlap(self, index: Array | None) -> Array | None:
        """Return the places of rows that hold each target of some rows once.

        Args:
            index: Which rows; None for all.

        Returns:
            Here the same; fewer where rows overlap.
        """
        return index

    def blocks(self, *names: str, index: Array | None = None) -> Iterator[list[Array]]:
        """Go through rows from the first to the last, some at a time.

        Args:
            names: Which fields.
            index: Which rows; None for all.

        Yields:
            The fields, in their own types.
        """
        # Of small types there are no more, for most who look at them want float64.
        width = max(1, sum(8 * math.prod(self.fields[name].shape) for name in names))
        total, size = len(self) if index is None else len(index), max(1, BLOCK // width)
        for start in range(0, total, size):
            here = slice(start, min(start + size, total))
            if index is None:
                yield [self.read(name, here) for name in names]
            else:
                yield self._some(names, index[here])

    def _some(self, names: Sequence[str], index: Array) -> list[Array]:
        """Return fields of rows: those of a stretch are read at once, then chosen."""
        first, last = int(index[0]), int(index[-1])
        if not len(index) <= last - first + 1 <= 2 * len(index):
            return [self.read(name, index) for name in names]
        near = index - first
        if near.min() < 0 or near.max() > last - first:
            return [self.read(name, index) for name in names]
        return [self.read(name, slice(first, last + 1))[near] for name in names]

    def digest(self) -> str:
        """Return the SHA-256 of inputs and targets, with their types and shapes."""
        total = hashlib.sha256()
        for name in ("x", "y", "lengths"):
            if name == "lengths" and name not in self.fields:
                continue
            field = self.fields[name]
            total.update(f"{field.dtype.str}{(len(self), *field.shape)}".encode())
            for (block,) in self.blocks(name):
                total.update(block.data)
        return total.hexdigest()


def count_of(index: Index) -> int:
    """Return how many rows an index is of."""
    return index.stop - index.start if isinstance(index, slice) else len(index)


class Dataset(Component, family="dataset"):
    """Where inputs and targets come from.

    Class attributes:
        drawn: Whether the rows are drawn at random, so that others of the same kind
            can be drawn to test on.
    """

    drawn: ClassVar[bool] = False

    @abstractmethod
    def load(self, rng: np.random.Generator) -> Rows:
        """Return all rows.

        Args:
            rng: Where drawn rows come from.

        Raises:
            DataError: A file is missing or broken.
        """


_UNFITTED: dict[str, Array] = {}


class Transform(Component, family="transform"):
    """A change of the inputs, fitted on the training part and kept in checkpoints.

    Attributes:
        state: What a live one was fitted to, by name, in float64; empty before.
    """

    state = _UNFITTED

    @abstractmethod
    def fit(self, blocks: Iterator[Array]) -> None:
        """Learn ``state`` in one pass over the inputs of the training part.

        Args:
            blocks: (n, ...) float64 inputs, some rows at a time.
        """

    @abstractmethod
    def apply(self, x: Array) -> None:
        """Change (n, ...) inputs in place, in their floating-point type."""


class Augmentation(Component, family="augmentation"):
    """A random change of training batches, drawn anew for each.

    What is drawn for a batch is a pure function of (seed, epoch, batch): a checkpoint
    needs nothing of it.
    """

    @abstractmethod
    def apply(self, x: Array, targets: Array, rng: np.random.Generator) -> None:
        """Change one batch in place.

        Args:
            x: (n, ...) inputs as the network gets them, transformed.
            targets: (n, ...) targets as the loss compares with them; what only changes
                inputs leaves them alone.
            rng: Where all that is random comes from.
        """

    def refuses(self, x: Field, targets: Field) -> str | None:
        """Say why such batches cannot be changed.

        Args:
            x: What a row of the inputs holds.
            targets: What the targets of a row hold, as the loss compares with them.
        """
        return None
