"""Lookup: rows of a table by their numbers, the op of an embedding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from nncli.autograd.buffers import Form, form, scratch, scratches
from nncli.autograd.function import Case, Function, Sized
from nncli.core.arrays import Array, xp
from nncli.core.errors import IndexShapeError, ShapeError

A_CALL = 400
"""Elements that ``reduceat`` sums in the time that another call saves."""


class Lookup(Function, name="lookup"):
    """y = W[index]: W (V, F), integers index (...) → y (..., F).

    dL/dW[v] = Σ of dL/dy over the places where index is v: sums over the places in the
    order of v, which takes a fraction of adding them one by one, or of a product with
    one-hot columns.

    Args:
        padding: A row that counts as zeros, and has no gradient; None for none.
    """

    padding: int | None = None

    differentiable = (True, False)
    saves_inputs = (False, True)
    saves_output = False

    def allocate(self, weight: Array, index: Array) -> Array:
        """Make the output."""
        if weight.ndim != 2 or index.dtype.kind not in "iu":
            raise ShapeError(
                f"lookup: expected a table (V, F) and integers, got {weight.shape} and "
                f"{index.dtype}."
            )
        self.keeps_lengths = index.ndim > 1
        self.rows, features = weight.shape
        return xp.empty((*index.shape, features), weight.dtype)

    def forward(self, weight: Array, index: Array, out: Array) -> None:
        """Copy the rows.

        Raises:
            IndexShapeError: There is no such row.
        """
        self.index = index
        low, high = index.min(initial=0), index.max(initial=0)
        if low < 0 or high >= self.rows:
            raise IndexShapeError(
                f"lookup: expected integers from 0 to {self.rows - 1}, got "
                f"{low if low < 0 else high}."
            )
        weight.take(index, 0, out, "clip")
        if self.padding is not None:
            places = scratch(form(index.shape, bool))
            xp.equal(index, self.padding, out=places)
            xp.copyto(out, 0, where=places[..., None])

    def backward(self, grad: Array, dweight: Array, *_: Array | None) -> None:
        index, rows = self.index.reshape(-1), grad.reshape(-1, grad.shape[-1])
        rooms = scratches(*rooms_to_add(rows, grad.dtype))
        add_rows(index, rows, dweight, rooms)
        if self.padding is not None:
            dweight[self.padding] = 0

    def flops(self, *arrays: Sized) -> int:
        """Nothing is computed."""
        return 0

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """One number, several, sequences; numbers that are there twice, and never."""
        for shape in ((1,), (5,), (2, 4)):
            yield Case(cls(), (rng.normal(size=(4, 2)), rng.integers(0, 3, shape)))
        yield Case(cls(1), (rng.normal(size=(4, 2)), rng.integers(0, 3, (5, 2))))
        index = rng.integers(0, 50, (2, 4))
        index[0] = index[1, 0]
        yield Case(cls(), (rng.normal(size=(50, 2)), index))
        # Few numbers, many columns: each run is summed by a call of its own.
        wide = rng.normal(size=(2, A_CALL))
        yield Case(cls(), (wide, rng.integers(0, 2, 3)))


def rooms_to_add(rows: Sized, dtype: np.dtype[Any]) -> tuple[Form, ...]:
    """Return the forms of what ``add_rows`` computes with, for rows (n, F)."""
    count = form(rows.shape[:1], np.int64)
    return count, count, form(rows.shape, dtype), form(rows.shape, dtype)


def add_rows(index: Array, rows: Array, out: Array, rooms: Sequence[Array]) -> None:
    """Write to each row of ``out`` the sum of the rows that its number stands for.

    Rows are laid out in the order of their numbers, then the runs are summed.

    Args:
        index: (n,) numbers of rows of ``out``.
        rows: (n, F) what is summed.
        out: (V, F).
        rooms: Arrays as ``rooms_to_add`` says.
    """
    keys, places, sorted_rows, sums = rooms
    count = len(index)
    out.fill(0)
    if not count:
        return
    # Number and place in one integer: sorted where they lie.
    # Small types of integers would overflow.
    xp.multiply(index, count, out=keys, dtype=keys.dtype)
    xp.add(keys, xp.arange(count), out=keys)
    keys.sort()
    xp.remainder(keys, count, out=places)
    rows.take(places, 0, sorted_rows, "clip")
    xp.floor_divide(keys, count, out=keys)
    starts = xp.concatenate(([0], xp.flatnonzero(keys[1:] != keys[:-1]) + 1))
    names = keys[starts]
    if rows.size < A_CALL * min(len(out), count):
        xp.add.reduceat(sorted_rows, starts, axis=0, out=sums[: len(starts)])
        out[names] = sums[: len(starts)]
        return
    bounds = [*starts.tolist(), count]
    for name, first, end in zip(names.tolist(), bounds, bounds[1:], strict=False):
        xp.add.reduce(sorted_rows[first:end], axis=0, out=out[name])
