"""Batches: rows in the order of an epoch, always in the same buffers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from nncli.autograd.tensor import Tensor
from nncli.core.arrays import Array, xp
from nncli.core.randomness import stream


@dataclass(frozen=True, eq=False)
class Batch:
    """The buffers that batches of one size are written to.

    Attributes:
        x: (n, ...) inputs.
        targets: (n, ...) targets as the loss wants them.
        rows: n.
        weights: (n,) how much each row counts; None for 1.
    """

    x: Tensor
    targets: Tensor
    rows: int
    weights: Tensor | None = None

    @staticmethod
    def like(x: Array, targets: Array, weights: Array | None, rows: int) -> Batch:
        """Return empty buffers for so many rows like these."""
        weight = None if weights is None else _room(weights, rows)
        return Batch(_room(x, rows), _room(targets, rows), rows, weight)

    def fill(self, x: Array, targets: Array, weights: Array | None) -> None:
        """Write rows into the buffers."""
        xp.copyto(self.x.data, x)
        xp.copyto(self.targets.data, targets)
        if self.weights is not None and weights is not None:
            xp.copyto(self.weights.data, weights)


class Batches:
    """Cuts rows into batches without allocating anything that grows with the data.

    Batches of one size share one pair of buffers: a batch is valid until the next one
    is drawn. A single batch with all rows is the data itself, in the given order.

    Args:
        x: (N, ...) inputs in the dtype of the run.
        targets: (N, ...) encoded targets.
        size: Rows a batch; the last one may have fewer. At least N for one batch.
        seed: Seed of the order; None for the given order.
        weights: (N,) how much each row counts; None for 1.
    """

    def __init__(
        self,
        x: Array,
        targets: Array,
        size: int,
        seed: int | None = None,
        weights: Array | None = None,
    ) -> None:
        self.x = x
        self.targets = targets
        self.size = min(size, len(x))
        self.seed = seed
        self.weights = weights
        self._buffers: dict[int, Batch] = {}

    def __len__(self) -> int:
        """Return the number of batches of an epoch."""
        return -(-len(self.x) // self.size)

    def epoch(self, epoch: int, first: int = 0) -> Iterator[Batch]:
        """Yield the batches of an epoch, from the batch with index ``first`` on.

        The order is a pure function of (seed, epoch).
        """
        if len(self) == 1:
            yield self._whole()
            return
        order = self._order(epoch)
        for begin in range(first * self.size, len(self.x), self.size):
            index = order[begin : begin + self.size]
            batch = self._buffer(len(index))
            # Rows are known to exist; "clip" spares the copy that "raise" makes.
            xp.take(self.x, index, axis=0, out=batch.x.data, mode="clip")
            xp.take(self.targets, index, axis=0, out=batch.targets.data, mode="clip")
            if batch.weights is not None and self.weights is not None:
                xp.take(self.weights, index, out=batch.weights.data, mode="clip")
            yield batch

    def _order(self, epoch: int) -> np.ndarray[tuple[int], np.dtype[Any]]:
        if self.seed is None:
            return np.arange(len(self.x))
        return stream(self.seed, "shuffling", epoch).permutation(len(self.x))

    def _whole(self) -> Batch:
        if not self._buffers:
            # Features first in memory, as dense layers keep their outputs: the first
            # product is then a third faster.
            x = xp.asfortranarray(self.x) if self.x.ndim == 2 else self.x
            weights = None if self.weights is None else _constant(self.weights)
            batch = Batch(_constant(x), _constant(self.targets), len(x), weights)
            self._buffers[batch.rows] = batch
        return self._buffers[len(self.x)]

    def _buffer(self, rows: int) -> Batch:
        if rows not in self._buffers:
            self._buffers[rows] = Batch.like(self.x, self.targets, self.weights, rows)
        return self._buffers[rows]


def _constant(array: Array) -> Tensor:
    """Return a tensor that nobody writes to, so that ops may count on that."""
    view = array.view()
    view.flags.writeable = False
    return Tensor(view)


def _room(array: Array, rows: int) -> Tensor:
    return Tensor(xp.empty((rows, *array.shape[1:]), array.dtype))
