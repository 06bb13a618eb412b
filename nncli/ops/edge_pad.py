"""Padding that continues an image beyond its edges."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np

from nncli.autograd.buffers import Form, scratch
from nncli.autograd.function import Case, Function
from nncli.core.arrays import Array, batch_innermost, xp
from nncli.core.errors import ShapeError
from nncli.ops.images import along, channels_first, check_rank

Edge = Literal["reflect", "replicate", "circular"]


class EdgePad(Function, name="edge_pad"):
    """y = x, continued beyond its edges; dL/dx = Σ dL/dy over all copies of x.

    x (N, C, space...) → y (N, C, before + size + after...), the batch innermost in
    memory. (A constant around it is the op pad.)

    Args:
        widths: How many elements come before and after, along each axis of space.
        mode: ``reflect``: x mirrored at its last element, without that (cb|abc|ba),
            ``replicate``: its last element repeated (aa|abc|cc), ``circular``: its
            other end (bc|abc|ab).
    """

    widths: tuple[tuple[int, int], ...]
    mode: Edge

    layout = "any"
    saves_inputs = False
    saves_output = False

    def allocate(self, x: Array) -> Array:
        check_rank(self.type_name, x, len(self.widths))
        n, channels, *space = x.shape
        self.strips = [
            (axis, slice(target, target + 1), slice(source, source + 1))
            for axis, (size, pair) in enumerate(zip(space, self.widths, strict=True), 1)
            for target, source in copied(self.mode, size, *pair)
        ]
        inside = (slice(b, b + s) for s, (b, _) in zip(space, self.widths, strict=True))
        self.inside = (slice(None), *inside)
        sizes = (b + s + a for s, (b, a) in zip(space, self.widths, strict=True))
        out = batch_innermost((n, channels, *sizes), x.dtype)
        self.form = Form.of(out)
        return out

    def forward(self, x: Array, out: Array) -> None:
        """Copy the inside, then continue it along one axis after the other."""
        y = channels_first(out)
        xp.copyto(y[self.inside], channels_first(x))
        for axis, target, source in self.strips:
            xp.copyto(along(y, axis, target), along(y, axis, source))

    def backward(self, grad: Array, dx: Array) -> None:
        """Add each strip's gradient to that of its source, the last strip first."""
        work = scratch(self.form)
        xp.copyto(work, grad)
        total = channels_first(work)
        for axis, target, source in self.strips[::-1]:
            into = along(total, axis, source)
            xp.add(into, along(total, axis, target), out=into)
        xp.copyto(channels_first(dx), total[self.inside])

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """Every mode, on one side, on both, and as far as it goes."""
        modes: tuple[Edge, ...] = ("reflect", "replicate", "circular")
        for mode in modes:
            for widths, shape in (
                (((2, 2),), (2, 1, 3)),
                (((1, 2), (0, 1)), (2, 2, 3, 2)),
                (((1, 0), (1, 1), (0, 2)), (2, 1, 2, 2, 3)),
            ):
                yield Case(cls(widths, mode), (rng.normal(size=shape),))


def copied(mode: Edge, size: int, before: int, after: int) -> list[tuple[int, int]]:
    """Return (place, source) of the elements beyond the edges of an axis.

    Raises:
        ShapeError: There are not as many to copy.
    """
    limit = {"reflect": size - 1, "circular": size}.get(mode)
    if limit is not None and max(before, after) > limit:
        raise ShapeError(
            f"expected a {mode} padding of at most {limit} along an axis of {size}, "
            f"got {max(before, after)}."
        )
    first, last = before, before + size - 1

    def source(place: int) -> int:
        if mode == "replicate":
            return min(max(place, first), last)
        if mode == "circular":
            return (place - first) % size + first
        return 2 * (first if place < first else last) - place

    places = (*range(before), *range(last + 1, last + 1 + after))
    return [(place, source(place)) for place in places]
