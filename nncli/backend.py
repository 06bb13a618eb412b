"""The array library, the dtypes a run may use, and the guard before big arrays."""

from __future__ import annotations

import math
import os
from typing import Any

import numpy as xp
from numpy.typing import NDArray

from nncli.errors import NncliError

Array = NDArray[Any]
Shape = tuple[int, ...]

DTYPES: dict[str, xp.dtype[Any]] = {
    "float32": xp.dtype(xp.float32),
    "float64": xp.dtype(xp.float64),
}

__all__ = ["DTYPES", "Array", "Shape", "check_memory", "xp"]


def _physical_memory() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 2**40


def check_memory(shape: Shape, dtype: xp.dtype[Any], what: str) -> None:
    """Refuse an array that this machine cannot hold, before it is allocated.

    Args:
        shape: Shape of the array that is about to be made.
        dtype: Its element type.
        what: Its name in the message.

    Raises:
        NncliError: The array alone is larger than half of the machine's memory.
    """
    size = math.prod(shape) * dtype.itemsize
    limit = _physical_memory() // 2
    if size > limit:
        raise NncliError(
            f"{what}: expected at most {_gib(limit)} GiB, half of this machine's "
            f"memory, got shape {shape} with {_gib(size)} GiB. Make it smaller."
        )


def _gib(size: int) -> str:
    # A size from a hostile file may be too long for a float.
    return f"{min(size, 2**80) / 2**30:,.1f}"
