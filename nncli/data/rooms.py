"""Rooms: arrays to compute in that are kept from batch to batch."""

from __future__ import annotations

import math
import threading
from typing import Any

from nncli.core.arrays import Array, Shape, xp


class Rooms(threading.local):
    """Arrays to compute in, one a thread: the next batch may be made in another."""

    def __init__(self) -> None:
        self.array = xp.empty(0, xp.uint8)

    def take(self, shape: Shape, dtype: Any) -> Array:
        """Return an array of undefined content, good until the next call."""
        size = math.prod(shape) * xp.dtype(dtype).itemsize
        if self.array.size < size:
            self.array = xp.empty(size, xp.uint8)
        room: Array = self.array[:size].view(dtype).reshape(shape)
        return room
