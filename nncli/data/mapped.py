"""Rows of arrays that are mapped from files, read instead of mapped."""

from __future__ import annotations

import contextlib
import os
import weakref
from typing import Any

import numpy as np

from nncli.core.arrays import Array
from nncli.core.errors import DataError


class FileRows:
    """Reads rows of an array, each row-major, where its file says they are.

    Touching a mapped row makes some 300 kB around it resident: reading 3 kB of each of
    a thousand rows took 312 MB and twice the time of reading them from the file (which
    stays in the system's cache either way), and a file that shrinks ends the process.

    Args:
        file: A descriptor of the open file; closed with this object.
        begin: Where the first row begins.
        array: The array.
        name: What messages call the file.
    """

    def __init__(self, file: int, begin: int, array: Array, name: str) -> None:
        self._file = file
        self._begin = begin
        self._stride = array.strides[0]
        self._width = array.nbytes // max(len(array), 1)
        self._name = name
        weakref.finalize(self, os.close, file)

    @classmethod
    def of(cls, array: Array) -> FileRows | None:
        """Return how to read an array from its file; None where it is in memory."""
        mapped = _mapping_below(array)
        if mapped is None or not array.size or not array[0].flags.c_contiguous:
            return None
        if array.strides[0] < array[0].nbytes:
            # The rows lie backwards, or over each other.
            return None
        name = mapped.filename
        if name is None or not hasattr(os, "preadv"):
            return None
        begin = mapped.offset + array.ctypes.data - mapped.ctypes.data
        try:
            rows = cls(os.open(name, os.O_RDONLY), begin, array, str(name))
        except OSError:
            return None
        # The file may have been replaced by another one of its name.
        for place in (0, len(array) - 1):
            row = np.empty((1, *array.shape[1:]), array.dtype)
            with contextlib.suppress(DataError):
                rows.take(slice(place, place + 1), row)
            if row.tobytes() != array[place].tobytes():
                return None
        return rows

    def take(
        self, index: Array | slice, out: Array, where: Array | None = None
    ) -> None:
        """Read rows.

        Args:
            index: Their places.
            out: (n, ...) row-major, in the type of the array.
            where: Which rows of ``out`` are written; None for all, in order.

        Raises:
            DataError: The file is shorter than it was.
        """
        room = out.reshape(-1).view(np.uint8).data
        width, stride, begin = self._width, self._stride, self._begin
        if isinstance(index, slice):
            if stride == width:
                self._read(room, begin + index.start * width)
                return
            index = np.arange(index.start, index.stop)
        rows = (index * stride + begin).tolist()
        places = range(len(rows)) if where is None else where.tolist()
        for place, row in zip(places, rows, strict=True):
            self._read(room[place * width : (place + 1) * width], row)

    def _read(self, room: memoryview, begin: int) -> None:
        got = os.preadv(self._file, [room], begin)
        while got < len(room):
            more = os.preadv(self._file, [room[got:]], begin + got)
            if not more:
                raise DataError(
                    f"{self._name}: expected the rows that it had when it was opened, "
                    "got a shorter file. Leave it as it is while it is in use."
                )
            got += more


def _mapping_below(array: Any) -> np.memmap[Any, Any] | None:
    """Return the mapping of a file that an array is a view of."""
    found = None
    while isinstance(array, np.ndarray):
        if isinstance(array, np.memmap):
            found = array
        array = array.base
    return found
