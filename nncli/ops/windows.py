"""Windows: which elements of each axis one element of a pooled output is made of."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from nncli.autograd.buffers import Form, form
from nncli.autograd.function import Sized
from nncli.core.arrays import Array, Shape, xp
from nncli.core.errors import ShapeError
from nncli.ops.images import along, check_rank, groups_of


@dataclass(frozen=True)
class Part:
    """Elements at one offset of the windows: ``source`` of the input, ``target``.

    Attributes:
        target: Which windows have such an element.
        source: Where it lies in the input, for each of them.
    """

    target: slice
    source: slice


@dataclass(frozen=True, eq=False)
class Windows:
    """The windows along one axis.

    Windows are combined offset by offset: the first elements of all windows are a
    slice of the input, and so are the second ones. Along the last axis first, then
    along the one before it, this takes k + k slices for k × k windows.

    Attributes:
        size: How many elements the axis has.
        count: How many windows there are.
        parts: Offset by offset, in the order of the input.
        padded: How many elements each window has, those of the padding included.
    """

    size: int
    count: int
    parts: tuple[Part, ...]
    padded: Shape

    @cached_property
    def filled(self) -> Shape:
        """How many elements of the input each window has."""
        counts = np.zeros(self.count, int)
        for part in self.parts:
            counts[part.target] += 1
        return tuple(counts.tolist())

    @cached_property
    def whole(self) -> tuple[Part, ...]:
        """The parts that every window has."""
        return tuple(p for p in self.parts if p.target == slice(0, self.count))

    @cached_property
    def rest(self) -> tuple[Part, ...]:
        """The other parts."""
        return tuple(p for p in self.parts if p not in self.whole)

    @cached_property
    def apart(self) -> bool:
        """Whether no element lies in two windows, and every window has all parts."""
        hits = self._hits
        return bool(hits.max() <= 1) and not self.rest

    @cached_property
    def covers(self) -> bool:
        """Whether every element lies in a window."""
        return bool(self._hits.min() >= 1)

    @cached_property
    def _hits(self) -> Array:
        hits = np.zeros(self.size, int)
        for part in self.parts:
            hits[part.source] += 1
        return hits


class Placing(Protocol):
    """Where the windows of a pooling lie."""

    @property
    def rank(self) -> int:
        """How many axes of space there are."""

    def over(self, sizes: Sequence[int]) -> tuple[Windows, ...]:
        """Return the windows along each axis of space.

        Raises:
            ShapeError: They do not fit.
        """


@dataclass(frozen=True)
class Sliding:
    """Windows of one size at regular steps, as in PyTorch; one entry an axis.

    Args:
        kernel: How many elements a window has.
        stride: From one window to the next; None for windows side by side.
        padding: How far windows reach beyond either end.
        dilation: From one element of a window to the next.
        ceil_mode: Let the last window reach beyond the end, if it begins before it.
    """

    kernel: Shape
    stride: Shape | None = None
    padding: Shape = ()
    dilation: Shape = ()
    ceil_mode: bool = False

    @property
    def rank(self) -> int:
        return len(self.kernel)

    def over(self, sizes: Sequence[int]) -> tuple[Windows, ...]:
        axes = zip(
            sizes,
            self.kernel,
            self.stride or self.kernel,
            self.padding or (0,) * len(self.kernel),
            self.dilation or (1,) * len(self.kernel),
            strict=True,
        )
        return tuple(self._along(*axis) for axis in axes)

    def _along(
        self, size: int, kernel: int, stride: int, padding: int, dilation: int
    ) -> Windows:
        span = dilation * (kernel - 1) + 1
        room = size + 2 * padding - span
        count = (room + (stride - 1) * self.ceil_mode) // stride + 1
        if count < 1:
            raise ShapeError(
                f"expected windows of at most {size + 2 * padding} elements, padding "
                f"included, as the input has, got {span}."
            )
        # A window that would begin in the padding behind the end is left out.
        count -= self.ceil_mode and (count - 1) * stride >= size + padding
        parts = []
        # Of a huge kernel, most elements only ever lie in the padding.
        low = max(0, (padding - (count - 1) * stride) // dilation)
        high = min(kernel, (size - 1 + padding) // dilation + 1)
        for i in range(low, high):
            offset = i * dilation - padding
            first = max(0, -(offset // stride))
            last = min(count - 1, (size - 1 - offset) // stride)
            if first <= last:
                source = slice(
                    first * stride + offset, last * stride + offset + 1, stride
                )
                parts.append(Part(slice(first, last + 1), source))
        ends = [min(j * stride + span, size + 2 * padding) for j in range(count)]
        padded = tuple(-(-(end - j * stride) // dilation) for j, end in enumerate(ends))
        windows = Windows(size, count, tuple(parts), padded)
        if min(windows.filled) < 1:
            raise ShapeError(
                f"expected windows with an element of the input in each, got {kernel} "
                f"elements, {dilation} apart, of which none is among the {size}."
            )
        return windows


@dataclass(frozen=True)
class Adaptive:
    """So many windows along each axis, which share it out, as in PyTorch.

    Window j of n reaches from ⌊j·L/n⌋ to ⌈(j + 1)·L/n⌉ of L elements.

    Args:
        counts: How many windows.
    """

    counts: Shape

    @property
    def rank(self) -> int:
        return len(self.counts)

    def over(self, sizes: Sequence[int]) -> tuple[Windows, ...]:
        axes = zip(sizes, self.counts, strict=True)
        return tuple(self._along(*axis) for axis in axes)

    @staticmethod
    def _along(size: int, count: int) -> Windows:
        if size % count == 0:
            (windows,) = Sliding((size // count,)).over((size,))
            return windows
        starts = [j * size // count for j in range(count)]
        lengths = [-(-(j + 1) * size // count) - starts[j] for j in range(count)]
        parts = [
            Part(slice(j, j + 1), slice(starts[j] + i, starts[j] + i + 1))
            for i in range(max(lengths))
            for j in range(count)
            if i < lengths[j]
        ]
        return Windows(size, count, tuple(parts), tuple(lengths))


def pooled_flops(placing: Placing, x: Sized, out: Sized) -> int:
    """Count an operation for each element of each window, the padding included."""
    windows = placing.over(x.shape[2:])
    return int(out.size * math.prod(max(each.padded) for each in windows))


class Plan:
    """A pooling over an input of one shape: channels in groups, axis by axis.

    Arrays are taken as (C, space..., N): with the batch innermost in memory, every
    slice consists of runs of N elements.

    Args:
        name: Of the op, for messages.
        placing: Where the windows lie.
        x: (N, C, space...) the input.

    Attributes:
        windows: Along each axis of space.
        shape: (N, C, ...) of the output.
        groups: Channels that are pooled together.
        forms: For a group, the form of what is left when the last axis is pooled,
            then the one before it, ... down to the first.
    """

    def __init__(self, name: str, placing: Placing, x: Array) -> None:
        rank = placing.rank
        check_rank(name, x, rank)
        n, channels, *space = x.shape
        self.windows = placing.over(space)
        self.shape = (n, channels, *(w.count for w in self.windows))
        self.groups = groups_of(x)
        step = self.groups[0].stop
        self.forms: list[Form] = []
        for axis in reversed(range(rank)):
            space[axis] = self.windows[axis].count
            shape = (step, *space, n)
            self.forms.append(form(shape, x.dtype))

    def downwards(self) -> list[tuple[int, Windows]]:
        """Return the axes of (C, space..., N) and their windows, the last one first."""
        return [*enumerate(self.windows, 1)][::-1]


def combine(
    ufunc: np.ufunc, start: float, windows: Windows, axis: int, x: Array, out: Array
) -> None:
    """Write what a ufunc makes of the elements of each window along an axis."""
    first, rest = windows.whole[:2], (*windows.whole[2:], *windows.rest)
    if len(first) == 2:
        ufunc(*(along(x, axis, part.source) for part in first), out=out)
    elif first:
        xp.copyto(out, along(x, axis, first[0].source))
    else:
        out.fill(start)
    for part in rest:
        target = along(out, axis, part.target)
        ufunc(target, along(x, axis, part.source), out=target)


def spread(windows: Windows, axis: int, grad: Array, dx: Array) -> None:
    """Write for each element the sum of the gradients of its windows along an axis."""
    if windows.count == 1 and windows.apart and windows.covers:
        xp.copyto(dx, grad)
        return
    if windows.apart:
        if not windows.covers:
            dx.fill(0)
        for part in windows.parts:
            xp.copyto(along(dx, axis, part.source), grad)
        return
    dx.fill(0)
    for part in windows.parts:
        target = along(dx, axis, part.source)
        xp.add(target, along(grad, axis, part.target), out=target)
