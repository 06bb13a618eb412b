"""Shared: arrays in memory that a process and those forked from it see together."""

from __future__ import annotations

import math
import mmap
from typing import Any

import numpy as np

from nncli.core.arrays import LINE, Array, Shape, xp
from nncli.core.errors import NncliError


class Shared:
    """Arrays by name, zero at first, in memory that forked processes share.

    The mapping has no name and no file: it is gone with the last process that has it,
    however that ends, and ``/dev/shm`` may be as small as it likes.

    Args:
        shapes: Shape and dtype of each array.

    Raises:
        NncliError: There is not enough memory.
    """

    def __init__(self, shapes: dict[str, tuple[Shape, Any]]) -> None:
        sizes = {
            name: math.prod(shape) * np.dtype(dtype).itemsize
            for name, (shape, dtype) in shapes.items()
        }
        # A cache line of its own for each, so that no two workers write to one.
        ends = np.cumsum([0, *(-(-size // LINE) * LINE for size in sizes.values())])
        total = int(ends[-1])
        try:
            memory = mmap.mmap(-1, max(total, 1))
        except (OSError, ValueError, OverflowError) as error:
            raise NncliError(
                f"training.shards: expected {total / 2**20:,.0f} MiB of memory that "
                f"workers share, got: {error}. Use fewer shards, or fewer workers."
            ) from None
        self.arrays: dict[str, Array] = {
            name: xp.frombuffer(
                memory, dtype, math.prod(shape), offset=int(begin)
            ).reshape(shape)
            for (name, (shape, dtype)), begin in zip(
                shapes.items(), ends[:-1], strict=True
            )
        }

    def __getitem__(self, name: str) -> Array:
        return self.arrays[name]


def write_text(row: Array, text: str, *, end: bool = False) -> None:
    """Write into a row of bytes as much of a text's beginning, or end, as it takes."""
    data = text.encode(errors="replace")
    data = data[-row.size :] if end else data[: row.size]
    row[:] = 0
    row[: len(data)] = memoryview(data)


def read_text(row: Array) -> str:
    """Read what ``write_text`` wrote."""
    data: bytes = row.tobytes()
    return data.rstrip(b"\0").decode(errors="replace")
