"""Convolution by tiles that are transformed, multiplied and transformed back."""

from __future__ import annotations

import math
from abc import abstractmethod
from functools import partial
from itertools import product
from typing import Any, ClassVar, NamedTuple

from numpy.lib.stride_tricks import as_strided

from nncli.autograd.buffers import Form
from nncli.core.arrays import Array, Shape, xp
from nncli.ops.conv import (
    Convolution,
    optional_scratches,
    turned,
    turned_form,
)
from nncli.ops.conv_geometry import Geometry
from nncli.ops.windows import channels_first


def counts_of(geometry: Geometry, tile: Shape) -> Shape:
    """Return how many tiles cover the output, along each axis."""
    pairs = zip(geometry.out, tile, strict=True)
    return tuple(-(-size // side) for size, side in pairs)


def span_of(geometry: Geometry, tile: Shape) -> Shape:
    """Return the sizes of the image's tile that a tile of the output is made of."""
    axes = zip(tile, geometry.stride, geometry.reach, strict=True)
    return tuple((side - 1) * step + reach for side, step, reach in axes)


class Work(NamedTuple):
    """A workspace for tiles with q columns: runs of tiles times rows of the batch.

    Attributes:
        image: (C, *tile, wide, n) tiles of the image, a view of what is transformed.
        values: (K, *tile, wide, n) tiles of the output, likewise.
        spectrum: (F, C, q) the transformed image.
        product: (F, K, q) its products with the transformed weight.
        parts: What an algorithm needs besides.
    """

    image: Array
    values: Array
    spectrum: Array
    product: Array
    parts: tuple[Array, ...]


class Tile(NamedTuple):
    """Views for a run of tiles along the last axis of the image.

    Attributes:
        work: Where it is computed.
        image: (C, *tile, wide, n) of the image.
        values: Parts of the output, or of its gradient, and their places in ``work``.
        whole: Whether these are all places.
        sums: Parts of the image's gradient, and what is added to them.
    """

    work: Work
    image: Array
    values: tuple[tuple[Array, Array], ...]
    whole: bool
    sums: tuple[tuple[Array, Array], ...]


class TiledConv(Convolution):
    """Base of convolutions y = Aᵀ[(G W) ⊙ (B x)], tile by tile.

    B and G transform a tile of the image and the kernel to F numbers each, which are
    multiplied one by one and summed over channels: F products of matrices (K, C) and
    (C, q). Aᵀ transforms back. Tiles of the output lie side by side, those of the image
    overlap. The derivative is the adjoint of each step, in the opposite order.

    Class attributes:
        columns: About how many columns one product has: tiles times rows of the batch.

    Attributes:
        factor: (F, K, C) the transformed weight.
        adjoint: (F, C, K) what the gradient is multiplied by: its conjugate transpose.
        total: (F, K, C) the gradient of ``factor``.
    """

    columns: ClassVar[int]

    def image_size(self) -> Shape:
        """Return the padded image's sizes, or what the last tiles reach over."""
        g = self.geometry
        self.tile = self.tile_of(g)
        self.counts = counts_of(g, self.tile)
        self.step = tuple(t * s for t, s in zip(self.tile, g.stride, strict=True))
        self.span = span_of(g, self.tile)
        reached = (
            (count - 1) * step + span
            for count, step, span in zip(self.counts, self.step, self.span, strict=True)
        )
        return tuple(map(max, zip(g.padded, reached, strict=True)))

    @classmethod
    @abstractmethod
    def tile_of(cls, geometry: Geometry) -> Shape:
        """Return the sizes of a tile of the output."""

    @classmethod
    def moved(cls, geometry: Geometry) -> int:
        g, tile = geometry, cls.tile_of(geometry)
        both = g.channels * math.prod(span_of(g, tile)) + g.filters * math.prod(tile)
        return math.prod(counts_of(g, tile)) * both

    @abstractmethod
    def forms(self, q: int) -> tuple[Form, ...]:
        """Return the forms of flat workspaces for q columns, at most."""

    @abstractmethod
    def work(self, rooms: tuple[Array, ...], wide: int, rows: int) -> Work:
        """Return views of the workspaces."""

    @abstractmethod
    def transform_weight(self, weight: Array) -> None:
        """Write G W to ``factor`` (F, K, C)."""

    @abstractmethod
    def transform_back(self, dweight: Array) -> None:
        """Write the adjoint: Gᵀ of ``total`` (F, K, C)."""

    @abstractmethod
    def transform(self, work: Work) -> None:
        """Write B x: from ``image`` to ``spectrum``."""

    @abstractmethod
    def transform_adjoint(self, work: Work) -> None:
        """Write the adjoint: from ``spectrum`` to ``image``."""

    @abstractmethod
    def inverse(self, work: Work) -> None:
        """Write Aᵀ m: from ``product`` to ``values``."""

    @abstractmethod
    def inverse_adjoint(self, work: Work) -> None:
        """Write the adjoint: from ``values`` to ``product``."""

    @abstractmethod
    def add_outer(self, work: Work) -> None:
        """Add to ``total`` what these tiles give to it; spoils ``spectrum``."""

    @abstractmethod
    def factor_form(self) -> Form:
        """Return the form of ``factor``."""

    def prepare(self, weight: Array) -> None:
        like = self.factor_form()
        self.factor: Array = like.empty()
        self.adjoint: Array = self.factor.swapaxes(-1, -2)
        if self.differentiated:
            self.outer: Array = like.empty()
            self.total: Array = like.empty()
        self.wide, self.part = 1, self.rows
        if self.rows < self.columns:
            self.wide = min(self.counts[-1], max(1, self.columns // max(self.rows, 1)))
            self.wide = -(-self.counts[-1] // -(-self.counts[-1] // self.wide))
        else:
            self.part = -(-self.rows // -(-self.rows // self.columns))
        self.room_forms = self.forms(self.wide * self.part)

    def forward(self, x: Array, weight: Array, *rest: Array) -> None:
        """Write W * x + b: called as (x, weight, bias, out) or (x, weight, out)."""
        out = rest[-1]
        self.transform_weight(weight)
        rooms = tuple(optional_scratches(*self.room_forms))
        image = self.image(x)
        make = partial(self._tiles, rooms, image, channels_first(out), None)
        bias = None
        if self.has_bias:
            bias = rest[0].reshape(-1, *(1,) * (len(self.tile) + 2))
        for tile in self.forward_views.of((x, out, *rooms), make):
            work = tile.work
            xp.copyto(work.image, tile.image)
            self.transform(work)
            xp.matmul(self.factor, work.spectrum, out=work.product)
            self.inverse(work)
            for part, values in tile.values:
                if bias is None:
                    xp.copyto(part, values)
                else:
                    xp.add(values, bias, out=part)

    def backward(
        self,
        grad: Array,
        dx: Array | None,
        dweight: Array | None,
        dbias: Array | None = None,
    ) -> None:
        forms = (*self.room_forms, self.target(dx), turned_form(grad))
        *rooms, target, room = optional_scratches(*forms)
        g, into = turned(grad, room), self.into(dx, target)
        if into is not None:
            into.fill(0)
        if dbias is not None:
            xp.add.reduce(g.reshape(len(g), -1), axis=1, out=dbias)
        if dweight is not None:
            self.total.fill(0)
        make = partial(self._tiles, tuple(rooms), self.image_again(), g, into)
        given = (self.x, grad, dx, target, room, *rooms)
        for tile in self.backward_views.of(given, make):
            work = tile.work
            if not tile.whole:
                work.values.fill(0)
            for part, values in tile.values:
                xp.copyto(values, part)
            self.inverse_adjoint(work)
            if dweight is not None:
                xp.copyto(work.image, tile.image)
                self.transform(work)
                self.add_outer(work)
            if dx is not None:
                xp.matmul(self.adjoint, work.product, out=work.spectrum)
                self.transform_adjoint(work)
                for part, addend in tile.sums:
                    xp.add(part, addend, out=part)
        self.finish(dx, target)
        if dweight is not None:
            self.transform_back(dweight)

    def _tiles(
        self,
        rooms: tuple[Array, ...],
        image: Array,
        values: Array,
        into: Array | None,
    ) -> list[Tile]:
        """Make the views of every run of tiles."""
        runs = product(
            *(range(count) for count in self.counts[:-1]),
            range(0, self.counts[-1], self.wide),
            range(0, self.rows, self.part),
        )
        works: dict[Any, Work] = {}
        found = []
        for *at, row in runs:
            wide = min(self.wide, self.counts[-1] - at[-1])
            rows = min(self.part, self.rows - row)
            if (wide, rows) not in works:
                works[wide, rows] = self.work(rooms, wide, rows)
            work, batch = works[wide, rows], slice(row, row + rows)
            sums: tuple[tuple[Array, Array], ...] = ()
            if into is not None:
                sums = self._sums(self._run(into, at, wide, batch), work.image)
            parts = tuple(self._values(values, at, wide, batch, work.values))
            whole = sum(part.size for part, _ in parts) == work.values.size
            run = self._run(image, at, wide, batch)
            found.append(Tile(work, run, parts, whole, sums))
        return found

    def _run(self, image: Array, at: list[int], wide: int, batch: slice) -> Array:
        """Return a run of overlapping tiles of the image: (C, *tile, wide, n)."""
        starts = tuple(
            slice(i * step, None) for i, step in zip(at, self.step, strict=True)
        )
        corner = image[(slice(None), *starts, batch)]
        *along, row = corner.strides
        shape = (len(image), *self.span, wide, corner.shape[-1])
        return as_strided(corner, shape, (*along, along[-1] * self.step[-1], row))

    def _values(
        self, values: Array, at: list[int], wide: int, batch: slice, tiles: Array
    ) -> list[tuple[Array, Array]]:
        """Pair parts of the output with their places in tiles (K, *tile, wide, n).

        Tiles at the far end of an axis may reach over it.
        """
        starts = [i * tile for i, tile in zip(at, self.tile, strict=True)]
        left = [
            size - start for size, start in zip(values.shape[1:-1], starts, strict=True)
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
            corner = values[
                (slice(None), *(slice(start, None) for start in starts), batch)
            ]
            *along, row = corner.strides
            shape = (len(values), *sizes, count, corner.shape[-1])
            strides = (*along, along[-1] * self.tile[-1], row)
            inside = tuple(slice(size) for size in sizes)
            place = (slice(None), *inside, slice(first, first + count))
            pairs.append((as_strided(corner, shape, strides), tiles[place]))
        return pairs

    def _sums(self, into: Array, tiles: Array) -> tuple[tuple[Array, Array], ...]:
        """Return parts of a run of tiles within which none overlap."""
        if tiles.shape[-2] == 1:
            return ((into, tiles),)
        axis = len(self.tile)
        return tuple(
            zip(xp.moveaxis(into, axis, 0), xp.moveaxis(tiles, axis, 0), strict=True)
        )
