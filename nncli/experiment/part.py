"""Part: rows of the data, and how they become batches that a network takes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from nncli.core.arrays import Array, Shape, xp
from nncli.data.base import Field, Index, Rows, Transform, count_of
from nncli.data.batches import Batch
from nncli.data.rooms import Rooms
from nncli.data.table import Table, gather

KEEP = 2**26
"""Bytes up to which prepared inputs, and encoded targets, are kept in memory."""


class Part:
    """One part of the data, ready to train or to evaluate on.

    Inputs are cast to the run's type and transformed, targets are encoded: once for all
    where the results are small, else for each batch. Both give the same bits.

    Args:
        rows: Where the rows are.
        index: Places of the part's rows; None for all of them.
        transforms: Fitted changes of the inputs.
        encode: Makes of targets what the loss wants.
        dtype: The type that the network takes.

    Attributes:
        x: (N, ...) the prepared inputs; None where each batch prepares its own.
        targets: (N, ...) the encoded targets; None likewise.
    """

    def __init__(
        self,
        rows: Rows,
        index: Array | None,
        transforms: Sequence[Transform],
        encode: Callable[[Array], Array],
        dtype: Any,
    ) -> None:
        self.rows = rows
        self.index = index
        self.transforms = transforms
        self.encode = encode
        self.dtype = xp.dtype(dtype)
        self.weighted = "weights" in rows.fields
        self.sized = "lengths" in rows.fields
        self._rooms = Rooms()
        self.target = self._encoded_field()
        self.x: Array | None = None
        self.targets: Array | None = None
        self.x = self._all_inputs()
        self.targets = self._all_targets()

    def __len__(self) -> int:
        return len(self.rows) if self.index is None else len(self.index)

    @property
    def shape(self) -> Shape:
        """Shape of the inputs in one row."""
        return self.rows.fields["x"].shape

    def without_overlap(self) -> Part:
        """Return a part that has each target once: of windows, those side by side."""
        index = self.rows.without_overlap(self.index)
        if index is self.index:
            return self
        return Part(self.rows, index, self.transforms, self.encode, self.dtype)

    def some(self, index: Array) -> Part:
        """Return a part of some of these rows."""
        chosen = index if self.index is None else self.index[index]
        return Part(self.rows, chosen, self.transforms, self.encode, self.dtype)

    def room(self, rows: int) -> Batch:
        """Return empty buffers for so many rows."""
        return Batch.empty(
            Field(self.dtype, self.shape),
            self.target,
            rows,
            weighted=self.weighted,
            lengths=self.sized,
        )

    def batch(self, index: Index) -> Batch:
        """Return some rows in buffers of their own."""
        batch = self.room(count_of(index))
        self.fill(index, batch)
        return batch

    def fill(self, index: Index, batch: Batch) -> None:
        """Write some rows into a batch's buffers.

        Args:
            index: Places in this part.
            batch: Of as many rows.
        """
        places = self._places(index)
        self._fill_inputs(index, places, batch.x.data)
        if self.targets is not None:
            gather(self.targets, index, batch.targets.data)
        else:
            encoded = self.encode(self.rows.read("y", places))
            xp.copyto(batch.targets.data, encoded)
        if batch.x.lengths is not None:
            self.rows.take(places, {"lengths": batch.x.lengths})
        if batch.weights is not None:
            self.rows.take(places, {"weights": batch.weights.data})

    def _places(self, index: Index) -> Index:
        return index if self.index is None else self.index[index]

    def _fill_inputs(self, index: Index, places: Index, out: Array) -> None:
        if self.x is not None:
            gather(self.x, index, out)
            return
        # Exact: of 64-bit numbers, differences are taken before digits are dropped.
        exact = xp.result_type(self.rows.fields["x"].dtype, self.dtype)
        room = out
        if self.transforms and exact != self.dtype:
            room = self._rooms.take(out.shape, exact)
        self.rows.take(places, {"x": room})
        for transform in self.transforms:
            transform.apply(room)
        if room is not out:
            xp.copyto(out, room, casting="same_kind")

    def _all_inputs(self) -> Array | None:
        """Return all prepared inputs, if they are small or lie there as they are."""
        rows = self.rows
        if isinstance(rows, Table) and self.index is None and not self.transforms:
            x = rows.held("x")
            if x is not None and x.dtype == self.dtype and x.flags.c_contiguous:
                return x
        width = math.prod(self.shape) * self.dtype.itemsize
        if len(self) * width > KEEP:
            return None
        out = xp.empty((len(self), *self.shape), self.dtype)
        for here in self._portions(max(width, rows.fields["x"].nbytes)):
            self._fill_inputs(here, self._places(here), out[here])
        return out

    def _encoded_field(self) -> Field:
        if "y" not in self.rows.fields:
            return Field(self.dtype, ())
        first = self.encode(self.rows.read("y", self._places(slice(0, 1))))
        return Field(first.dtype, first.shape[1:])

    def _all_targets(self) -> Array | None:
        if "y" not in self.rows.fields:
            # To predict, none are needed; a batch has room for them.
            return xp.zeros(len(self), self.dtype)
        if len(self) * max(self.target.nbytes, self.rows.fields["y"].nbytes) > KEEP:
            return None
        return self.encode(self.rows.read("y", self._places(slice(0, len(self)))))

    def _portions(self, width: int) -> list[slice]:
        size = max(1, 2**20 // max(width, 1))
        return [
            slice(start, min(start + size, len(self)))
            for start in range(0, len(self), size)
        ]
