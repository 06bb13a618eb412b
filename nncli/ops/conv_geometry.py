"""Geometry: sizes, places and counts of windows that slide over an image."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product

from nncli.core.arrays import Array, Shape
from nncli.core.errors import ShapeError
from nncli.ops.images import channels_first

Borders = tuple[tuple[int, int], ...]
"""For each axis of an image, how many zeros come before and after it."""

Box = tuple[tuple[int, int], ...]
"""A part of an output: where it starts and how long it is, for each axis."""


@dataclass(frozen=True)
class Geometry:
    """What a convolution does to one image, whatever the batch.

    Images have any number of axes, one entry each in the tuples.

    Attributes:
        channels: C, of the image.
        filters: K, the channels of the output.
        image: Sizes of the image, without its borders.
        kernel: Sizes of a window.
        stride: Steps from one window to the next.
        dilation: Steps from one element of a window to the next.
        borders: Zeros around the image.
        groups: Channels and filters are cut into so many parts that do not meet.
    """

    channels: int
    filters: int
    image: Shape
    kernel: Shape
    stride: Shape
    dilation: Shape
    borders: Borders
    groups: int = 1

    def check(self, name: str) -> None:
        """Raise ShapeError where windows or groups do not fit, in words of shapes."""
        if self.channels % self.groups or self.filters % self.groups:
            raise ShapeError(
                f"{name}: expected channels and filters that {self.groups} groups "
                f"divide, got {self.channels} channels and {self.filters} filters."
            )
        if min(self.out) < 1:
            size = f"image of size {self.image}"
            if any(map(any, self.borders)):
                size = f"padded image of size {self.padded}"
            wide = f", dilated to {self.reach}" if self.reach != self.kernel else ""
            raise ShapeError(
                f"{name}: expected a kernel that fits into the {size}, got "
                f"{self.kernel}{wide}. Make the kernel smaller, or pad the image."
            )

    @cached_property
    def reach(self) -> Shape:
        """How many elements a window spans: d·(k − 1) + 1."""
        pairs = zip(self.kernel, self.dilation, strict=True)
        return tuple(d * (k - 1) + 1 for k, d in pairs)

    @cached_property
    def padded(self) -> Shape:
        """Sizes of the image with its borders."""
        return tuple(
            size + sum(pair)
            for size, pair in zip(self.image, self.borders, strict=True)
        )

    @cached_property
    def out(self) -> Shape:
        """Sizes of the output: ⌊(padded − reach) / stride⌋ + 1."""
        axes = zip(self.padded, self.reach, self.stride, strict=True)
        return tuple((size - reach) // step + 1 for size, reach, step in axes)

    @cached_property
    def inside(self) -> tuple[slice, ...]:
        """Where the image lies within its borders."""
        pairs = zip(self.image, self.borders, strict=True)
        return tuple(slice(before, before + size) for size, (before, _) in pairs)

    @property
    def group_channels(self) -> int:
        """C / groups."""
        return self.channels // self.groups

    @property
    def group_filters(self) -> int:
        """K / groups."""
        return self.filters // self.groups

    @property
    def terms(self) -> int:
        """How many products each element of the output is a sum of."""
        return self.group_channels * math.prod(self.kernel)

    def bordered(self) -> Geometry:
        """Return the same over an image that has its borders already."""
        none = ((0, 0),) * len(self.image)
        return replace(self, image=self.padded, borders=none)

    def boxes(self, positions: int) -> list[Box]:
        """Cut the output into boxes of about so many elements each.

        A box is (start, size) of each axis. All its elements follow each other in a
        row-major output: an axis is cut only where those behind it are whole.
        """
        sizes = []
        for size in reversed(self.out):
            most = min(size, max(1, positions))
            # Boxes of about one size, rather than a small one at the end.
            sizes.append(-(-size // -(-size // most)))
            positions = positions // size if most == size else 1
        cuts = [
            [(start, min(step, size - start)) for start in range(0, size, step)]
            for size, step in zip(self.out, reversed(sizes), strict=True)
        ]
        return list(product(*cuts))


def lies_inward(x: Array) -> bool:
    """Whether the batch is the innermost axis in memory, without gaps."""
    return bool(channels_first(x).flags.c_contiguous)
