"""Csv: tables in files, with columns of any type."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np

from nncli.core.arrays import Array
from nncli.core.errors import DataError
from nncli.core.progress import tell
from nncli.core.signature import File, Positive
from nncli.core.text import nearest
from nncli.data.base import Dataset
from nncli.data.columns import Keys, RawRows, whole_cells
from nncli.data.files import Kind
from nncli.tables.cells import FALSE, TRUE
from nncli.tables.files import open_table
from nncli.tables.raw import RawColumn, RawTable
from nncli.tables.read import read_table
from nncli.tables.reading import KindOrSkip, Reading
from nncli.tables.settings import Column, Scaling


class Csv(Dataset, name="csv"):
    """Columns of a table: CSV or TSV (perhaps ``.gz``), Parquet or Arrow.

    Columns become inputs by what their cells hold, and all that is learned of them is
    of the training part: numbers are scaled, missing ones filled; categories have an
    input each, or are embedded where they are many; dates become time and cycles.
    Columns that tell rows apart, never vary or hold free text are left out. Needs
    polars: ``pip install "nncli[tables]"``.

    Args:
        path: The file; relative to the config.
        target: Name of the target's column (or number, from 0), or several names; null
            for the last.
        features: Names of the columns that are inputs; null for all others.
        drop: Names of columns that are no inputs; they may be split by.
        columns: What single columns are, by name: {age: {missing: mean}}.
        scaling: Of numbers of which ``columns`` says nothing: standard, min_max,
            robust, quantile, log or none.
        scale_target: Train on targets of mean 0 and deviation 1, where they are numbers
            and the loss is a distance; all scores are in their own units, the loss is
            not.
        weights: Column that says how much each row counts in the loss; null for 1.
        validation: File of the validation part; null for a share by ``split``.
        test: File of the test part; null likewise.
        targets: Whether targets are ``classes`` or ``numbers``; ``auto`` for what the
            loss wants of whole numbers; texts are classes.
        delimiter: What stands between two cells; null for what it looks like.
        encoding: Of the text: utf-8, latin-1, utf-16, ...; null for what it looks like.
        decimal: What stands before decimals: . or a comma; null for what it looks like.
        missing_values: Texts that stand for a missing cell; null for the usual ones:
            NA, N/A, NaN, null, None, ? and the like.
        header: Whether the first line names the columns; null for what it looks like.
        rows_per_epoch: How many rows an epoch takes; null for all.
    """

    path: File
    target: str | int | list[str] | None = None
    features: list[str] | None = None
    drop: list[str] = field(default_factory=list)
    columns: dict[str, Column] = field(default_factory=dict)
    scaling: Scaling = "standard"
    scale_target: bool = True
    weights: str | None = None
    validation: File | None = None
    test: File | None = None
    targets: Kind = "auto"
    delimiter: str | None = None
    encoding: str | None = None
    decimal: Literal[".", ","] | None = None
    missing_values: list[str] | None = None
    header: bool | None = None
    rows_per_epoch: Positive | None = None

    def __post_init__(self) -> None:
        # A reading checks what it is made of.
        _ = self.reading

    def load(self, rng: np.random.Generator) -> RawRows:
        """Read the files, or what was kept of large ones."""
        table, targets = self.table()
        inputs = self._inputs(table, targets)
        y, classes = self._target_values(table, targets)
        return RawRows(
            table.values,
            y,
            classes,
            weights=self._weights(table),
            keys=Keys(table),
            parts=self._parts(table),
            per_epoch=self.rows_per_epoch,
            targets="numbers" if classes or y.ndim > 1 else self.targets,
            scale_targets=self.scale_target,
            target_names=tuple(targets),
            table=table,
            inputs=inputs,
            settings=self.columns,
            scaling=self.scaling,
        )

    @property
    def reading(self) -> Reading:
        """How the files are written."""
        missing = self.missing_values
        return Reading(
            self.delimiter,
            self.encoding,
            self.decimal,
            None if missing is None else tuple(missing),
            self.header,
        )

    def names(self) -> tuple[str, ...]:
        """Return the names of all columns of the file."""
        return open_table(Path(self.path), self.reading).names

    def table(self) -> tuple[RawTable, list[str]]:
        """Return all columns that can be read, and the names of the targets."""
        paths = [Path(p) for p in (self.path, self.validation, self.test) if p]
        targets = self._targets(self.names())
        kinds: dict[str, KindOrSkip | None] = {
            name: column.type for name, column in self.columns.items()
        }
        if self.targets == "classes":
            kinds |= dict.fromkeys(targets, "category")
        keep = [*targets, *self.drop, *([self.weights] if self.weights else [])]
        formats = {n: c.format for n, c in self.columns.items() if c.format is not None}
        told = partial(tell, f"reading {paths[0].name}")
        table = read_table(
            paths, self.reading, kinds, keep, progress=told, formats=formats
        )
        return table, targets

    def _targets(self, names: Sequence[str]) -> list[str]:
        if isinstance(self.target, list):
            return [self._among(names, name, "as target") for name in self.target]
        if isinstance(self.target, str):
            return [self._among(names, self.target, "as target")]
        place = -1 if self.target is None else self.target
        if not -len(names) <= place < len(names):
            raise DataError(
                f"{self.path}: expected a target below {len(names)}, the number of "
                f"columns, got {place}."
            )
        return [names[place]]

    def _inputs(self, table: RawTable, targets: Sequence[str]) -> tuple[str, ...]:
        for name in (*self.drop, *self.columns):
            if name not in table.left_out:
                self._known(table, name, "")
        others = {*targets, *self.drop, self.weights}
        if self.features is None:
            inputs = [name for name in table.names if name not in others]
        else:
            inputs = [self._known(table, n, "as input") for n in self.features]
            inputs = [name for name in inputs if name not in others]
        if not inputs:
            raise no_inputs(self.path, table.left_out)
        return tuple(inputs)

    def _known(self, table: RawTable, name: str, role: str) -> str:
        why = table.left_out.get(name)
        if why is None:
            return self._among(table.names, name, role)
        wanted = f"a column {name!r} {role}".strip()
        raise DataError(f"{self.path}: expected {wanted}, but it {why}.")

    def _among(self, names: Sequence[str], name: str, role: str) -> str:
        if name in names:
            return name
        wanted = f"a column {name!r} {role}".strip()
        raise DataError(f"{self.path}: expected {wanted}. {nearest(name, list(names))}")

    def _target_values(
        self, table: RawTable, targets: Sequence[str]
    ) -> tuple[Array, tuple[str, ...] | None]:
        columns = [table.columns[table.names.index(name)] for name in targets]
        values = [whole_cells(table, name, self.path) for name in targets]
        if len(targets) > 1:
            pairs = zip(columns, values, strict=True)
            return np.stack([self._numbers(*pair) for pair in pairs], axis=1), None
        (column,), (y,) = columns, values
        if column.kind == "date":
            raise DataError(
                f"{self.path}: expected numbers or classes as target, got dates in "
                f"{column.name!r}."
            )
        if column.kind == "number":
            whole = bool((y == np.floor(y)).all() and (np.abs(y) < 2**53).all())
            return (y.astype(np.int64) if whole else y), None
        words = column.words or ("false", "true")
        held = np.unique(y).astype(int)
        order = sorted(held.tolist(), key=lambda code: words[code])
        places = np.zeros(len(words), np.int64)
        places[order] = np.arange(len(order))
        return places[y.astype(np.intp)], tuple(words[code] for code in order)

    def _numbers(self, column: RawColumn, values: Array) -> Array:
        """Return one of several targets: numbers, or yes and no as 1 and 0."""
        if column.kind in ("number", "boolean"):
            return values
        words = [word.casefold() for word in column.words]
        if column.kind != "category" or not {*words} <= {*TRUE, *FALSE}:
            raise DataError(
                f"{self.path}: expected numbers (or yes and no) in each of several "
                f"targets, got {column.kind} values in {column.name!r}."
            )
        ones = np.array([float(word in TRUE) for word in words])
        told: Array = ones[values.astype(int)]
        return told

    def _weights(self, table: RawTable) -> Array | None:
        if self.weights is None:
            return None
        name = self._known(table, self.weights, "of weights")
        values = whole_cells(table, name, self.path)
        if (values < 0).any() or not values.any():
            raise DataError(
                f"{self.path}: column {self.weights!r}: expected weights of at least "
                "0, not all of them 0."
            )
        return values

    def _parts(self, table: RawTable) -> dict[str, Array]:
        names = ["train"]
        names += ["validation"] if self.validation else []
        names += ["test"] if self.test else []
        if len(names) == 1:
            return {}
        ends = np.cumsum(table.facts["rows_of"])
        begins = [0, *ends[:-1]]
        return {n: np.arange(*r) for n, *r in zip(names, begins, ends, strict=True)}


def no_inputs(source: str, left_out: Mapping[str, str]) -> DataError:
    """Say that a table has no column of inputs, and why none of its columns is one."""
    some = [f"{name}: {why}" for name, why in left_out.items()]
    told = f" ({'; '.join(some[:3])}{'; ...' * (len(some) > 3)})" if some else ""
    return DataError(f"{source}: expected a column of inputs, got none{told}.")
