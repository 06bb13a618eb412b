"""Images: how ops see rows of channels and places, (N, C, ...), in any memory order."""

from __future__ import annotations

from nncli.core.arrays import Array, xp
from nncli.core.errors import ShapeError

ROOM = 2**20
"""Bytes of the input that are computed together: they stay in a core's L2 cache."""


def check_rank(name: str, x: Array, rank: int) -> None:
    """Refuse inputs that have not so many axes of space, or no elements."""
    if x.ndim != rank + 2 or not x.size:
        shape = ", ".join(("N", "C", *("L", "HW", "DHW")[rank - 1]))
        raise ShapeError(f"{name}: expected inputs of shape ({shape}), got {x.shape}.")


def groups_of(x: Array) -> list[slice]:
    """Return channels of x (N, C, ...) that are computed together: about ROOM bytes."""
    channels = x.shape[1]
    # Features of (N, F) lie side by side: parts of them would be short runs.
    few = max(1, ROOM * channels // x.nbytes) if x.ndim > 2 else channels
    step = min(few, channels)
    return [slice(c, c + step) for c in range(0, channels, step)]


def channels_first(array: Array) -> Array:
    """Return (N, C, ...) as a view (C, ..., N)."""
    return xp.moveaxis(array, 0, -1)


def along(array: Array, axis: int, part: slice) -> Array:
    """Return a slice along an axis."""
    return array[(slice(None),) * axis + (part,)]
