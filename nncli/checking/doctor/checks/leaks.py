"""Inputs that tell the target by themselves."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nncli.checking.doctor.base import Check, Finding
from nncli.config.write import to_flow
from nncli.core.arrays import Array
from nncli.core.text import shortened
from nncli.data.leaks import Telling, telling
from nncli.tables.raw import RawColumn, RawTable

MOST_ROWS, LEAST_ROWS = 1000, 100
"""Rows that are looked at. Among fewer, an input may tell a class by chance."""

SHOWN = 5
"""Inputs that are named."""

TARGET = "\0"
"""A name that no column has."""


class Leaks(Check, name="leaks"):
    """Inputs of a vector of several from which the one target nearly follows.

    The limits are those of ``nncli data describe``: 99 % of the rows' classes, or a
    correlation of 0.999.
    """

    stage = "data"

    def run(self) -> Iterator[Finding]:
        found = self._found()
        if not found:
            return
        names = self._columns([each.column for each in found])
        best = max(found, key=lambda each: each.score)
        shown = ", ".join(shortened(name, 40) for name in names[:SHOWN])
        dataset = self.exam.config.dataset
        overrides = []
        if dataset is not None and "drop" in dataset.arguments:
            drop = [*dataset.arguments["drop"], *names]
            overrides = [f"dataset.drop={to_flow(drop)}"]
        yield self.finding(
            f"The target follows from single inputs: {shown}"
            f"{', ...' if len(names) > SHOWN else ''} ({best.how}: {best.score:.4f}). "
            "It may be the target in other words, or be known only after it.",
            "See whether it is there when the network is used; else leave it out.",
            *overrides,
        )

    def _columns(self, inputs: list[str]) -> list[str]:
        """Return the columns of a table that inputs are made of, or these."""
        encoder = self.exam.experiment.encoder
        if encoder is None:
            return inputs
        told = set(inputs)
        return [each.name for each in encoder.columns if told & set(each.features)]

    def _found(self) -> list[Telling]:
        rows = self.exam.train.rows
        shape = rows.fields["x"].shape
        batch = self.exam.drawn(MOST_ROWS)
        x, target = batch.x.data, _target(batch.targets.data)
        plain = len(shape) == 1 and rows.below is None and x.dtype.kind == "f"
        if not plain or shape[0] < 2 or target is None or len(x) < LEAST_ROWS:
            return []
        names = [f"[{i}]" for i in range(shape[0])]
        if rows.columns is not None:
            names = [str(name) for name in rows.columns]
        columns = tuple(RawColumn(name, "number") for name in (*names, TARGET))
        values = np.column_stack([x, target]).astype(np.float64)
        classes = self.exam.experiment.classes is not None
        table = RawTable("rows", columns, values)
        return telling(table, names, TARGET, classes=classes)


def _target(targets: Array) -> Array | None:
    """Return the one number or class of each row; None where there are others."""
    flat = targets.reshape(len(targets), -1)
    return flat[:, 0] if flat.shape[1] == 1 else None
