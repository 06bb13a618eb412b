"""Where the values of a table go while it is read: memory, or a file."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from nncli.core.arrays import Array, check_memory
from nncli.core.errors import NncliError
from nncli.core.files import naming

FLOAT = np.dtype("<f8")
PART = 1 << 22
"""Bytes that are read back together."""

_HEADER = 128


class Store(Protocol):
    """Takes rows of float64, and gives them back as one array."""

    def add(self, block: Array) -> None:
        """Take some rows."""

    def expect(self, rows: float) -> None:
        """Refuse about so many rows, if there is no room for them."""

    def parts(self) -> Iterator[Array]:
        """Yield all rows, some at a time."""

    def finish(self, places: Sequence[int]) -> Array:
        """Keep some columns only, and return them: (N, R), row-major."""

    def close(self) -> None:
        """Let go of what was needed while rows were added."""

    def drop(self) -> None:
        """Forget everything."""


class Memory:
    """Keeps rows in memory.

    Args:
        columns: How many there are.
    """

    def __init__(self, columns: int) -> None:
        self._blocks: list[Array] = []
        self._columns = columns
        self._rows = 0

    def add(self, block: Array) -> None:
        """Take some rows."""
        self._rows += len(block)
        self.expect(self._rows)
        self._blocks.append(block)

    def expect(self, rows: float) -> None:
        """Refuse more rows than the machine's memory holds."""
        check_memory((int(rows), self._columns), FLOAT, "the table")

    def parts(self) -> Iterator[Array]:
        """Yield all rows, some at a time."""
        yield from self._blocks

    def finish(self, places: Sequence[int]) -> Array:
        """Keep some columns only, and return them."""
        values = np.empty((self._rows, len(places)))
        begin = 0
        for block in self._blocks:
            values[begin : begin + len(block)] = block[:, places]
            begin += len(block)
        self._blocks = [values]
        return values

    def close(self) -> None:
        """Let go of nothing."""

    def drop(self) -> None:
        """Forget everything."""
        self._blocks.clear()


class Disk:
    """Keeps rows in a file of NumPy's format; mapped when it is complete.

    Rows are written and read back as bytes: a mapping would make them resident.

    Args:
        path: The file, in a directory that is made for it.
        columns: How many there are.
    """

    def __init__(self, path: Path, columns: int) -> None:
        self._path = path
        self._columns = columns
        self._rows = 0
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("w+b")
        self._file.write(bytes(_HEADER))

    def add(self, block: Array) -> None:
        """Take some rows."""
        with naming(self._path):
            self._file.write(np.ascontiguousarray(block, FLOAT).data)
        self._rows += len(block)

    def expect(self, rows: float) -> None:
        """Refuse more rows than the disk has room for."""
        self._check_room(rows * self._columns * FLOAT.itemsize)

    def parts(self) -> Iterator[Array]:
        """Yield all rows, some at a time."""
        self._file.flush()
        width = self._columns * FLOAT.itemsize
        rows = max(1, PART // max(1, width))
        for begin in range(0, self._rows, rows):
            number = min(rows, self._rows - begin)
            data = os.pread(
                self._file.fileno(), number * width, _HEADER + begin * width
            )
            yield np.frombuffer(data, FLOAT).reshape(number, self._columns)

    def finish(self, places: Sequence[int]) -> Array:
        """Keep some columns only, and return them."""
        if len(places) < self._columns:
            self._check_room(self._rows * len(places) * FLOAT.itemsize)
            fewer = Disk(self._path.with_suffix(".fewer"), len(places))
            for part in self.parts():
                fewer.add(part[:, places])
            self._file.close()
            fewer._path.replace(self._path)
            self._file, self._columns = fewer._file, fewer._columns
        with naming(self._path):
            self._file.seek(0)
            self._file.write(_header((self._rows, self._columns)))
            self._file.flush()
            os.fsync(self._file.fileno())
        array: Array = np.load(self._path, mmap_mode="r", allow_pickle=False)
        return array

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def drop(self) -> None:
        """Forget everything."""
        self.close()
        with contextlib.suppress(OSError):
            shutil.rmtree(self._path.parent)

    def _check_room(self, wanted: float) -> None:
        free = shutil.disk_usage(self._path.parent).free
        if wanted > free:
            raise NncliError(
                f"{self._path.parent.parent}: expected room for "
                f"{wanted / 2**30:,.1f} GiB, got {free / 2**30:,.1f} GiB. Free some, or"
                " name another directory in the environment variable NNCLI_CACHE."
            )


def _header(shape: tuple[int, int]) -> bytes:
    """Return the header of a .npy file, as long as any shape needs."""
    text = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}"
    magic = b"\x93NUMPY\x01\x00" + (_HEADER - 10).to_bytes(2, "little")
    return magic + text.ljust(_HEADER - 11).encode() + b"\n"
