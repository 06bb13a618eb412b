"""Sequences: a table with one row a step, and a column that says of which sequence."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from nncli.core.arrays import Array, check_memory
from nncli.core.errors import DataError
from nncli.core.signature import File, Positive
from nncli.core.text import show
from nncli.data.base import Dataset
from nncli.data.columns import RawRows, whole_cells
from nncli.data.csv import Csv
from nncli.data.files import Kind
from nncli.data.table import Table
from nncli.data.token_table import checked_lengths
from nncli.tables.raw import RawColumn, RawTable


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class StepTable(Table):
    """Sequences whose steps were rows of a table.

    Attributes:
        step_columns: The columns that became the inputs of a step; then that of the
            time, where there is one.
    """

    step_columns: tuple[RawColumn, ...]


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

    def load(self, rng: np.random.Generator) -> StepTable:
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
        columns = self._columns(rows)
        places = [rows.table.names.index(name) for name in rows.inputs]
        whole_cells(rows.table, self.id, self.path)
        names, first, of = np.unique(
            rows.keys[self.id], return_index=True, return_inverse=True
        )
        of = of.reshape(-1)
        values = np.array(rows.table.values[:, places])
        order = self.order(rows.table, of, names, self.path)
        table = self.assemble(
            values, of, order, self.max_length, rows.inputs, self.path
        )
        return StepTable(
            table.x,
            self._target(rows, of, first),
            rows.classes,
            lengths=table.lengths,
            step_columns=columns,
            targets=rows.targets,
            scale_targets=rows.scale_targets,
            target_names=rows.target_names,
        )

    def order(self, table: RawTable, of: Array, names: Array, source: str) -> Array:
        """Return the places of all rows, those of one sequence in order of time.

        Args:
            table: The rows; of their columns at least that of the time.
            of: (R,) the number of each row's sequence.
            names: What stands in the column of ids for each number.
            source: What messages call the rows.

        Raises:
            DataError: The column of times says no order.
        """
        if self.time is None:
            return np.argsort(of, kind="stable")
        times = whole_cells(table, self.time, source)
        order = np.lexsort([times, of])
        twice = (np.diff(times[order]) == 0) & (np.diff(of[order]) == 0)
        if twice.any():
            row = int(order[1:][twice].min())
            name, time = names[of[row]].item(), times[row].item()
            raise DataError(
                f"{source}: expected one row for each step of a sequence, got another "
                f"one in row {row + 1:,}: {self.id!r} is {show(name)} and "
                f"{self.time!r} {show(time)}. Leave dataset.time out to take the order "
                "of the file."
            )
        return order

    def assemble(
        self,
        values: Array,
        of: Array,
        order: Array,
        longest: int | None,
        names: Sequence[str],
        source: str,
    ) -> Table:
        """Return rows put together to sequences, in the order of their numbers.

        Args:
            values: (R, F) inputs.
            of: (R,) the number of each row's sequence.
            order: (R,) the places of rows, as ``order`` gives them.
            longest: Steps of the longest; None for what there is.
            names: Of the columns of inputs.
            source: What messages call the rows.

        Raises:
            DataError: A number is missing, or a sequence is too long.
        """
        absent = np.argwhere(np.isnan(values))
        if len(absent):
            row, column = absent[0]
            raise DataError(
                f"{source}: expected a number in each cell, got none in row "
                f"{row + 1:,}, column {names[column]!r}. Remove such sequences."
            )
        found = np.bincount(of).tolist()
        lengths = checked_lengths(
            found, source, longest, cut=self.cut, what=("step", "sequence")
        )
        steps = longest or int(lengths.max())
        shape = (len(lengths), steps, values.shape[1])
        check_memory(shape, values.dtype, source)
        x, begin = np.zeros(shape), 0
        for row, (total, kept) in enumerate(zip(found, lengths.tolist(), strict=True)):
            begin += total
            x[row, :kept] = values[order[begin - kept : begin]]
        return Table(x, lengths=lengths)

    def _columns(self, rows: RawRows) -> tuple[RawColumn, ...]:
        """Return the columns of inputs, all of them numbers, and that of the time.

        Raises:
            DataError: One holds something else.
        """
        columns = dict(zip(rows.table.names, rows.table.columns, strict=True))
        inputs = [columns[name] for name in rows.inputs]
        for column in inputs:
            if column.kind not in ("number", "boolean"):
                raise DataError(
                    f"{self.path}: expected numbers as inputs, got a {column.kind} in "
                    f"column {column.name!r}. Name the columns in dataset.features."
                )
        if self.time is None:
            return tuple(inputs)
        time = columns[self.time]
        if time.words:
            raise DataError(
                f"{self.path}: expected numbers or dates as time, got texts in column "
                f"{self.time!r}, such as {show(time.words[0])}."
            )
        return (*inputs, time)

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
