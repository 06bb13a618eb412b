"""Pieces: attention computed for some rows, heads and queries at a time."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from nncli.core.arrays import LINE, Array, Shape

TOGETHER = 2**20
"""Bytes of weights that are computed together, about: they stay in the cache."""

BLOCK = 64
"""Queries that are computed together at least, where they are not all together."""

BLOCKS = 8
"""Blocks of causal queries: what later keys cost is saved, but for a block."""


@dataclass(frozen=True)
class Piece:
    """Queries whose weights are computed together.

    Attributes:
        rows: Of the batch.
        heads: Of the keys and values.
        queries: Their steps.
        keys: How many steps they look at: 0 to keys − 1.
        shape: (keys, rows, heads, queries' heads a key's head, queries).
        first: Of the pieces that look at the same keys, the first one; it sees all.
    """

    rows: slice
    heads: slice
    queries: slice
    keys: int
    shape: Shape
    first: bool

    @property
    def line(self) -> int:
        """How many queries of all rows and heads there are."""
        return math.prod(self.shape[1:])

    @property
    def place(self) -> tuple[slice, ...]:
        """Where the queries are in (N, K, G, T, d)."""
        return self.rows, self.heads, slice(None), self.queries

    @property
    def seen(self) -> tuple[slice, ...]:
        """Where the keys are in (N, K, 1, T, d)."""
        return self.rows, self.heads, slice(None), slice(self.keys)

    def cells(self, itemsize: int) -> int:
        """Return the size of the buffer that ``over`` takes."""
        return self.keys * (self.line + LINE // itemsize)

    def over(self, cells: Array) -> tuple[Array, Array]:
        """Return a matrix (keys, line) in a buffer, and it as (N, K, G, keys, T).

        Its lines are a gap apart: a stride of a power of two would fall on few lines
        of the cache.
        """
        size = self.cells(cells.itemsize)
        matrix = cells[:size].reshape(self.keys, -1)[:, : self.line]
        return matrix, matrix.reshape(self.shape).transpose(1, 2, 3, 0, 4)


def cut(
    rows: int, heads: int, group: int, steps: int, itemsize: int, *, causal: bool
) -> Iterator[Piece]:
    """Cut the queries of a batch: first rows apart, then heads, then steps.

    Args:
        rows: N.
        heads: K of keys and values.
        group: Heads of queries for each of them.
        steps: T.
        itemsize: Bytes of a weight.
        causal: No query sees a later key; then the last queries come first.
    """
    if not rows * steps:
        return
    budget = TOGETHER // (steps * itemsize)
    least = min(steps, max(BLOCK, steps // BLOCKS))
    queries = least if causal else min(steps, max(least, budget // group))
    each = max(1, budget // (group * queries))
    some_heads = min(heads, each)
    some_rows = max(1, each // heads)
    for r, h, q in product(
        _slices(rows, some_rows),
        _slices(heads, some_heads),
        reversed(_slices(steps, queries)),
    ):
        keys = q.stop if causal else steps
        sizes = r.stop - r.start, h.stop - h.start, group, q.stop - q.start
        yield Piece(r, h, q, keys, (keys, *sizes), q.stop == steps)


def _slices(size: int, each: int) -> list[slice]:
    return [slice(at, min(at + each, size)) for at in range(0, size, each)]
