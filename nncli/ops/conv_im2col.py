"""Convolution by im2col: windows copied side by side, and one product for many."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from itertools import product
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided

from nncli.autograd.buffers import form, scratch
from nncli.autograd.function import Case
from nncli.core.arrays import Array, xp
from nncli.ops import conv
from nncli.ops.conv import (
    Convolution,
    inputs_of,
    optional_scratches,
    turned,
    turned_form,
)
from nncli.ops.conv_geometry import Box, Geometry
from nncli.ops.images import channels_first


class Chunk(NamedTuple):
    """Views for some windows of all images: p = oh·ow·N columns.

    Attributes:
        windows: (g, C/g, kh, kw, oh, ow, N) of the image.
        copied: The same of the matrix.
        matrix: (g, terms + 1, p) the windows, and ones where there is a bias.
        values: (g, K/g, p) of the output, or of its gradient.
        sums: Parts of the image's gradient, and what is added to them.
    """

    windows: Array
    copied: Array
    matrix: Array
    values: Array
    sums: tuple[tuple[Array, Array], ...] = ()


class Im2colConv(Convolution, name="im2col_conv"):
    """y = [W b] · [X; 1] with windows as the columns of X; see ``Convolution``.

    A chunk of windows stays in the cache; the row of ones under them is the bias. X is
    not kept but made again for the derivative: dL/d[W b] = Σ dL/dy · [X; 1]ᵀ, and
    dL/dX = Wᵀ · dL/dy, added up where windows overlap (col2im).
    Chellapilla et al. 2006.
    """

    @classmethod
    def moved(cls, geometry: Geometry) -> int:
        return geometry.groups * geometry.terms * math.prod(geometry.out)

    def prepare(self, weight: Array) -> None:
        g = self.geometry
        self.height = g.terms + self.has_bias
        column = g.groups * self.height * self.rows * self.dtype.itemsize
        least = -(-conv.LEAST // max(self.rows, 1))
        self.boxes = g.boxes(max(conv.CHUNK // column, least))
        most = max(math.prod(size for _, size in box) for box in self.boxes)
        size = g.groups * self.height * most * self.rows
        self.cols_form = form((size,), self.dtype)
        self.joined = xp.empty((g.groups, g.group_filters, self.height), self.dtype)
        if self.differentiated:
            shape = g.groups, self.height, g.group_filters
            self.part = xp.empty(shape, self.dtype)
            self.total = xp.empty(shape, self.dtype)

    def forward(self, x: Array, weight: Array, *rest: Array) -> None:
        """Write W * x + b: called as (x, weight, bias, out) or (x, weight, out)."""
        out, cols = rest[-1], scratch(self.cols_form)
        self.take_weight(weight, rest[0] if self.has_bias else None)
        image = self.image(x)
        make = partial(self._chunks, image, cols, channels_first(out), None)
        for chunk in self.forward_views.of((x, out, cols), make):
            self._copy(chunk)
            xp.matmul(self.joined, chunk.matrix, out=chunk.values)

    def backward(
        self,
        grad: Array,
        dx: Array | None,
        dweight: Array | None,
        dbias: Array | None = None,
    ) -> None:
        cols, target, room = optional_scratches(
            self.cols_form, self.target(dx), turned_form(grad)
        )
        g, into = turned(grad, room), self.into(dx, target)
        if into is not None:
            into.fill(0)
        make = partial(self._chunks, self.image_again(), cols, g, into)
        given = (self.x, grad, dx, cols, target, room)
        terms = self.geometry.terms
        weight = self.joined[:, :, :terms].swapaxes(1, 2)
        wanted = dweight is not None or dbias is not None
        if wanted:
            self.total.fill(0)
        for chunk in self.backward_views.of(given, make):
            if wanted:
                self._copy(chunk)
                # X·gᵀ is up to twice as fast in OpenBLAS as g·Xᵀ.
                xp.matmul(chunk.matrix, chunk.values.swapaxes(1, 2), out=self.part)
                xp.add(self.total, self.part, out=self.total)
            if dx is not None:
                xp.matmul(weight, chunk.values, out=chunk.matrix[:, :terms])
                for part, addend in chunk.sums:
                    xp.add(part, addend, out=part)
        self.finish(dx, target)
        if wanted:
            self._part(dweight, dbias)

    def take_weight(self, weight: Array, bias: Array | None = None) -> None:
        """Lay W and b side by side, for ``forward`` and ``backward``."""
        g = self.geometry
        shape = (g.groups, g.group_filters, g.group_channels, *g.kernel)
        flat = self.joined[:, :, : g.terms]
        xp.copyto(flat.reshape(shape), weight.reshape(shape))
        if bias is not None:
            xp.copyto(self.joined[:, :, -1], bias.reshape(g.groups, -1))

    def _part(self, dweight: Array | None, dbias: Array | None) -> None:
        """Take the gradients of W and b apart."""
        g, total = self.geometry, self.total.swapaxes(1, 2)
        if dweight is not None:
            shape = (g.groups, g.group_filters, g.group_channels, *g.kernel)
            flat = total[:, :, : g.terms]
            xp.copyto(dweight.reshape(shape), flat.reshape(shape))
        if dbias is not None:
            xp.copyto(dbias.reshape(g.groups, -1), total[:, :, -1])

    def _copy(self, chunk: Chunk) -> None:
        xp.copyto(chunk.copied, chunk.windows)
        if self.has_bias:
            # Chunks of other sizes have windows there.
            chunk.matrix[:, -1].fill(1)

    def _chunks(
        self, image: Array, cols: Array, values: Array, into: Array | None
    ) -> list[Chunk]:
        """Make the views of every chunk."""
        g, chunks = self.geometry, []
        for box in self.boxes:
            sizes = tuple(size for _, size in box)
            p = math.prod(sizes) * self.rows
            matrix = cols[: g.groups * self.height * p].reshape(g.groups, -1, p)
            windows = self._windows(image, box)
            copied = matrix[:, : g.terms].reshape(windows.shape)
            place = tuple(slice(start, start + size) for start, size in box)
            part = values[(slice(None), *place)]
            sums: tuple[tuple[Array, Array], ...] = ()
            if into is not None:
                sums = tuple(self._sums(self._windows(into, box), copied, sizes))
            part = part.reshape(g.groups, g.group_filters, p)
            chunks.append(Chunk(windows, copied, matrix, part, sums))
        return chunks

    def _windows(self, image: Array, box: Box) -> Array:
        """Return the windows of an image (C, H, W, N) whose values are in a box."""
        g = self.geometry
        starts = tuple(
            slice(start * step, None)
            for (start, _), step in zip(box, g.stride, strict=True)
        )
        channel, *along, row = image.strides
        sizes = tuple(size for _, size in box)
        return as_strided(
            image[(slice(None), *starts)],
            (g.groups, g.group_channels, *g.kernel, *sizes, self.rows),
            (
                channel * g.group_channels,
                channel,
                *(s * d for s, d in zip(along, g.dilation, strict=True)),
                *(s * d for s, d in zip(along, g.stride, strict=True)),
                row,
            ),
        )

    def _sums(
        self, into: Array, copied: Array, sizes: tuple[int, ...]
    ) -> Iterator[tuple[Array, Array]]:
        """Yield parts of overlapping windows within which none overlap."""
        kernel = self.geometry.kernel
        if math.prod(kernel) <= math.prod(sizes):
            for place in product(*map(range, kernel)):
                at: Any = (slice(None), slice(None), *place)
                yield into[at], copied[at]
            return
        for place in product(*map(range, sizes)):
            at = (*(slice(None),) * (2 + len(kernel)), *place)
            yield into[at], copied[at]

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """One to three axes; strides, borders, dilation, groups, without a bias."""
        none = ((0, 0), (0, 0))
        plain = cls((1, 1), none, (1, 1))
        yield Case(plain, inputs_of(rng, (2, 2, 4, 5), (3, 2, 3, 2)))
        mixed = cls((2, 1), ((1, 1), (2, 0)), (1, 2))
        yield Case(mixed, inputs_of(rng, (2, 2, 6, 5), (4, 2, 3, 2), bias=False))
        grouped = cls((1, 1), none, (1, 1), 2)
        yield Case(grouped, inputs_of(rng, (3, 4, 3, 3), (4, 2, 2, 2)))
        line = cls((2,), ((1, 2),), (1,))
        yield Case(line, inputs_of(rng, (2, 2, 5), (3, 2, 3)))
        solid = cls((1, 1, 2), ((0, 0), (1, 0), (0, 0)), (1, 1, 1))
        yield Case(solid, inputs_of(rng, (2, 1, 2, 2, 4), (2, 1, 2, 2, 3)))
