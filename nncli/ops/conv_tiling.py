"""Tiling: overlapping tiles of an image, and those of its output, side by side."""

from __future__ import annotations

from typing import NamedTuple

from numpy.lib.stride_tricks import as_strided

from nncli.core.arrays import Array, Shape, xp
from nncli.ops.conv_geometry import Geometry


def counts_of(geometry: Geometry, tile: Shape) -> Shape:
    """Return how many tiles cover the output, along each axis."""
    pairs = zip(geometry.out, tile, strict=True)
    return tuple(-(-size // side) for size, side in pairs)


def span_of(geometry: Geometry, tile: Shape) -> Shape:
    """Return the sizes of the image's tile that a tile of the output is made of."""
    axes = zip(tile, geometry.stride, geometry.reach, strict=True)
    return tuple((side - 1) * step + reach for side, step, reach in axes)


class Tiling(NamedTuple):
    """How images and outputs are cut.

    Attributes:
        tile: Sizes of a tile of the output.
        step: Steps from one tile of the image to the next.
        span: Sizes of a tile of the image.
    """

    tile: Shape
    step: Shape
    span: Shape

    @classmethod
    def of(cls, geometry: Geometry, tile: Shape) -> Tiling:
        """Return how tiles of the output cut a geometry."""
        step = tuple(t * s for t, s in zip(tile, geometry.stride, strict=True))
        return cls(tile, step, span_of(geometry, tile))

    def run(self, image: Array, at: list[int], wide: int, batch: slice) -> Array:
        """Return a run of overlapping tiles of the image: (C, *span, wide, n)."""
        starts = tuple(
            slice(i * step, None) for i, step in zip(at, self.step, strict=True)
        )
        corner = image[(slice(None), *starts, batch)]
        *along, row = corner.strides
        shape = (len(image), *self.span, wide, corner.shape[-1])
        return as_strided(corner, shape, (*along, along[-1] * self.step[-1], row))

    def values(
        self, output: Array, at: list[int], wide: int, batch: slice, tiles: Array
    ) -> list[tuple[Array, Array]]:
        """Pair parts of the output with their places in tiles (K, *tile, wide, n).

        Tiles at the far end of an axis may reach over it.
        """
        starts = [i * tile for i, tile in zip(at, self.tile, strict=True)]
        left = [
            size - start for size, start in zip(output.shape[1:-1], starts, strict=True)
        ]
        sizes = [min(tile, rest) for tile, rest in zip(self.tile, left, strict=True)]
        whole = min(wide, left[-1] // self.tile[-1])
        pairs = []
        for first, count, last in (
            (0, whole, self.tile[-1]),
            (whole, wide - whole, left[-1] - whole * self.tile[-1]),
        ):
            if not count:
                continue
            starts[-1] = (at[-1] + first) * self.tile[-1]
            sizes[-1] = min(last, self.tile[-1])
            corner = output[
                (slice(None), *(slice(start, None) for start in starts), batch)
            ]
            *along, row = corner.strides
            shape = (len(output), *sizes, count, corner.shape[-1])
            strides = (*along, along[-1] * self.tile[-1], row)
            inside = tuple(slice(size) for size in sizes)
            place = (slice(None), *inside, slice(first, first + count))
            pairs.append((as_strided(corner, shape, strides), tiles[place]))
        return pairs

    def sums(self, into: Array, tiles: Array) -> tuple[tuple[Array, Array], ...]:
        """Return parts of a run of tiles within which none overlap."""
        if tiles.shape[-2] == 1:
            return ((into, tiles),)
        axis = len(self.tile)
        return tuple(
            zip(xp.moveaxis(into, axis, 0), xp.moveaxis(tiles, axis, 0), strict=True)
        )
