"""Borders of an image's own elements: reflected, repeated, or of the far side."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np

from nncli.autograd.buffers import Form, form, scratch, scratches
from nncli.autograd.function import Case, Function, Sized
from nncli.core.arrays import Array, xp
from nncli.core.errors import ShapeError

BorderMode = Literal["reflect", "replicate", "circular"]


class Border(Function, name="border"):
    """y = x with a border of its own elements around the axes behind the channels.

    With a row a b c d and two elements on each side, ``reflect`` gives c b|a b c d|c b,
    ``replicate`` a a|a b c d|d d and ``circular`` c d|a b c d|a b, as PyTorch's pad. An
    element's gradient is the sum over all its copies.

    Args:
        widths: How many elements come before and after, for each axis.
        mode: Where they are taken from.
    """

    widths: tuple[tuple[int, int], ...]
    mode: BorderMode = "reflect"

    layout = "any"
    saves_inputs = False
    saves_output = False

    def allocate(self, x: Array) -> Array:
        sizes = x.shape[2:]
        if len(sizes) != len(self.widths) or not all(sizes):
            raise ShapeError(
                f"border: expected x (N, C, ...) with {len(self.widths)} axes of an "
                f"image, got shape {x.shape}."
            )
        room = {"reflect": -1, "circular": 0}.get(self.mode)
        if room is not None and any(
            max(pair) > size + room
            for size, pair in zip(sizes, self.widths, strict=True)
        ):
            raise ShapeError(
                f"border: expected widths up to {tuple(n + room for n in sizes)} for "
                f"{self.mode} borders of an image of size {sizes}, got {self.widths}."
            )
        pairs = tuple(zip(sizes, self.widths, strict=True))
        inside = tuple(slice(a, a + n) for n, (a, _) in pairs)
        self.inside = (slice(None), slice(None), *inside)
        shape = (*x.shape[:2], *(a + n + b for n, (a, b) in pairs))
        self.form = form(shape, x.dtype, Form.of(x).order)
        # NumPy copies what it cannot prove apart: a part goes from here to there by a
        # workspace of our own.
        widest = (
            self.form.size // size * max(pair)
            for size, pair in zip(shape[2:], self.widths, strict=True)
        )
        self.part = form((max(widest),), x.dtype)
        return self.form.empty()

    def forward(self, x: Array, out: Array) -> None:
        """Axis by axis, so that corners are borders of borders."""
        xp.copyto(out[self.inside], x)
        room = scratch(self.part)
        for border, source in self._copies(out):
            part = room[: source.size].reshape(source.shape)
            xp.copyto(part, source)
            xp.copyto(border, part)

    def backward(self, grad: Array, dx: Array) -> None:
        """Add every border to where it came from, the last axis first."""
        work, room = scratches(self.form, self.part)
        xp.copyto(work, grad)
        for border, source in reversed(list(self._copies(work))):
            part = room[: border.size].reshape(border.shape)
            xp.copyto(part, border)
            xp.add(source, part, out=source)
        xp.copyto(dx, work[self.inside])

    def _copies(self, y: Array) -> Iterator[tuple[Array, Array]]:
        """Yield parts of the border and what each is a copy of."""
        for axis, (before, after) in enumerate(self.widths, start=2):
            line = xp.moveaxis(y, axis, 0)
            end = len(line) - after
            size = end - before
            head, tail = line[:before], line[end:]
            if self.mode == "circular":
                yield head, line[size : size + before]
                yield tail, line[before : before + after]
            elif self.mode == "reflect":
                yield head, line[before + 1 : 2 * before + 1][::-1]
                yield tail, line[end - after - 1 : end - 1][::-1]
            else:
                yield from ((each, line[before]) for each in head)
                yield from ((each, line[end - 1]) for each in tail)

    def flops(self, *arrays: Sized) -> int:
        return 0

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """Each mode; one to three axes, both sides unlike, as wide as may be."""
        modes: tuple[BorderMode, ...] = ("reflect", "replicate", "circular")
        for mode in modes:
            yield Case(cls(((1, 2), (2, 0)), mode), (rng.normal(size=(2, 2, 3, 4)),))
            yield Case(cls(((2, 2),), mode), (rng.normal(size=(2, 1, 3)),))
        solid = ((0, 1), (1, 1), (2, 0))
        yield Case(cls(solid, "circular"), (rng.normal(size=(2, 1, 2, 2, 2)),))
