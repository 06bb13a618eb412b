"""Discrete Fourier transforms of small images, as products of matrices."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from nncli.core.arrays import Array, Shape, xp


def frequencies(span: Shape) -> Shape:
    """Return how many frequencies stand for real numbers of some sizes.

    Those of the first axis that are left out are conjugates of others.
    """
    return (span[0] // 2 + 1, *span[1:])


def waves(count: int, places: Array, length: int, sign: int) -> Array:
    """Return e^(sign·2πi·f·t/length) for each frequency f and each place t."""
    turns = np.outer(np.arange(count), places) % length
    angles = 2 * np.pi * turns / length
    found: Array = np.cos(angles) + sign * 1j * np.sin(angles)
    return found


def transform(
    matrices: Sequence[Array],
    x: Array,
    lead: int,
    rooms: tuple[Array, Array],
    out: Array,
    *,
    backwards: bool = False,
) -> None:
    """Multiply each axis of an image by its matrix.

    Args:
        matrices: (frequencies, places) for each axis.
        x: (lead, *places, columns), row-major in memory.
        lead: How many images there are.
        rooms: What lies between two axes is written to these in turn.
        out: (lead, *frequencies, columns), row-major in memory.
        backwards: From the last axis to the first.
    """
    sizes = [matrix.shape[1] for matrix in matrices]
    columns = x.size // (lead * math.prod(sizes))
    order = range(len(sizes))
    source = x
    for count, axis in enumerate(reversed(order) if backwards else order):
        before = lead * math.prod(sizes[:axis])
        behind = math.prod(sizes[axis + 1 :]) * columns
        taken = source.reshape(before, sizes[axis], behind)
        sizes[axis] = len(matrices[axis])
        shape = before, sizes[axis], behind
        room = out if count == len(sizes) - 1 else rooms[count % 2]
        source = room.reshape(-1)[: math.prod(shape)].reshape(shape)
        xp.matmul(matrices[axis], taken, out=source)
