"""Rows whose inputs lie in several arrays, one behind the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nncli.autograd.buffers import form, scratch
from nncli.core.arrays import Array
from nncli.data.base import Field, Index, Rows
from nncli.data.mapped import FileRows
from nncli.data.table import Table, gather


class Joined(Rows):
    """Rows of arrays that are mapped from several files, as those of one array.

    Args:
        inputs: (n, ...) each, with rows of one shape and type.
        y: (N,) class indices of all rows.
        classes: The classes in their own type.
        parts: Places of the rows of official parts.
    """

    def __init__(
        self,
        inputs: Sequence[Array],
        y: Array,
        classes: tuple[Any, ...],
        parts: Mapping[str, Array],
    ) -> None:
        self.y = y
        self.classes = classes
        self.parts = parts
        self._inputs = inputs
        self._files = [FileRows.of(array) for array in inputs]
        self._ends = np.cumsum([len(array) for array in inputs])
        first = inputs[0]
        self.fields = {
            "x": Field(first.dtype, first.shape[1:]),
            "y": Field(y.dtype, y.shape[1:]),
        }

    def __len__(self) -> int:
        return len(self.y)

    def take(self, index: Index, out: Mapping[str, Array]) -> None:
        """Read rows from the files that they lie in."""
        if "y" in out:
            gather(self.y, index, out["y"])
        if "x" in out:
            self._take_inputs(index, out["x"])

    def _take_inputs(self, index: Index, out: Array) -> None:
        dtype = self.fields["x"].dtype
        plain = out.dtype == dtype and out.flags.c_contiguous
        room = out if plain else scratch(form(out.shape, dtype))
        if isinstance(index, slice):
            index = np.arange(index.start, index.stop)
        source = np.searchsorted(self._ends, index, side="right")
        for number, (array, file) in enumerate(
            zip(self._inputs, self._files, strict=True)
        ):
            where = np.flatnonzero(source == number)
            places = index[where] - (self._ends[number] - len(array))
            if file is None:
                room[where] = array[places]
            else:
                file.take(places, room, where)
        if room is not out:
            np.copyto(out, room, casting="same_kind")


def joined(
    inputs: Sequence[Array],
    y: Array,
    classes: tuple[Any, ...],
    parts: Mapping[str, Array],
) -> Rows:
    """Return rows of one array or of several; arguments as those of ``Joined``."""
    if len(inputs) > 1 and not any(isinstance(array, np.memmap) for array in inputs):
        inputs = [np.concatenate(inputs)]
    if len(inputs) == 1:
        return Table(inputs[0], y, classes, parts=parts)
    return Joined(inputs, y, classes, parts)
