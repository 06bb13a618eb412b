"""Inputs that are the same in every row, and so tell nothing."""

from __future__ import annotations

import re
from ast import literal_eval
from collections.abc import Iterator

import numpy as np

from nncli.checking.doctor.base import Check, Finding
from nncli.config.write import to_flow
from nncli.core.arrays import Array
from nncli.core.text import count, shortened
from nncli.tables.leaving import CONSTANT

MOST = 32
"""Inputs without names that are looked at one by one.

A vector of more is often an image laid flat, whose margin is constant and harmless.
"""

SHOWN = 5
"""Constant inputs that are named."""

_NOTE = re.compile(f"column (.+) left out: {re.escape(CONSTANT)}")


class ConstantInputs(Check, name="constant_inputs"):
    """Columns of a table, or elements of short vectors, with one value throughout."""

    stage = "data"

    def run(self) -> Iterator[Finding]:
        yield from self._left_out()
        names = self._names()
        if not names:
            return
        constant = [
            name for name, same in zip(names, self._same(), strict=True) if same
        ]
        if not constant:
            return
        shown = ", ".join(shortened(name, 40) for name in constant[:SHOWN])
        more = ", ..." if len(constant) > SHOWN else ""
        yield self.finding(
            f"{count(len(constant), 'input')} of {len(names)} never "
            f"{'varies' if len(constant) == 1 else 'vary'} over the "
            f"{len(self.exam.train):,} training rows: {shown}{more}. Weights of such "
            "an input are one more bias, and in use any other value is new to them.",
            "Leave them out of the inputs.",
            *self._overrides(constant),
        )

    def _left_out(self) -> Iterator[Finding]:
        """Yield the columns of a table that were left out for that reason."""
        notes = (_NOTE.fullmatch(note) for note in self.exam.train.rows.notes)
        columns = [str(literal_eval(note[1])) for note in notes if note]
        if columns:
            shown = ", ".join(shortened(name, 40) for name in columns[:SHOWN])
            yield self.finding(
                f"{count(len(columns), 'column')} of the table with the same value in "
                f"every row: {shown}{', ...' if len(columns) > SHOWN else ''}. nncli "
                "leaves such a column out; it may have been exported wrongly.",
                "Mend the table, or say that the column is not wanted.",
                *self._overrides(columns),
            )

    def _names(self) -> list[str]:
        rows = self.exam.train.rows
        shape = rows.fields["x"].shape
        if len(shape) != 1 or rows.below is not None:
            return []
        if rows.columns is not None:
            return list(rows.columns)
        return [f"[{i}]" for i in range(shape[0])] if shape[0] <= MOST else []

    def _same(self) -> Array:
        train = self.exam.train
        low: Array = np.asarray(np.inf)
        high: Array = np.asarray(-np.inf)
        for (block,) in train.rows.blocks("x", index=train.index):
            low = np.minimum(low, block.min(axis=0))
            high = np.maximum(high, block.max(axis=0))
        same: Array = low == high
        return same

    def _overrides(self, constant: list[str]) -> Iterator[str]:
        """Yield what leaves columns out, where the dataset can do that."""
        dataset = self.exam.config.dataset
        if dataset is None or "drop" not in dataset.arguments:
            return
        yield f"dataset.drop={to_flow([*dataset.arguments['drop'], *constant])}"
