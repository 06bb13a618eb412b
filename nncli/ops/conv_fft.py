"""Convolution in the frequency domain, for large kernels."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache

import numpy as np

from nncli.autograd.buffers import Form, form
from nncli.autograd.function import Case
from nncli.core.arrays import Array, Shape, xp
from nncli.ops.conv import inputs_of
from nncli.ops.conv_geometry import Geometry
from nncli.ops.conv_tiles import TiledConv, Work
from nncli.ops.conv_tiling import counts_of, span_of
from nncli.ops.fourier import frequencies, transform, waves

COLUMNS = 64
"""Columns of one product, about: tiles times rows of the batch."""

MOST = 16
"""An axis of the output is cut into so many tiles at most."""


class FftConv(TiledConv, name="fft_conv"):
    """y = F⁻¹[conj(F W) ⊙ (F x)], with F the discrete Fourier transform of a tile.

    It is the correlation of two images, see ``Convolution``. A transform as long as the
    tile of the image makes products of spectra the circular correlation, which is the
    plain one wherever a window lies inside the tile. What the derivative needs lies
    inside as well: it is exact, for the image and for the weight.

    An axis of length n is transformed by a product with the matrix e^(−2πi·f·t/n): for
    tiles this small the n² multiplications in BLAS take less time than n·log n others.
    Strides and dilation are rows and columns of these matrices that are left out. The
    image is real: along the first axis half of the frequencies stand for all. Tiles
    overlap as in overlap-save. Mathieu et al. 2013.
    """

    columns = COLUMNS
    kept = False

    @classmethod
    def tile_of(cls, geometry: Geometry) -> Shape:
        return _best_tile(geometry)

    @classmethod
    def operations(cls, geometry: Geometry) -> int:
        """Count the transforms of both sides and the products, for every tile."""
        return _operations(geometry, cls.tile_of(geometry))

    def factor_form(self) -> Form:
        g = self.geometry
        points = math.prod(frequencies(self.span))
        shape = g.groups, points, g.group_filters, g.group_channels
        return form(shape, self.complex)

    def prepare(self, weight: Array) -> None:
        g, self.complex = self.geometry, np.result_type(self.dtype, np.complex64)
        self.points = frequencies(self.span)
        super().prepare(weight)
        kernel, image, values = [], [], []
        for axis, (count, length) in enumerate(
            zip(self.points, self.span, strict=True)
        ):
            elements = np.arange(g.kernel[axis]) * g.dilation[axis]
            places = np.arange(self.tile[axis]) * g.stride[axis]
            kernel.append(waves(count, elements, length, 1))
            image.append(waves(count, np.arange(length), length, -1))
            values.append(waves(count, places, length, 1).T / length)
        # Each frequency but the first, and the middle one, stands for two.
        twice = np.full(self.points[0], 2.0)
        twice[0] = 1
        if self.span[0] % 2 == 0:
            twice[-1] = 1
        values[0] *= twice
        self.kernel_matrices = [m.astype(self.complex) for m in kernel]
        self.image_matrices = [m.astype(self.complex) for m in image]
        self.value_matrices = [m.astype(self.complex) for m in values]

    def forms(self, q: int) -> tuple[Form, ...]:
        g = self.geometry
        points, span = math.prod(self.points), math.prod(self.span)
        most = max(g.channels, g.filters) * span
        # The weight's transforms are made in the room of the image's.
        kernels = g.filters * g.group_channels * span
        sizes = (most * q, most * q, g.channels * points * q, g.filters * points * q)
        least = (kernels, kernels, 0, 0)
        return tuple(
            form((max(p),), self.complex) for p in zip(sizes, least, strict=True)
        )

    def work(self, rooms: tuple[Array, ...], wide: int, rows: int) -> Work:
        g, q = self.geometry, wide * rows
        points = math.prod(self.points)
        room, spare, spectrum, product = rooms
        image = room[: g.channels * math.prod(self.span) * q]
        values = room[: g.filters * math.prod(self.tile) * q]
        taken = spectrum[: g.channels * points * q]
        given = product[: g.filters * points * q]
        return Work(
            image.reshape(g.channels, *self.span, wide, rows).real,
            values.reshape(g.filters, *self.tile, wide, rows).real,
            # (groups, F, C/groups, q) of what lies channel by channel.
            taken.reshape(g.groups, -1, points, q).swapaxes(1, 2),
            given.reshape(g.groups, -1, points, q).swapaxes(1, 2),
            (image, values, taken, given, room, spare),
        )

    def transform_weight(self, weight: Array, rooms: tuple[Array, ...]) -> None:
        g, kernels, spare = self.geometry, self._kernels(rooms[0]), rooms[1]
        grouped = weight.reshape(g.groups, g.group_filters, g.group_channels, *g.kernel)
        xp.copyto(kernels, xp.moveaxis(grouped, (1, 2), (-2, -1)))
        between = spare, rooms[0]
        transform(self.kernel_matrices, kernels, g.groups, between, self.factor)

    def transform_back(self, dweight: Array, rooms: tuple[Array, ...]) -> None:
        g, kernels, spare = self.geometry, self._kernels(rooms[0]), rooms[1]
        matrices = [matrix.conj().T for matrix in self.kernel_matrices]
        transform(
            matrices,
            self.total,
            g.groups,
            (spare, self.total),
            kernels,
            backwards=True,
        )
        grouped = dweight.reshape(
            g.groups, g.group_filters, g.group_channels, *g.kernel
        )
        xp.copyto(xp.moveaxis(grouped, (1, 2), (-2, -1)), kernels.real)

    def transform(self, work: Work) -> None:
        tiles, _, spectrum, _, room, spare = work.parts
        tiles.imag.fill(0)
        g = self.geometry
        transform(self.image_matrices, tiles, g.channels, (spare, room), spectrum)

    def transform_adjoint(self, work: Work) -> None:
        tiles, _, spectrum, _, _, spare = work.parts
        matrices = [matrix.conj().T for matrix in self.image_matrices]
        rooms, lead = (spare, spectrum), self.geometry.channels
        transform(matrices, spectrum, lead, rooms, tiles, backwards=True)

    def inverse(self, work: Work) -> None:
        _, tiles, _, product, _, spare = work.parts
        rooms, lead = (spare, product), self.geometry.filters
        matrices = self.value_matrices
        transform(matrices, product, lead, rooms, tiles, backwards=True)

    def inverse_adjoint(self, work: Work) -> None:
        _, tiles, _, product, room, spare = work.parts
        tiles.imag.fill(0)
        matrices = [matrix.conj().T for matrix in self.value_matrices]
        transform(matrices, tiles, self.geometry.filters, (spare, room), product)

    def adjoint(self) -> Array:
        xp.conjugate(self.factor, out=self.factor)
        turned: Array = self.factor.swapaxes(-1, -2)
        return turned

    def outer(self, work: Work) -> tuple[Array, Array]:
        xp.conjugate(work.spectrum, out=work.spectrum)
        return work.product, work.spectrum.swapaxes(-1, -2)

    def _kernels(self, room: Array) -> Array:
        """Return (groups, *kernel, K/groups, C/groups) in a room."""
        g = self.geometry
        shape = g.groups, *g.kernel, g.group_filters, g.group_channels
        return room[: math.prod(shape)].reshape(shape)

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """One to three axes; strides, borders, dilation, groups, without a bias."""
        plain = cls((1, 1), ((0, 0), (0, 0)), (1, 1))
        yield Case(plain, inputs_of(rng, (2, 2, 4, 5), (3, 2, 3, 2)))
        mixed = cls((2, 1), ((1, 1), (2, 0)), (1, 2))
        yield Case(mixed, inputs_of(rng, (2, 2, 6, 5), (4, 2, 3, 2), bias=False))
        line = cls((2,), ((1, 2),), (1,), 2)
        yield Case(line, inputs_of(rng, (2, 2, 9), (4, 1, 2)))
        solid = cls((1, 1, 2), ((0, 0), (1, 0), (0, 0)), (1, 1, 1))
        yield Case(solid, inputs_of(rng, (2, 1, 2, 2, 4), (2, 1, 2, 2, 3)))


def _operations(geometry: Geometry, tile: Shape) -> int:
    """Count the operations for an image; eight for two complex numbers' product."""
    g, span = geometry, span_of(geometry, tile)
    points = frequencies(span)
    sides = sum(
        lead * math.prod(points[: axis + 1]) * math.prod(sizes[axis:])
        for lead, sizes in ((g.channels, span), (g.filters, tile))
        for axis in range(len(span))
    )
    products = math.prod(points) * g.group_channels * g.filters
    return 8 * math.prod(counts_of(g, tile)) * (sides + products)


@cache
def _best_tile(geometry: Geometry) -> Shape:
    """Return the size of tiles that takes the fewest operations."""
    most = min(MOST, max(geometry.out))
    tiles = {
        tuple(-(-size // count) for size in geometry.out)
        for count in range(1, most + 1)
    }
    return min(sorted(tiles), key=lambda tile: _operations(geometry, tile))
