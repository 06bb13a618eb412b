"""Convolution by tiles that are transformed, multiplied and transformed back."""

from __future__ import annotations

import math
from abc import abstractmethod
from functools import partial
from itertools import product
from typing import Any, ClassVar, NamedTuple

from nncli.autograd.buffers import Form, form
from nncli.core.arrays import Array, Shape, xp
from nncli.ops import conv
from nncli.ops.conv import (
    Convolution,
    optional_scratches,
    turned,
    turned_form,
)
from nncli.ops.conv_geometry import Geometry
from nncli.ops.conv_tiling import Tiling, counts_of, span_of
from nncli.ops.images import channels_first


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
        kept: Whether the transformed weight is kept for the derivative; one that is
            much larger than the weight is scratch, and made again.

    Attributes:
        factor: (F, K, C) the transformed weight.
        total: (F, K, C) the gradient of ``factor``: scratch.
    """

    columns: ClassVar[int]
    kept: ClassVar[bool]

    def image_size(self) -> Shape:
        """Return the padded image's sizes, or what the last tiles reach over."""
        g = self.geometry
        self.tile = self.tile_of(g)
        self.counts = counts_of(g, self.tile)
        self.tiling = Tiling.of(g, self.tile)
        self.span = self.tiling.span
        reached = (
            (count - 1) * step + span
            for count, step, span in zip(
                self.counts, self.tiling.step, self.span, strict=True
            )
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
    def transform_weight(self, weight: Array, rooms: tuple[Array, ...]) -> None:
        """Write G W to ``factor`` (F, K, C); the workspaces are free."""

    @abstractmethod
    def transform_back(self, dweight: Array, rooms: tuple[Array, ...]) -> None:
        """Write the adjoint: Gᵀ of ``total`` (F, K, C); the workspaces are free."""

    @abstractmethod
    def adjoint(self) -> Array:
        """Return the conjugate transpose (F, C, K) of ``factor``; may spoil it."""

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
    def outer(self, work: Work) -> tuple[Array, Array]:
        """Return (F, K, q) and (F, q, C): their product is the gradient of ``factor``.

        Spoils ``spectrum`` and ``image``.
        """

    @abstractmethod
    def factor_form(self) -> Form:
        """Return the form of ``factor``."""

    def prepare(self, weight: Array) -> None:
        like = self.factor_form()
        *lead, points, filters, channels = like.shape
        # Gradients of the transformed weight are added while they are in the cache.
        nbytes = like.nbytes // points
        step = min(points, max(1, conv.CHUNK // max(1, nbytes)))
        starts = range(0, points, step)
        self.points_of = [slice(f, min(f + step, points)) for f in starts]
        shape = (*lead, step, filters, channels)
        self.outer_form = form(shape, like.dtype)
        # Of one that is not kept, scratch takes the place whenever it is needed.
        self.factor: Array = (like if self.kept else form((0,), like.dtype)).empty()
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
        self.weight = weight
        like = None if self.kept else self.factor_form()
        *scratches, factor = optional_scratches(*self.room_forms, like)
        rooms = tuple(scratches)
        if not self.kept:
            self.factor = factor
        self.transform_weight(weight, rooms)
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
        like = self.factor_form()
        remade = None if self.kept or dx is None else like
        forms = (
            *(*self.room_forms, self.outer_form, remade, like),
            *(self.target(dx), turned_form(grad)),
        )
        *rooms, outer, factor, self.total, target, room = optional_scratches(*forms)
        g, into = turned(grad, room), self.into(dx, target)
        if into is not None:
            into.fill(0)
        if dbias is not None:
            xp.add.reduce(g.reshape(len(g), -1), axis=1, out=dbias)
        if dweight is not None:
            self.total.fill(0)
        if remade is not None:
            self.factor = factor
            self.transform_weight(self.weight, tuple(rooms))
        if dx is not None:
            factor = self.adjoint()
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
                self._add_outer(*self.outer(work), outer)
            if dx is not None:
                xp.matmul(factor, work.product, out=work.spectrum)
                self.transform_adjoint(work)
                for part, addend in tile.sums:
                    xp.add(part, addend, out=part)
        self.finish(dx, target)
        if dweight is not None:
            self.transform_back(dweight, tuple(rooms))

    def _add_outer(self, left: Array, right: Array, room: Array) -> None:
        """Add products of matrices to ``total``, some frequencies at a time."""
        for points in self.points_of:
            at = (..., points, slice(None), slice(None))
            total, one, other = self.total[at], left[at], right[at]
            part = room[(..., slice(total.shape[-3]), slice(None), slice(None))]
            xp.matmul(one, other, out=part)
            xp.add(total, part, out=total)

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
                sums = self.tiling.sums(
                    self.tiling.run(into, at, wide, batch), work.image
                )
            parts = tuple(self.tiling.values(values, at, wide, batch, work.values))
            whole = sum(part.size for part, _ in parts) == work.values.size
            run = self.tiling.run(image, at, wide, batch)
            found.append(Tile(work, run, parts, whole, sums))
        return found
