"""Arrays: the library, dtypes, memory orders, and the guard before big ones."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from contextvars import Context, copy_context
from typing import Any

import numpy as xp
from numpy.typing import NDArray

from nncli.core.errors import NncliError, ShapeError

Array = NDArray[Any]
Shape = tuple[int, ...]

DTYPES: dict[str, xp.dtype[Any]] = {
    "float32": xp.dtype(xp.float32),
    "float64": xp.dtype(xp.float64),
}

LINE = 64
"""Bytes of a cache line."""

__all__ = [
    "DTYPES",
    "Array",
    "Longest",
    "Shape",
    "aligned_zeros",
    "axes_of",
    "batch_innermost",
    "check_memory",
    "counted",
    "quiet_context",
    "xp",
]


class Longest(int):
    """The size of an axis of rows that may be shorter: their largest length."""

    def __repr__(self) -> str:
        return f"<={int(self)}"

    __str__ = __repr__


def batch_innermost(shape: Shape, dtype: xp.dtype[Any]) -> Array:
    """Return an array whose first axis, the batch, runs along memory.

    Its logical shape is what is asked for: (N, C, H, W) lies as (C, H, W, N).
    """
    return xp.moveaxis(xp.empty((*shape[1:], shape[0]), dtype), -1, 0)


def aligned_zeros(size: int, dtype: Any) -> Array:
    """Return zeros that begin at a cache line: vector loads then never cross one."""
    width = xp.dtype(dtype).itemsize
    room = xp.zeros(size + LINE // width, dtype)
    first = -room.ctypes.data % LINE // width
    return room[first : first + size]


def counted(rows: Array, lengths: Array | None) -> Array:
    """Return the steps of sequences (N, T, ...) that count, (steps, ...); or rows.

    Args:
        rows: (N, T, ...), or any rows without lengths.
        lengths: (N,) how many steps of each row count; None for no sequences.
    """
    if lengths is None:
        return rows
    chosen: Array = rows[xp.arange(rows.shape[1]) < lengths[:, None]]
    return chosen


def axes_of(axis: int | Sequence[int] | None, ndim: int, name: str) -> Shape:
    """Return the axes that an argument names, counted from 0 and in order.

    Raises:
        ShapeError: There is no such axis, or one is named twice.
    """
    if axis is None:
        return tuple(range(ndim))
    chosen = axis if isinstance(axis, tuple | list) else (axis,)
    if any(not -ndim <= i < ndim for i in chosen):
        raise ShapeError(
            f"{name}: expected axes of an array with {ndim} axes, got {axis}."
        )
    axes = sorted(i % ndim for i in chosen)
    if len(set(axes)) < len(axes):
        raise ShapeError(f"{name}: expected different axes, got {axis}.")
    return tuple(axes)


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


def quiet_context() -> Context:
    """Return a context in which NumPy does not warn: ``run`` calls a function in it.

    For what is called often: ``np.errstate`` takes ten times as long as ``run``.
    """
    context = copy_context()
    context.run(xp.seterr, all="ignore")
    return context
