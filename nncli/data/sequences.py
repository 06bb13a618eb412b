"""Sequences: a table with one row a step, and a column that says of which sequence."""

from __future__ import annotations

import numpy as np

from nncli.core.arrays import Array, check_memory
from nncli.core.errors import DataError
from nncli.core.signature import File, Positive
from nncli.core.text import show
from nncli.data.base import Dataset, Table
from nncli.data.columns import RawRows, whole_cells
from nncli.data.csv import Csv
from nncli.data.files import Kind
from nncli.data.token_table import checked_lengths


class Sequences(Dataset, name="sequences"):
    """Rows of a table put together to sequences: x (N, T, F), y a class or number each.

    Shorter sequences are padded with zeros, and have lengths. ``split`` hands out whole
    sequences. Needs polars: ``pip install "nncli[tables]"``.

    Args:
        path: CSV or TSV (perhaps ``.gz``), Parquet or Arrow; relative to the config.
        id: Name of the column that is the same in all rows of a sequence.
        target: Name of the target's column, which is so too.
        time: Name of the column whose order the steps have, of numbers or dates; null
            for that of the file.
        features: Names of the columns of inputs, all of them numbers; null for all
            others.
        max_length: Steps of the longest sequence; null for that of the file.
        cut: Leave out what longer sequences begin with, rather than refuse them.
        targets: As in dataset csv.
        scale_target: As in dataset csv.
    """

    path: File
    id: str
    target: str
    time: str | None = None
    features: list[str] | None = None
    max_length: Positive | None = None
    cut: bool = False
    targets: Kind = "auto"
    scale_target: bool = True

    def load(self, rng: np.random.Generator) -> Table:
        """Read the table, and sort its rows into sequences."""
        dropped = [self.id, *([] if self.time is None else [self.time])]
        rows = Csv(
            self.path,
            target=self.target,
            features=self.features,
            drop=dropped,
            targets=self.targets,
            scale_target=self.scale_target,
        ).load(rng)
        values = self._values(rows)
        whole_cells(rows.table, self.id, self.path)
        _, first, of = np.unique(
            rows.keys[self.id], return_index=True, return_inverse=True
        )
        of = of.reshape(-1)
        order = self._order(rows, of)
        found = np.bincount(of).tolist()
        lengths = checked_lengths(found, self.path, self.max_length, cut=self.cut)
        steps = self.max_length or int(lengths.max())
        shape = (len(lengths), steps, values.shape[1])
        check_memory(shape, values.dtype, self.path)
        x, begin = np.zeros(shape), 0
        for row, (total, kept) in enumerate(zip(found, lengths.tolist(), strict=True)):
            begin += total
            x[row, :kept] = values[order[begin - kept : begin]]
        return Table(
            x,
            self._target(rows, of, first),
            rows.classes,
            lengths=lengths,
            targets=rows.targets,
            scale_targets=rows.scale_targets,
            target_names=rows.target_names,
        )

    def _values(self, rows: RawRows) -> Array:
        """Return the columns of inputs, all of them numbers.

        Raises:
            DataError: One holds something else, or nothing somewhere.
        """
        places = [rows.table.names.index(name) for name in rows.inputs]
        for place in places:
            column = rows.table.columns[place]
            if column.kind not in ("number", "boolean"):
                raise DataError(
                    f"{self.path}: expected numbers as inputs, got a {column.kind} in "
                    f"column {column.name!r}. Name the columns in dataset.features."
                )
        values = np.array(rows.table.values[:, places])
        absent = np.argwhere(np.isnan(values))
        if len(absent):
            row, column = absent[0]
            raise DataError(
                f"{self.path}: expected a number in each cell, got none in row "
                f"{row + 1:,}, column {rows.inputs[column]!r}. Remove such sequences."
            )
        return values

    def _order(self, rows: RawRows, of: Array) -> Array:
        """Return the places of all rows, those of one sequence in order of time.

        Args:
            rows: The table.
            of: (N,) which sequence each row belongs to.

        Raises:
            DataError: The column of times says no order.
        """
        if self.time is None:
            return np.argsort(of, kind="stable")
        column = rows.table.columns[rows.table.names.index(self.time)]
        if column.words:
            raise DataError(
                f"{self.path}: expected numbers or dates as time, got texts in column "
                f"{self.time!r}, such as {show(column.words[0])}."
            )
        times = whole_cells(rows.table, self.time, self.path)
        order = np.lexsort([times, of])
        twice = (np.diff(times[order]) == 0) & (np.diff(of[order]) == 0)
        if twice.any():
            row = int(order[1:][twice].min())
            name, time = (rows.keys[key][row].item() for key in (self.id, self.time))
            raise DataError(
                f"{self.path}: expected one row for each step of a sequence, got "
                f"another one in row {row + 1:,}: {self.id!r} is {show(name)} and "
                f"{self.time!r} {show(time)}. Leave dataset.time out to take the order "
                "of the file."
            )
        return order

    def _target(self, rows: RawRows, of: Array, first: Array) -> Array:
        """Return the target of each sequence.

        Raises:
            DataError: Rows of one sequence have several.
        """
        y = rows.read("y", slice(0, len(rows)))
        strange = np.flatnonzero(y != y[first][of])
        if strange.size:
            name = rows.keys[self.id][strange[0]].item()
            raise DataError(
                f"{self.path}: expected one {self.target!r} in all rows of a sequence, "
                f"got several where {self.id!r} is {show(name)}."
            )
        target: Array = y[first]
        return target
