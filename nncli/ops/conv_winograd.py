"""Winograd's convolution F(4 × 4, 3 × 3): 36 multiplications where there were 144."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from nncli.autograd.buffers import Form, form
from nncli.autograd.function import Case
from nncli.core.arrays import Array, Shape, xp
from nncli.core.errors import ShapeError
from nncli.ops.conv import inputs_of
from nncli.ops.conv_geometry import Geometry
from nncli.ops.conv_tiles import TiledConv, Work
from nncli.ops.conv_tiling import counts_of

COLUMNS = 192
"""Columns of one product, about: tiles times rows of the batch."""

SIDE = 4
"""Sizes of a tile of the output."""

POINTS = 36
"""Elements of a tile of the image, and numbers that it is transformed to."""

INPUT: list[list[float]] = [
    [4, 0, -5, 0, 1, 0],
    [0, -4, -4, 1, 1, 0],
    [0, 4, -4, -1, 1, 0],
    [0, -2, -1, 2, 1, 0],
    [0, 2, -1, -2, 1, 0],
    [0, 4, 0, -5, 0, 1],
]
KERNEL: list[list[float]] = [
    [1 / 4, 0, 0],
    [-1 / 6, -1 / 6, -1 / 6],
    [-1 / 6, 1 / 6, -1 / 6],
    [1 / 24, 1 / 12, 1 / 6],
    [1 / 24, -1 / 12, 1 / 6],
    [0, 0, 1],
]
OUTPUT: list[list[float]] = [
    [1, 1, 1, 1, 1, 0],
    [0, 1, -1, 2, -2, 0],
    [0, 1, 1, 4, 4, 0],
    [0, 1, -1, 8, -8, 1],
]
"""Bᵀ, G and Aᵀ of Lavin and Gray 2015, for one axis."""


class WinogradConv(TiledConv, name="winograd_conv"):
    """Y = Aᵀ[(G W Gᵀ) ⊙ (Bᵀ x B)]A for 3 × 3 kernels; see ``Convolution``.

    Tiles of 6 × 6 elements, which overlap by two, give 4 × 4 values each. A transform
    of both axes is one product with a Kronecker square, over all tiles and channels.
    The terms are larger than the result: in float32 it is a few bits less exact than a
    plain sum. Lavin and Gray 2015.
    """

    columns = COLUMNS
    kept = True

    @classmethod
    def misfit(cls, geometry: Geometry) -> str:
        g = geometry
        if g.kernel != (3, 3):
            return f"a kernel of size {g.kernel}"
        if g.stride != (1, 1) or g.dilation != (1, 1):
            return f"stride {g.stride} and dilation {g.dilation}"
        return f"{g.groups} groups" if g.groups > 1 else ""

    @classmethod
    def tile_of(cls, geometry: Geometry) -> Shape:
        unfit = cls.misfit(geometry)
        if unfit:
            raise ShapeError(
                "winograd_conv: expected a kernel of size (3, 3), stride (1, 1), "
                f"dilation (1, 1) and one group, got {unfit}."
            )
        return SIDE, SIDE

    @classmethod
    def operations(cls, geometry: Geometry) -> int:
        """Count the transforms of both sides and the products, for every tile."""
        g = geometry
        tiles = math.prod(counts_of(g, cls.tile_of(g)))
        both = POINTS**2 * g.channels + SIDE**2 * POINTS * g.filters
        return 2 * tiles * (both + POINTS * g.channels * g.filters)

    def prepare(self, weight: Array) -> None:
        super().prepare(weight)
        g, dtype = self.geometry, self.dtype
        self.image_matrix, self.kernel_matrix, self.value_matrix = (
            _square(matrix).astype(dtype) for matrix in (INPUT, KERNEL, OUTPUT)
        )
        self.flat = xp.empty((9, g.filters * g.channels), dtype)

    def factor_form(self) -> Form:
        g = self.geometry
        return form((POINTS, g.filters, g.channels), self.dtype)

    def forms(self, q: int) -> tuple[Form, ...]:
        g, values, points = self.geometry, SIDE**2, POINTS
        sizes = (
            points * g.channels,
            points * g.channels,
            points * g.filters,
            values * g.filters,
        )
        return tuple(form((size * q,), self.dtype) for size in sizes)

    def work(self, rooms: tuple[Array, ...], wide: int, rows: int) -> Work:
        g, q = self.geometry, wide * rows
        points, values = POINTS, SIDE**2
        sizes = (
            (points, g.channels, q),
            (points, g.channels, q),
            (points, g.filters, q),
            (values, g.filters, q),
        )
        tiles, spectrum, product, out = (
            room[: math.prod(size)].reshape(size)
            for room, size in zip(rooms, sizes, strict=True)
        )
        image = tiles.reshape(6, 6, g.channels, wide, rows)
        result = out.reshape(SIDE, SIDE, g.filters, wide, rows)
        turned = tiles.reshape(points, q, g.channels)
        return Work(
            xp.moveaxis(image, 2, 0),
            xp.moveaxis(result, 2, 0),
            spectrum,
            product,
            (
                tiles.reshape(points, -1),
                spectrum.reshape(points, -1),
                product.reshape(points, -1),
                out.reshape(values, -1),
                turned,
            ),
        )

    def transform_weight(self, weight: Array, rooms: tuple[Array, ...]) -> None:
        g = self.geometry
        kernels = self.flat.reshape(3, 3, g.filters, g.channels)
        xp.copyto(kernels, weight.transpose(2, 3, 0, 1))
        xp.matmul(self.kernel_matrix, self.flat, out=self.factor.reshape(POINTS, -1))

    def transform_back(self, dweight: Array, rooms: tuple[Array, ...]) -> None:
        g = self.geometry
        xp.matmul(self.kernel_matrix.T, self.total.reshape(POINTS, -1), out=self.flat)
        kernels = self.flat.reshape(3, 3, g.filters, g.channels)
        xp.copyto(dweight.transpose(2, 3, 0, 1), kernels)

    def transform(self, work: Work) -> None:
        tiles, spectrum, *_ = work.parts
        xp.matmul(self.image_matrix, tiles, out=spectrum)

    def transform_adjoint(self, work: Work) -> None:
        tiles, spectrum, *_ = work.parts
        xp.matmul(self.image_matrix.T, spectrum, out=tiles)

    def inverse(self, work: Work) -> None:
        _, _, product, out, _ = work.parts
        xp.matmul(self.value_matrix, product, out=out)

    def inverse_adjoint(self, work: Work) -> None:
        _, _, product, out, _ = work.parts
        xp.matmul(self.value_matrix.T, out, out=product)

    def adjoint(self) -> Array:
        turned: Array = self.factor.swapaxes(-1, -2)
        return turned

    def outer(self, work: Work) -> tuple[Array, Array]:
        # OpenBLAS is half as fast again on a copy as on the transposed matrices; the
        # tiles are free by now.
        *_, turned = work.parts
        xp.copyto(turned, work.spectrum.swapaxes(1, 2))
        return work.product, turned

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """One tile, several, tiles that reach over the edge; borders, no bias."""
        for image, borders in (((6, 6), 0), ((5, 9), 1), ((7, 4), 2)):
            sides = ((borders, 0), (borders, borders))
            function = cls((1, 1), sides, (1, 1))
            yield Case(function, inputs_of(rng, (2, 2, *image), (3, 2, 3, 3)))
        bare = cls((1, 1), ((0, 0), (0, 0)), (1, 1))
        yield Case(bare, inputs_of(rng, (1, 1, 6, 11), (2, 1, 3, 3), bias=False))


def _square(matrix: list[list[float]]) -> Array:
    """Return the Kronecker product of a matrix with itself."""
    square: Array = np.kron(np.array(matrix), np.array(matrix))
    return square
