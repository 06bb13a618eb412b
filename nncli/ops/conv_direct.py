"""Direct convolution: shifted images times one element of the kernel each, added up."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from itertools import product
from typing import Any, NamedTuple

import numpy as np

from nncli.autograd.buffers import form
from nncli.autograd.function import Case
from nncli.core.arrays import Array, xp
from nncli.ops.conv import (
    Convolution,
    inputs_of,
    optional_scratches,
    turned,
    turned_form,
)
from nncli.ops.conv_geometry import Geometry
from nncli.ops.images import channels_first
from nncli.ops.matmul import product_over


class Row(NamedTuple):
    """Views for one row of the output, the batch of each element side by side.

    Attributes:
        shifted: For each element of the kernel, (g, C/g, OW, N) of the image.
        values: (g, K/g, OW·N) of the output, or of its gradient.
        into: As ``shifted``, of the image's gradient.
    """

    shifted: list[Array]
    values: Array
    into: list[Array]


class DirectConv(Convolution, name="direct_conv"):
    """y = b + Σ_a W_a · x shifted by a, row by row; see ``Convolution``.

    Nothing is copied, unless there is a stride along the last axis: the rows of an
    image that lies batch innermost are matrices (C, OW·N) already. For a kernel of one
    element that is one product over the whole image.
    """

    @classmethod
    def moved(cls, geometry: Geometry) -> int:
        g = geometry
        if math.prod(g.kernel) == 1 and set(g.stride) == {1}:
            return 0
        return math.prod((*g.kernel, *g.out)) * (g.channels + g.filters)

    def prepare(self, weight: Array) -> None:
        g = self.geometry
        self.single = math.prod(g.kernel) == 1 and set(g.stride) == {1}
        self.whole = self.single and self.image_size() == g.image
        self.length = math.prod(g.out) if self.whole else g.out[-1]
        columns = self.length * self.rows
        self.over_channels = product_over(g.group_channels)
        self.over_filters = product_over(g.group_filters)
        self.taken_form = form((g.channels * columns,), self.dtype)
        self.room_form = form((max(g.channels, g.filters) * columns,), self.dtype)
        elements = math.prod(g.kernel)
        shape = (elements, g.groups, g.group_filters, g.group_channels)
        self.elements: Array = xp.empty(shape, self.dtype)
        if self.differentiated:
            self.part: Array = xp.empty(shape[1:], self.dtype)
            self.total: Array = xp.empty(shape, self.dtype)

    def forward(self, x: Array, weight: Array, *rest: Array) -> None:
        """Write W * x + b: called as (x, weight, bias, out) or (x, weight, out)."""
        out = rest[-1]
        xp.copyto(self._kernels(self.elements), self._grouped(weight))
        taken, room = optional_scratches(self.taken_form, self.room_form)
        image = self.image(x)
        make = partial(self._rows, image, channels_first(out), None)
        for row in self.forward_views.of((x, out), make):
            values = row.values
            for index, shifted in enumerate(row.shifted):
                kernel, source = self.elements[index], self._taken(shifted, taken)
                if not index:
                    self.over_channels(kernel, source, out=values)
                    continue
                part = room[: values.size].reshape(values.shape)
                self.over_channels(kernel, source, out=part)
                xp.add(values, part, out=values)
            if self.has_bias:
                bias = rest[0].reshape(*values.shape[:2], 1)
                xp.add(values, bias, out=values)

    def backward(
        self,
        grad: Array,
        dx: Array | None,
        dweight: Array | None,
        dbias: Array | None = None,
    ) -> None:
        taken, room, target, copy = optional_scratches(
            self.taken_form, self.room_form, self.target(dx), turned_form(grad)
        )
        g, into = turned(grad, copy), self.into(dx, target)
        if into is not None and not self.single:
            into.fill(0)
        if dbias is not None:
            xp.add.reduce(g.reshape(len(g), -1), axis=1, out=dbias)
        if dweight is not None:
            self.total.fill(0)
        make = partial(self._rows, self.image_again(), g, into)
        given = (self.x, grad, dx, target, copy)
        for row in self.backward_views.of(given, make):
            for index, shifted in enumerate(row.shifted):
                if dweight is not None:
                    source = self._taken(shifted, taken).swapaxes(1, 2)
                    xp.matmul(row.values, source, out=self.part)
                    xp.add(self.total[index], self.part, out=self.total[index])
                if dx is not None:
                    self._add(index, row, room)
        self.finish(dx, target)
        if dweight is not None:
            xp.copyto(self._grouped(dweight), self._kernels(self.total))

    def _add(self, index: int, row: Row, room: Array) -> None:
        """Add what one element of the kernel gives to the image's gradient."""
        kernel, into = self.elements[index].swapaxes(1, 2), row.into[index]
        part = room[: into.size].reshape(into.shape)
        self.over_filters(kernel, row.values, out=part.reshape(*into.shape[:2], -1))
        if self.single:
            xp.copyto(into, part)
        else:
            xp.add(into, part, out=into)

    def _taken(self, shifted: Array, room: Array) -> Array:
        """Return a row of the image as (g, C/g, OW·N), copied where it has gaps."""
        flat = *shifted.shape[:2], -1
        if self.geometry.stride[-1] == 1:
            return shifted.reshape(flat)
        taken = room[: shifted.size].reshape(shifted.shape)
        xp.copyto(taken, shifted)
        return taken.reshape(flat)

    def _kernels(self, elements: Array) -> Array:
        """View what lies element by element as (g, K/g, C/g, *kernel)."""
        shape = (*self.geometry.kernel, *elements.shape[1:])
        return xp.moveaxis(elements.reshape(shape), (-3, -2, -1), (0, 1, 2))

    def _grouped(self, weight: Array) -> Array:
        """View W (K, C/g, *kernel) as (g, K/g, C/g, *kernel)."""
        g = self.geometry
        return weight.reshape(g.groups, g.group_filters, g.group_channels, *g.kernel)

    def _rows(self, image: Array, values: Array, into: Array | None) -> list[Row]:
        """Make the views of every row of the output."""
        g = self.geometry
        places: list[tuple[tuple[int, ...], list[tuple[Any, ...]]]]
        if self.whole:
            image = image.reshape(len(image), -1, self.rows)
            values = values.reshape(len(values), -1, self.rows)
            into = None if into is None else into.reshape(image.shape)
            places = [((), [(slice(None),)])]
        else:
            places = [
                (at, [self._place(at, a) for a in product(*map(range, g.kernel))])
                for at in product(*map(range, g.out[:-1]))
            ]
        rows = []
        for at, offsets in places:
            place: Any = (slice(None), *at)
            part = values[place].reshape(g.groups, g.group_filters, -1)
            shifted = [self._shifted(image, p) for p in offsets]
            added = [] if into is None else [self._shifted(into, p) for p in offsets]
            rows.append(Row(shifted, part, added))
        return rows

    def _place(self, at: tuple[int, ...], element: tuple[int, ...]) -> tuple[Any, ...]:
        """Return where an element of the kernel meets the image, for a row."""
        g = self.geometry
        starts = [a * d for a, d in zip(element, g.dilation, strict=True)]
        step, length = g.stride[-1], g.out[-1]
        along = slice(starts[-1], starts[-1] + (length - 1) * step + 1, step)
        lead = (i * s + a for i, s, a in zip(at, g.stride, starts, strict=False))
        return (*lead, along)

    def _shifted(self, image: Array, place: tuple[Any, ...]) -> Array:
        g, part = self.geometry, image[(slice(None), *place)]
        return part.reshape(g.groups, g.group_channels, *part.shape[1:])

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """One element, depthwise, strides, borders, dilation; one to three axes."""
        none = ((0, 0), (0, 0))
        one = cls((1, 1), none, (1, 1))
        yield Case(one, inputs_of(rng, (2, 3, 4, 3), (4, 3, 1, 1)))
        depthwise = cls((1, 1), none, (1, 1), 3)
        yield Case(depthwise, inputs_of(rng, (2, 3, 4, 3), (6, 1, 2, 2)))
        mixed = cls((1, 2), ((1, 1), (2, 0)), (2, 1))
        yield Case(mixed, inputs_of(rng, (2, 2, 6, 5), (4, 2, 3, 2), bias=False))
        line = cls((1,), ((1, 2),), (1,))
        yield Case(line, inputs_of(rng, (2, 2, 5), (3, 2, 1)))
        solid = cls((1, 1, 2), ((0, 0), (1, 0), (0, 0)), (1, 1, 1))
        yield Case(solid, inputs_of(rng, (2, 1, 2, 2, 4), (2, 1, 2, 2, 3)))
