"""Lookup: rows of a table by their numbers, the op of an embedding."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nncli.autograd.buffers import form, scratch, scratches
from nncli.autograd.function import Case, Function, Sized
from nncli.core.arrays import Array, xp
from nncli.core.errors import IndexShapeError, ShapeError

ONE_HOT = 512
"""Up to so many rows of a table, its gradient is a product with one-hot columns."""


class Lookup(Function, name="lookup"):
    """y = W[index]: W (V, F), integers index (...) → y (..., F).

    dL/dW[v] = Σ of dL/dy over the places where index is v: for a small table a product
    with one-hot columns, for a large one sums over the places in the order of v, which
    is several times faster than adding them one by one.

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
        if self.rows <= ONE_HOT:
            hot = scratch(form((self.rows, index.size), grad.dtype))
            one_hot(index, hot)
            xp.matmul(hot, rows, out=dweight)
        else:
            add_rows(index, rows, dweight)
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
        index = rng.integers(0, ONE_HOT + 2, (2, 4))
        index[0] = index[1, 0]
        yield Case(cls(), (rng.normal(size=(ONE_HOT + 2, 2)), index))


def one_hot(index: Array, out: Array) -> None:
    """Write 1 where a column's number is that of the row, else 0.

    Args:
        index: (n,) a number for each column.
        out: (V, n).
    """
    xp.equal(xp.arange(len(out))[:, None], index, out=out)


def add_rows(index: Array, rows: Array, out: Array) -> None:
    """Write to each row of ``out`` the sum of the rows that its number stands for.

    Args:
        index: (n,) numbers of rows of ``out``.
        rows: (n, F) what is summed.
        out: (V, F).
    """
    count = len(index)
    keys, wide, gathered, sums = scratches(
        form((count,), np.int64),
        form((count,), np.int64),
        form(rows.shape, rows.dtype),
        form(rows.shape, rows.dtype),
    )
    # One number for both, the place in its lower part: sorted without a copy.
    xp.multiply(index, count, out=keys)
    xp.add(keys, xp.arange(count), out=keys)
    keys.sort()
    xp.remainder(keys, count, out=wide)
    rows.take(wide, 0, gathered, "clip")
    xp.floor_divide(keys, count, out=keys)
    starts = xp.flatnonzero(keys[1:] != keys[:-1]) + 1
    starts = xp.concatenate(([0], starts))
    out.fill(0)
    if count:
        xp.add.reduceat(gathered, starts, axis=0, out=sums[: len(starts)])
        out[keys[starts]] = sums[: len(starts)]
