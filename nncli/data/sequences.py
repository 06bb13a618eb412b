"""Sequences: a table with one row a step, and a column that says of which sequence."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from nncli.core.arrays import Array, check_memory
from nncli.core.errors import DataError
from nncli.core.signature import File, Positive
from nncli.core.text import show
from nncli.data.base import Dataset, Table
from nncli.data.columns import RawRows
from nncli.data.csv import Csv
from nncli.data.files import Kind
from nncli.data.token_table import checked_lengths
from nncli.tables.raw import RawColumn


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
        time: Name of the column whose order the steps have; null for that of the file.
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
        _, first, of = np.unique(
            rows.keys[self.id], return_index=True, return_inverse=True
        )
        of = of.reshape(-1)
        table = self.together(
            np.array(rows.table.values[:, places]),
            of,
            None if self.time is None else rows.keys[self.time],
            self.max_length,
            rows.inputs,
            self.path,
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

    def together(
        self,
        values: Array,
        of: Array,
        time: Array | None,
        longest: int | None,
        names: Sequence[str],
        source: str,
    ) -> Table:
        """Return rows put together to sequences, in the order of their numbers.

        Args:
            values: (R, F) inputs.
            of: (R,) the number of each row's sequence.
            time: (R,) what each sequence is sorted by; None for the rows' order.
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
        order = np.lexsort([of] if time is None else [time, of])
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
        return (*inputs, dataclasses.replace(columns[self.time], words=()))

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
