"""Larger images: elements repeated, interpolated, or taken from channels."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from nncli.autograd.buffers import Form, form, scratches
from nncli.autograd.function import Case, Function, Sized
from nncli.core.arrays import Array, Shape, batch_innermost, xp
from nncli.core.errors import ShapeError
from nncli.ops.images import along, channels_first, check_rank, groups_of
from nncli.ops.shape import Rearrangement


class UpsampleNearest(Function, name="upsample_nearest"):
    """y = x with every element repeated; dL/dx = Σ dL/dy over its copies.

    x (N, C, space...) → y (N, C, space·factor...), the batch innermost in memory.

    Args:
        factor: How often an element is repeated along each axis of space.
    """

    factor: Shape

    layout = "any"
    saves_inputs = False
    saves_output = False

    def allocate(self, x: Array) -> Array:
        check_rank(self.type_name, x, len(self.factor))
        slices = ([slice(r, None, f) for r in range(f)] for f in self.factor)
        self.phases = [(slice(None), *phase) for phase in itertools.product(*slices)]
        return batch_innermost(enlarged(x.shape, self.factor), x.dtype)

    def forward(self, x: Array, out: Array) -> None:
        source, y = channels_first(x), channels_first(out)
        for phase in self.phases:
            xp.copyto(y[phase], source)

    def backward(self, grad: Array, dx: Array) -> None:
        g, d = channels_first(grad), channels_first(dx)
        first, *rest = self.phases
        xp.copyto(d, g[first])
        for phase in rest:
            xp.add(d, g[phase], out=d)

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """Sequences, images and volumes, with factors of their own."""
        for factor, shape in FACTORS:
            yield Case(cls(factor), (rng.normal(size=shape),))


FACTORS: tuple[tuple[Shape, Shape], ...] = (
    ((3,), (2, 2, 4)),
    ((2, 2), (2, 3, 3, 2)),
    ((1, 4), (2, 2, 1, 3)),
    ((2, 1, 3), (2, 1, 2, 3, 1)),
)
"""Factors and inputs that fit."""


class UpsampleLinear(Function, name="upsample_linear"):
    """y = x with elements between its elements, on a straight line between them.

    x (N, C, space...) → y (N, C, space·factor...), the batch innermost in memory.
    Element j of y stands at (j + ½)/f − ½ of x along each axis, beyond the first and
    the last element of x it is equal to them: PyTorch's linear, bilinear and trilinear
    interpolation with align_corners=False.

    Args:
        factor: How many elements stand for one, along each axis of space.
    """

    factor: Shape

    layout = "any"
    real = True
    saves_inputs = False
    saves_output = False

    def allocate(self, x: Array) -> Array:
        check_rank(self.type_name, x, len(self.factor))
        shape = enlarged(x.shape, self.factor)
        out = batch_innermost(shape, x.dtype)
        self.groups = groups_of(out)
        n, _, *space = x.shape
        # What is left before each axis, from the last one to the first.
        self.forms: list[Form] = []
        for axis in reversed(range(len(space))):
            self.forms.append(form((self.groups[0].stop, *space, n), x.dtype))
            space[axis] *= self.factor[axis]
        return out

    def _axes(self) -> list[tuple[int, int]]:
        return [*enumerate(self.factor, 1)][::-1]

    def forward(self, x: Array, out: Array) -> None:
        """Interpolate along the last axis, then along the one before it."""
        source, y = channels_first(x), channels_first(out)
        # The product with a weight takes as much as what it is added to.
        works = scratches(*self.forms, *self.forms[1:])
        count = len(self.forms)
        for group in self.groups:
            before, length = source[group], len(source[group])
            targets = (*works[count:], y[group])
            for (axis, factor), work, target in zip(
                self._axes(), works[:count], targets, strict=True
            ):
                into = target[:length]
                _stretch(before, axis, factor, work[:length], into)
                before = into

    def backward(self, grad: Array, dx: Array) -> None:
        g, d = channels_first(grad), channels_first(dx)
        works = scratches(*self.forms, *self.forms[1:])
        count = len(self.forms)
        for group in self.groups:
            after, length = g[group], len(g[group])
            targets = (d[group], *works[count:])
            for (axis, factor), work, target in zip(
                self._axes()[::-1], works[:count][::-1], targets[::-1], strict=True
            ):
                into = target[:length]
                _gather(after, axis, factor, work[:length], into)
                after = into

    def flops(self, *arrays: Sized) -> int:
        """Count two products and a sum an element and axis."""
        return 3 * len(self.factor) * arrays[-1].size

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """As UpsampleNearest."""
        for factor, shape in FACTORS:
            yield Case(cls(factor), (rng.normal(size=shape),))


def enlarged(shape: Shape, factor: Shape) -> Shape:
    """Return (N, C, space·factor...)."""
    return (*shape[:2], *(n * f for n, f in zip(shape[2:], factor, strict=True)))


def _neighbours(offset: float) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Return (element, neighbour) for all but the one at the edge, and for that one."""
    if offset < 0:
        return (slice(1, None), slice(None, -1)), (slice(None, 1), slice(None, 1))
    return (slice(None, -1), slice(1, None)), (slice(-1, None), slice(-1, None))


def _offsets(factor: int) -> list[float]:
    """Return how far from an element of x those stand that it becomes."""
    return [(phase + 0.5) / factor - 0.5 for phase in range(factor)]


def _stretch(x: Array, axis: int, factor: int, work: Array, out: Array) -> None:
    """Write x with ``factor`` elements for one along an axis."""
    for phase, offset in enumerate(_offsets(factor)):
        y = along(out, axis, slice(phase, None, factor))
        xp.multiply(x, 1 - abs(offset), out=y)
        xp.multiply(x, abs(offset), out=work)
        for mine, other in _neighbours(offset) if offset else ():
            target = along(y, axis, mine)
            xp.add(target, along(work, axis, other), out=target)


def _gather(grad: Array, axis: int, factor: int, work: Array, out: Array) -> None:
    """Write the gradient of ``_stretch``."""
    out.fill(0)
    for phase, offset in enumerate(_offsets(factor)):
        g = along(grad, axis, slice(phase, None, factor))
        xp.multiply(g, 1 - abs(offset), out=work)
        xp.add(out, work, out=out)
        xp.multiply(g, abs(offset), out=work)
        for mine, other in _neighbours(offset) if offset else ():
            target = along(out, axis, other)
            xp.add(target, along(work, axis, mine), out=target)


class PixelShuffle(Rearrangement, name="pixel_shuffle"):
    """y[n, c, h·r + i, w·r + j] = x[n, c·r² + i·r + j, h, w]: channels to pixels.

    x (N, C·r², H, W) → y (N, C, H·r, W·r), the batch innermost in memory; dL/dx is
    dL/dy in the old arrangement. Shi et al. 2016; PyTorch's PixelShuffle.

    Args:
        factor: How many pixels r stand for one along each axis.
    """

    factor: int

    def allocate(self, x: Array) -> Array:
        check_rank(self.type_name, x, 2)
        r = self.factor
        n, channels, h, w = x.shape
        if channels % r**2:
            raise ShapeError(
                f"pixel_shuffle: expected a multiple of {r**2} channels, got "
                f"{channels}."
            )
        return batch_innermost((n, channels // r**2, h * r, w * r), x.dtype)

    def _pairs(self, few: Array, many: Array) -> Iterator[tuple[Array, Array]]:
        """Yield what lies in the channels of one, and in the pixels of the other."""
        r = self.factor
        for i, j in itertools.product(range(r), range(r)):
            yield few[:, i * r + j :: r**2], many[:, :, i::r, j::r]

    def forward(self, x: Array, out: Array) -> None:
        for source, target in self._pairs(x, out):
            xp.copyto(target, source)

    def backward(self, grad: Array, dx: Array) -> None:
        for target, source in self._pairs(dx, grad):
            xp.copyto(target, source)

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """One channel and two, nothing to do."""
        for factor, shape in ((2, (2, 8, 2, 3)), (3, (1, 9, 1, 2)), (1, (2, 2, 2, 2))):
            yield Case(cls(factor), (rng.normal(size=shape),))
