"""Depthwise convolution: each channel by itself, sums over the kernel in one pass."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from nncli.autograd.buffers import form
from nncli.autograd.function import Case
from nncli.core.arrays import Array, Shape, xp
from nncli.ops import conv
from nncli.ops.conv import (
    Convolution,
    inputs_of,
    optional_scratches,
    turned,
    turned_form,
)
from nncli.ops.conv_geometry import Geometry
from nncli.ops.images import channels_first


class DepthwiseConv(Convolution, name="depthwise_conv"):
    """y = b + Σ_a W_a · x shifted by a, with one channel a group; see ``Convolution``.

    A line is a run of memory: a whole row of the image where the last axis has no
    stride, else the batch of one element. For each line of the output, ``einsum`` adds
    up the kernel's elements times shifted lines of the image while they stay in the
    first cache; nothing lies in between. The gradient of the image is the same over
    dL/dy with zeros around it, and the kernel turned; with a stride, the parts of the
    elements are added one by one. That of W is the products of lines, summed.
    """

    @classmethod
    def misfit(cls, geometry: Geometry) -> str:
        if geometry.group_channels > 1:
            return f"groups of {geometry.group_channels} channels"
        return "" if geometry.groups > 1 else "a single group"

    @classmethod
    def moved(cls, geometry: Geometry) -> int:
        g = geometry
        lines = math.prod(g.out if g.stride[-1] > 1 else g.out[:-1])
        sums = lines * math.prod(g.kernel) * g.filters
        return g.channels * math.prod(g.padded) + g.filters * math.prod(g.out) + sums

    def prepare(self, weight: Array) -> None:
        g = self.geometry
        rank = len(g.kernel)
        self.strided = max(g.stride) > 1
        # Labels of axes for einsum: channel, filter of a channel, run, lines, kernel.
        lines = tuple(range(3, 3 + len(self._lines(g.out))))
        kernel = tuple(range(9, 9 + rank))
        self.value_axes = (0, *lines, *kernel, 2), (0, 1, *kernel), (0, 1, *lines, 2)
        self.image_axes = (0, 1, *lines, *kernel, 2), (0, 1, *kernel), (0, *lines, 2)
        each = math.prod(g.padded) * self.rows * self.dtype.itemsize
        step = min(g.channels, max(1, conv.CHUNK // max(1, each)))
        starts = range(0, g.channels, step)
        self.parts = [slice(c, min(c + step, g.channels)) for c in starts]
        pair = step, g.group_filters
        self.sums_form = form((*pair, *self._lines(g.out), *g.kernel), self.dtype)
        self.product_form = form((step, *g.out, self.rows), self.dtype)
        self.target_form = form((step, *g.padded, self.rows), self.dtype)
        if self.differentiated and not self.strided:
            sizes = (
                out + 2 * (reach - 1) for out, reach in zip(g.out, g.reach, strict=True)
            )
            self.around: Array = xp.zeros((*pair, *sizes, self.rows), self.dtype)

    def _lines(self, space: Shape) -> Shape:
        """Return how many lines there are, given the sizes of what they make up."""
        return space if self.geometry.stride[-1] > 1 else space[:-1]

    def forward(self, x: Array, weight: Array, *rest: Array) -> None:
        """Write W * x + b: called as (x, weight, bias, out) or (x, weight, out)."""
        self.weight = weight
        image, kernels = self.image(x), self._split(weight[:, 0])
        y = self._split(channels_first(rest[-1]))
        windows, kernel, lines = self.value_axes
        for part in self.parts:
            values = self._in_lines(y[part])
            source = self._windows(image[part], self.geometry.out)
            xp.einsum(source, windows, kernels[part], kernel, lines, out=values)
            if self.has_bias:
                bias = self._split(rest[0])[part]
                bias = bias.reshape(*bias.shape, *(1,) * (values.ndim - 2))
                xp.add(values, bias, out=values)

    def backward(
        self,
        grad: Array,
        dx: Array | None,
        dweight: Array | None,
        dbias: Array | None = None,
    ) -> None:
        target, part_product, sums, copy = optional_scratches(
            self.target_form, self.product_form, self.sums_form, turned_form(grad)
        )
        g, image = turned(grad, copy), self.image_again()
        if dbias is not None:
            xp.add.reduce(g.reshape(len(g), -1), axis=1, out=dbias)
        split = self._split(g)
        for part in self.parts:
            if dweight is not None:
                out = self._split(dweight[:, 0])[part]
                self._correlate(split[part], image[part], sums[: len(out)], out)
            if dx is not None:
                kernels = self._split(self.weight[:, 0])[part]
                into = target[: len(kernels)]
                if self.strided:
                    room = part_product[: len(kernels)]
                    self._scatter(split[part], kernels, room, into)
                else:
                    self._gather(split[part], kernels, into)
                inside = into[(slice(None), *self.geometry.inside)]
                xp.copyto(channels_first(dx)[part], inside)

    def _gather(self, grad: Array, kernels: Array, into: Array) -> None:
        """Write the image's gradient: sums over dL/dy, with the kernel turned."""
        g = self.geometry
        around = self.around[: len(grad)]
        inside = (slice(r - 1, r - 1 + n) for r, n in zip(g.reach, g.out, strict=True))
        xp.copyto(around[(slice(None), slice(None), *inside)], grad)
        turned_kernels = xp.flip(kernels, tuple(range(2, kernels.ndim)))
        windows, kernel, lines = self.image_axes
        source, out = self._windows(around, g.padded), self._in_lines(into)
        xp.einsum(source, windows, turned_kernels, kernel, lines, out=out)

    def _scatter(self, grad: Array, kernels: Array, room: Array, into: Array) -> None:
        """Write the image's gradient: add the part of each element of the kernel."""
        g = self.geometry
        into.fill(0)
        for k, *element in product(*map(range, kernels.shape[1:])):
            at: Any = (slice(None), k, *element)
            factor = kernels[at]
            xp.multiply(grad[:, k], factor.reshape(-1, *(1,) * len(g.out), 1), out=room)
            axes = zip(element, g.dilation, g.stride, g.out, strict=True)
            places = (slice(a * d, a * d + s * (n - 1) + 1, s) for a, d, s, n in axes)
            place = into[(slice(None), *places)]
            xp.add(place, room, out=place)

    def _correlate(self, grad: Array, image: Array, sums: Array, out: Array) -> None:
        """Write the gradient of W: the products of lines, summed over all of them."""
        rank = len(self.geometry.kernel)
        lines = self._in_lines(grad)
        lines = lines.reshape(*lines.shape[:-1], *(1,) * rank, lines.shape[-1])
        windows = self._windows(image, self.geometry.out)
        xp.vecdot(lines, windows[:, None], out=sums)
        xp.add.reduce(sums, axis=tuple(range(2, sums.ndim - rank)), out=out)

    def _windows(self, image: Array, space: Shape) -> Array:
        """Return (..., *lines, *kernel, run): each line shifted by each element.

        Args:
            image: (..., *sizes, N), row-major in its last two axes.
            space: Sizes of what the lines make up.
        """
        g = self.geometry
        rank = len(g.kernel)
        # Of a batch of one row, the stride of the last axis says nothing.
        *strides, _ = image.strides
        lead, along, item = strides[:-rank], strides[-rank:], image.itemsize
        lines, n = self._lines(space), image.shape[-1]
        run = n * math.prod(space[len(lines) :])
        shape = (*image.shape[: len(lead)], *lines, *g.kernel, run)
        steps = (a * s for a, s in zip(along[: len(lines)], g.stride, strict=False))
        shifts = (a * d for a, d in zip(along, g.dilation, strict=True))
        return as_strided(image, shape, (*lead, *steps, *shifts, item))

    def _in_lines(self, array: Array) -> Array:
        """View (..., *space, N) as (..., *lines, run)."""
        if self.geometry.stride[-1] > 1:
            return array
        return array.reshape(*array.shape[:-2], -1)

    def _split(self, array: Array) -> Array:
        """View what has K first as (C, K/C, ...)."""
        g = self.geometry
        return array.reshape(g.channels, g.group_filters, *array.shape[1:])

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """One to three axes; strides, borders, dilation, several filters a channel."""
        none = ((0, 0), (0, 0))
        plain = cls((1, 1), none, (1, 1), 3)
        yield Case(plain, inputs_of(rng, (2, 3, 4, 5), (3, 1, 3, 2)))
        mixed = cls((2, 1), ((1, 1), (2, 0)), (1, 2), 2)
        yield Case(mixed, inputs_of(rng, (2, 2, 6, 5), (4, 1, 3, 2), bias=False))
        wide = cls((1, 1), ((1, 0), (0, 3)), (2, 1), 2)
        yield Case(wide, inputs_of(rng, (1, 2, 4, 3), (4, 1, 2, 2)))
        yield Case(plain, inputs_of(rng, (1, 3, 3, 2), (3, 1, 2, 2)))
        line = cls((2,), ((1, 2),), (1,), 2)
        yield Case(line, inputs_of(rng, (2, 2, 9), (4, 1, 2)))
        solid = cls((1, 1, 2), ((0, 0), (1, 0), (0, 0)), (1, 1, 1), 1)
        yield Case(solid, inputs_of(rng, (2, 1, 2, 2, 4), (2, 1, 2, 2, 3)))
