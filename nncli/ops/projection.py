"""Projection: W x + b at all steps of sequences, in the order a recurrent op takes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from nncli.autograd.buffers import Form, form
from nncli.core.arrays import Array, aligned_zeros, xp
from nncli.ops.lookup import add_rows, rooms_to_add


class Projection:
    """Writes W x + b, a block a gate, (G, T, N, H), and its gradients.

    One product for all steps; or for all rows of a table, of which each step then takes
    those that it names. Each block is multiplied by a number of its own.

    Args:
        order: Which of W's blocks each block of gates is.
        scales: What each block is multiplied by.
        sizes: N, T, F and H.
        dtype: The type of all numbers.
        table: How many rows the table has; None where x has a row a step.
        reverse: Whether the last step is taken first.

    Attributes:
        gates: (G, T, N, H) what is written.
        columns: How many derivatives a step has: G·H.
    """

    def __init__(
        self,
        order: tuple[int, ...],
        scales: tuple[float, ...],
        sizes: tuple[int, int, int, int],
        dtype: np.dtype[Any],
        table: int | None,
        *,
        reverse: bool,
    ) -> None:
        n, t, f, units = sizes
        self.order, self.scales, self.sizes = order, scales, sizes
        self.table, self.reverse, self.dtype = table is not None, reverse, dtype
        self.columns = len(order) * units
        rows = t * n if table is None else table
        self.inputs: Array = xp.ones((rows, f + 1), dtype)
        self.weights = aligned((len(order), f + 1, units), dtype)
        # Columns first in memory, as the product back likes it.
        self.origins = aligned((f, self.columns), dtype).T
        self.gates = aligned((len(order), t, n, units), dtype)
        self.projected = self.gates.reshape(len(order), t * n, units)
        if self.table:
            self.projected = aligned((len(order), rows, units), dtype)
        self.index = xp.empty((t, n) if self.table else (0, 0), xp.intp)

    def prepare(self, x: Array, weight: Array, bias: Array, index: Array) -> None:
        """Take x (N, T, F), or a table x (V, F) and index (N, T), and parameters."""
        n, t, f, units = self.sizes
        for mine, theirs in enumerate(self.order):
            block, own = block_of(theirs, units), block_of(mine, units)
            scale = self.scales[mine]
            xp.multiply(weight[block].T, scale, out=self.weights[mine, :f])
            xp.multiply(bias[block], scale, out=self.weights[mine, f])
            xp.copyto(self.origins[own], weight[block])
        if self.table:
            xp.copyto(self.inputs[:, :f], x)
            xp.copyto(self.index, time_major(index, reverse=self.reverse))
            xp.matmul(self.inputs, self.weights, out=self.projected)
        else:
            steps = self.inputs.reshape(t, n, f + 1)[..., :f]
            xp.copyto(steps, time_major(x, reverse=self.reverse))

    def write(self, steps: slice) -> None:
        """Write the gates of some steps."""
        if self.table:
            for rows, gate in zip(self.projected, self.gates, strict=True):
                rows.take(self.index[steps], 0, gate[steps], "clip")
            return
        n = self.sizes[0]
        part = slice(steps.start * n, steps.stop * n)
        xp.matmul(self.inputs[part], self.weights, out=self.projected[:, part])

    def rooms(self, columns: int) -> tuple[Form, ...]:
        """Return the forms of what ``backward`` computes with."""
        n, t, f, _ = self.sizes
        rows = len(self.inputs)
        forms = form((self.columns, f + 1), self.dtype), form((rows, f), self.dtype)
        if not self.table:
            return forms
        steps = form((t * n, columns), self.dtype)
        summed = form((rows, columns), self.dtype)
        return *forms, summed, *rooms_to_add(steps, self.dtype)

    def backward(
        self,
        slopes: Array,
        rooms: Sequence[Array],
        dx: Array | None,
        dweight: Array | None,
        dbias: Array | None,
    ) -> None:
        """Write gradients, given the derivatives (T·N, G·H or more) of all steps."""
        n, t, f, units = self.sizes
        square, total, *rest = rooms
        if self.table:
            summed, *rest = rest
            add_rows(self.index.reshape(-1), slopes, summed, rest)
            slopes = summed
        slopes = slopes[:, : self.columns]
        if dweight is not None or dbias is not None:
            xp.matmul(slopes.T, self.inputs, out=square)
        for mine, theirs in enumerate(self.order):
            block, own = block_of(theirs, units), block_of(mine, units)
            if dweight is not None:
                xp.copyto(dweight[block], square[own, :f])
            if dbias is not None:
                xp.copyto(dbias[block], square[own, f])
        if dx is not None:
            xp.matmul(slopes, self.origins, out=total)
            steps = total.reshape(t, n, f) if not self.table else None
            whole = total if steps is None else batch_major(steps, reverse=self.reverse)
            xp.copyto(dx, whole)


def block_of(index: int, units: int) -> slice:
    """Return the rows of a parameter that belong to one gate."""
    return slice(index * units, (index + 1) * units)


def time_major(array: Array, *, reverse: bool) -> Array:
    """Turn (N, T, ...) to (T, N, ...), with steps as they are taken."""
    steps = array.swapaxes(0, 1)
    return steps[::-1] if reverse else steps


def batch_major(array: Array, *, reverse: bool) -> Array:
    """Turn (T, N, ...), with steps as they are taken, to (N, T, ...)."""
    return (array[::-1] if reverse else array).swapaxes(0, 1)


def aligned(shape: Sequence[int], dtype: np.dtype[Any]) -> Array:
    """Return an array that begins at a cache line."""
    return aligned_zeros(math.prod(shape), dtype).reshape(shape)
