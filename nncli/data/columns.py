"""Rows of a table: its columns as they were read, and as inputs of a network."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial

import numpy as np

from nncli.core.arrays import Array
from nncli.core.errors import DataError
from nncli.core.registry import spec_of
from nncli.data.base import Field, Index, Rows, count_of
from nncli.data.rooms import Rooms
from nncli.data.table import Table
from nncli.tables.encoder import Encoder
from nncli.tables.fit import SAMPLE, fit
from nncli.tables.memory import remembered
from nncli.tables.raw import RawColumn, RawTable
from nncli.tables.settings import Column, Scaling

NOTES = 8
"""Columns of which something is said, at most."""


class Keys(Mapping[str, Array]):
    """The columns of a table by name, as numbers or texts, made when asked for."""

    def __init__(self, table: RawTable) -> None:
        self._table = table

    def __getitem__(self, name: str) -> Array:
        if name not in self._table.names:
            raise KeyError(name)
        place = self._table.names.index(name)
        column = self._table.columns[place]
        values = cells_of(self._table, name)
        return texts_of(column, values) if column.words else values

    def __iter__(self) -> Iterator[str]:
        return iter(self._table.names)

    def __len__(self) -> int:
        return len(self._table.names)


def cells_of(table: RawTable, name: str) -> Array:
    """Return (N,) cells of one column; of a mapped table no page stays in memory."""
    rows, place = Table(table.values), table.names.index(name)
    return np.concatenate([np.array(cells[:, place]) for (cells,) in rows.blocks("x")])


def whole_cells(table: RawTable, name: str, source: str) -> Array:
    """Return (N,) cells of a column that must have a value in each row.

    Raises:
        DataError: It has not.
    """
    values = cells_of(table, name)
    absent = np.flatnonzero(np.isnan(values))
    if absent.size:
        raise DataError(
            f"{source}: column {name!r}: expected a value in each row, got none "
            f"in {absent.size:,} of {len(values):,}, the first in row "
            f"{absent[0] + 1:,}. Remove these rows."
        )
    return values


def texts_of(column: RawColumn, values: Array) -> Array:
    """Return the texts of (n,) cells of a category; "" where they are missing."""
    codes = np.where(np.isnan(values), len(column.words), values).astype(np.intp)
    return np.array([*column.words, ""])[codes]


@dataclass(frozen=True, eq=False, kw_only=True)
class RawRows(Table):
    """Rows whose ``x`` holds the cells of a table, for which nothing is fitted yet.

    Attributes:
        table: The columns.
        inputs: Those that are inputs, in order.
        settings: What the config says of some of them, by name.
        scaling: Of the columns that it says nothing of.
    """

    table: RawTable
    inputs: tuple[str, ...]
    settings: Mapping[str, Column] = field(default_factory=dict)
    scaling: Scaling = "standard"

    def fit(self, index: Array | None) -> Encoder:
        """Learn how the inputs' columns become numbers.

        Args:
            index: Places of the training part; None for all rows.

        Raises:
            DataError: A setting does not fit the type of its column.
        """
        settings = spec_of([self.inputs, self.scaling, dict(self.settings)])
        return remembered(self.table, settings, index, partial(self._learn, index))

    def _learn(self, index: Array | None) -> Encoder:
        names = self.table.names
        places = [names.index(name) for name in self.inputs]
        columns = [self.table.columns[place] for place in places]
        count = len(self) if index is None else len(index)
        some = np.arange(count)[:: -(-count // SAMPLE)]
        sample = self.read("x", some if index is None else index[some])
        blocks = (block[:, places] for (block,) in self.blocks("x", index=index))
        try:
            return fit(columns, self.settings, self.scaling, blocks, sample[:, places])
        except DataError as error:
            raise DataError(f"{self.table.source}: {error}") from None

    def digest(self) -> str:
        """Return the SHA-256 of the table."""
        return self.table.sha256 or super().digest()


class EncodedRows(Rows):
    """Rows of a table as inputs of a network.

    Args:
        source: The rows as they were read.
        encoder: What was learned of the table's columns.
    """

    finite = True

    def __init__(self, source: Table, table: RawTable, encoder: Encoder) -> None:
        self.source = source
        self.encoder = encoder
        self.table = table
        self.classes, self.parts = source.classes, source.parts
        self.per_epoch, self.keys = source.per_epoch, source.keys
        self.scale_targets = source.scale_targets
        self.target_names = source.target_names
        self.columns = encoder.features
        self.notes = notes_of(table)
        self._encoding = encoder.of(table)
        self._rooms = Rooms()

    @cached_property
    def fields(self) -> dict[str, Field]:  # type: ignore[override]
        """What a row holds."""
        inputs = Field(np.dtype(np.float64), (len(self.encoder.features),))
        return {**self.source.fields, "x": inputs}

    def __len__(self) -> int:
        return len(self.source)

    def take(self, index: Index, out: Mapping[str, Array]) -> None:
        """Gather cells, and write what they become."""
        rest = {name: array for name, array in out.items() if name != "x"}
        if rest:
            self.source.take(index, rest)
        if "x" in out:
            shape = (count_of(index), *self.source.fields["x"].shape)
            cells = self._rooms.take(shape, np.float64)
            self.source.take(index, {"x": cells})
            self._encoding.apply(cells, out["x"])

    def digest(self) -> str:
        """Return the SHA-256 of the table, and of which of its columns are used."""
        total = hashlib.sha256(self.source.digest().encode())
        for column in self.encoder.columns:
            total.update(f"\0{column.name}\0{column.kind}".encode())
        for name in self.target_names or ():
            total.update(f"\1{name}".encode())
        return total.hexdigest()


def notes_of(table: RawTable) -> tuple[str, ...]:
    """Say which columns were left out, and what else was decided about them."""
    notes = {name: f"left out: {why}" for name, why in table.left_out.items()}
    notes |= table.facts.get("notes", {})
    told = [f"column {name!r} {text}" for name, text in notes.items()]
    if len(told) > NOTES:
        told = [*told[:NOTES], f"{len(told) - NOTES} more columns likewise"]
    return tuple(told)


def rows_of(table: RawTable, encoder: Encoder) -> EncodedRows:
    """Return the rows of a table that an encoder knows, to predict."""
    return EncodedRows(Table(table.values), table, encoder)


def encoded(rows: RawRows, encoder: Encoder) -> EncodedRows:
    """Return rows as the inputs that an encoder makes of them."""
    return EncodedRows(rows, rows.table, encoder)
