"""Buffers: the form of an array, buffers that are used again, and scratch space."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from typing import Any
from weakref import WeakValueDictionary

import numpy as np

from nncli.core.arrays import LINE, Array, Shape, xp

MAX_VIEWS = 1000
"""How many views of its scratch space a thread remembers."""


class Form:
    """Shape, dtype and memory order of an array; equal ones are one object.

    The memory order is that of the axes, from the slowest to the one that runs along
    memory: (0, 1, 2) is row-major, (1, 2, 0) has the batch innermost.
    """

    __slots__ = ("__weakref__", "dtype", "nbytes", "order", "shape", "size")

    def __init__(self, shape: Shape, dtype: np.dtype[Any], order: Shape) -> None:
        self.shape = shape
        self.dtype = dtype
        self.order = order
        self.size = math.prod(shape)
        self.nbytes = self.size * dtype.itemsize

    @staticmethod
    def of(array: Array) -> Form:
        """Return the form of an array; gaps between its elements do not count."""
        if array.flags.c_contiguous:
            return form(array.shape, array.dtype)
        strides = array.strides
        order = sorted(range(array.ndim), key=lambda axis: -abs(strides[axis]))
        return form(array.shape, array.dtype, tuple(order))

    def over(self, raw: Array) -> Array:
        """Return the first bytes of a buffer as an array of this form."""
        return self._turned(raw[: self.nbytes].view(self.dtype))

    def empty(self) -> Array:
        """Return a new array of this form; its content is undefined."""
        return self._turned(xp.empty(self.size, self.dtype))

    def _turned(self, elements: Array) -> Array:
        if self.order == tuple(range(len(self.shape))):
            return elements.reshape(self.shape)
        lying = elements.reshape([self.shape[axis] for axis in self.order])
        return lying.transpose(np.argsort(self.order))

    def __repr__(self) -> str:
        return f"Form({self.shape}, {self.dtype}, {self.order})"


_forms: WeakValueDictionary[tuple[Shape, Any, Shape], Form] = WeakValueDictionary()


def form(shape: Shape, dtype: Any, order: Shape | None = None) -> Form:
    """Return the form with a shape, a dtype and a memory order (row-major)."""
    key = (shape, np.dtype(dtype), tuple(range(len(shape))) if order is None else order)
    known = _forms.get(key)
    # Of two threads that make one at a time, both must get the same.
    return _forms.setdefault(key, Form(*key)) if known is None else known


def row_form(like: Form) -> Form:
    """Return the form of one number for each row along the last axis of another."""
    return form((*like.shape[:-1], 1), like.dtype)


_zeros: WeakValueDictionary[Form, Array] = WeakValueDictionary()


def zeros(like: Form) -> Array:
    """Return zeros that all who ask for this form share: never to be written to."""
    known = _zeros.get(like)
    if known is None:
        made = like.empty()
        made.fill(0)
        made.flags.writeable = False
        known = _zeros.setdefault(like, made)
    return known


class Pool:
    """Buffers of bytes that can be used again once nobody reads them any more.

    Args:
        poison: Hand out new buffers only, full of NaN, so that what is never written
            shows: for checks.

    Attributes:
        bytes: How many bytes were made in all.
    """

    def __init__(self, *, poison: bool = False) -> None:
        self.poison = poison
        self._free: list[Array] = []
        self.bytes = 0

    def take(self, like: Form) -> tuple[Array, Array]:
        """Return an array of a form, and the buffer below it for ``give_back``.

        The smallest free buffer that is large enough, but less than eight times as
        large, else a new one.
        """
        if self.poison:
            array = like.empty()
            array.fill(xp.nan if like.dtype.kind == "f" else 0)
            return array, array
        fitting = [
            raw for raw in self._free if like.nbytes <= raw.nbytes <= 8 * like.nbytes
        ]
        if fitting:
            raw = min(fitting, key=len)
            self._free = [free for free in self._free if free is not raw]
        else:
            raw = _aligned_bytes(like.nbytes)
            self.bytes += raw.nbytes
        return like.over(raw), raw

    def give_back(self, raw: Array) -> None:
        """Declare that nobody reads a buffer from here on."""
        if not self.poison:
            self._free.append(raw)


class _Scratch(threading.local):
    """One buffer a thread, as large as the largest request, and views of it."""

    def __init__(self) -> None:
        self.raw: Array = xp.empty(0, xp.uint8)
        self.views: dict[tuple[Form, ...], tuple[Array, ...]] = {}


_scratch = _Scratch()


def scratch(like: Form) -> Array:
    """Return an array of a form to compute with, of undefined content.

    It is the thread's own, and good until the Function's ``forward`` or ``backward``
    that asked for it returns. Each asks once; for several arrays, ``scratches``.
    """
    views = _scratch.views.get((like,))
    return (_view((like,)) if views is None else views)[0]


def scratches(*like: Form) -> tuple[Array, ...]:
    """Return several arrays to compute with, apart from each other; see ``scratch``."""
    views = _scratch.views.get(like)
    return _view(like) if views is None else views


def _view(forms: Sequence[Form]) -> tuple[Array, ...]:
    sizes = [-(-each.nbytes // LINE) * LINE for each in forms]
    if len(_scratch.views) > MAX_VIEWS:
        _scratch.views.clear()
    if sum(sizes) > _scratch.raw.nbytes:
        _scratch.views.clear()
        _scratch.raw = _aligned_bytes(sum(sizes))
    starts = np.cumsum([0, *sizes])
    views = tuple(
        each.over(_scratch.raw[start:])
        for each, start in zip(forms, starts.tolist(), strict=False)
    )
    _scratch.views[tuple(forms)] = views
    return views


def _aligned_bytes(size: int) -> Array:
    """Return bytes that begin at a cache line, so that any dtype fits."""
    raw = xp.empty(size + LINE, xp.uint8)
    first = -raw.ctypes.data % LINE
    return raw[first : first + size]
