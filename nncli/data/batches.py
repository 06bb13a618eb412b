"""Batches: rows in the order of an epoch, always in the same buffers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from typing import Any, Protocol

import numpy as np

from nncli.autograd.tensor import Tensor
from nncli.core.arrays import Array, xp
from nncli.core.randomness import stream
from nncli.data.base import Augmentation, Field, Index, count_of

Order = np.ndarray[tuple[int], np.dtype[Any]]

AHEAD = 2**17
"""Bytes of inputs from which a batch is prepared while the step before it runs."""


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

    @property
    def lengths(self) -> Array | None:
        """How many steps of each row's targets (N, T, ...) count; None for all."""
        if self.targets.lengths is not None:
            return self.targets.lengths
        same = self.x.shape[:2] == self.targets.shape[:2]
        return self.x.lengths if same else None

    @staticmethod
    def empty(
        x: Field, targets: Field, rows: int, *, weighted: bool, lengths: bool = False
    ) -> Batch:
        """Return empty buffers for so many rows.

        Args:
            x: What a row of the inputs holds.
            targets: Likewise.
            rows: How many.
            weighted: Rows have weights.
            lengths: Rows are sequences with lengths; so are targets with a class at
                each step.
        """
        weights = Tensor(xp.empty(rows, x.dtype)) if weighted else None
        batch = Batch(_room(x, rows), _room(targets, rows), rows, weights)
        if lengths:
            batch.x.lengths = xp.zeros(rows, xp.int64)
            if targets.dtype.kind == "i" and targets.shape[:1] == x.shape[:1]:
                batch.targets.lengths = batch.x.lengths
        return batch

    def copy_from(self, other: Batch) -> None:
        """Take over the rows of another batch of the same size."""
        xp.copyto(self.x.data, other.x.data)
        xp.copyto(self.targets.data, other.targets.data)
        if self.x.lengths is not None and other.x.lengths is not None:
            xp.copyto(self.x.lengths, other.x.lengths)
        if self.weights is not None and other.weights is not None:
            xp.copyto(self.weights.data, other.weights.data)


class Source(Protocol):
    """What batches are made of: a part of the data."""

    x: Array | None

    def __len__(self) -> int: ...

    def room(self, rows: int) -> Batch:
        """Return empty buffers for so many rows."""

    def fill(self, index: Index, batch: Batch) -> None:
        """Write some rows into a batch's buffers."""


class Batches:
    """Cuts rows into batches without allocating anything that grows with the data.

    Batches of one size share their buffers: a batch is valid until the next one is
    drawn. A single batch with all rows is made once, in the given order.

    Rows that are large and have to be prepared for each batch are prepared by a second
    thread while the step before them runs.

    Args:
        part: The rows.
        size: Rows a batch; the last one may have fewer. At least N for one batch.
        seed: Seed of the order; None for the given order.
        augmentations: Random changes of each batch, in order.
        per_epoch: How many rows an epoch has; None for each row once.
        stream: Row i of a batch goes on where row i of the batch before stopped: the
            rows are cut into as many stretches as a batch has rows. What is left at the
            end is left out.
        shard: Which shard of each batch is wanted, as (index, number of shards); None
            for all of it. Augmentations of a shard are its own. Of a batch with fewer
            rows than shards, the last shards are empty.
    """

    def __init__(
        self,
        part: Source,
        size: int,
        seed: int | None = None,
        augmentations: Sequence[Augmentation] = (),
        per_epoch: int | None = None,
        stream: bool = False,
        shard: tuple[int, int] | None = None,
    ) -> None:
        self.part = part
        self.rows = len(part) if seed is None or per_epoch is None else per_epoch
        self.size = min(size, self.rows)
        self.stream = stream
        if stream:
            self.rows -= self.rows % self.size
        self.seed = seed
        self.augmentations = augmentations
        self.shard = shard
        self._same = len(self) == 1 and self.rows == len(part)
        self._buffers: dict[int, Batch] = {}
        self._next: dict[int, Batch] = {}
        sample = part.room(0).x.data
        width = sample.itemsize * int(np.prod(sample.shape[1:]))
        several = part.x is None and not self._same
        self._ahead = several and self._rows_of(self.size) * width >= AHEAD

    def __len__(self) -> int:
        """Return the number of batches of an epoch."""
        return -(-self.rows // self.size)

    def epoch(self, epoch: int, first: int = 0) -> Iterator[Batch]:
        """Yield the batches of an epoch, from the batch with index ``first`` on.

        Their order is a pure function of (seed, epoch), what changes them of (seed,
        epoch, batch, shard).
        """
        if self._same:
            batches: Iterator[Batch] = iter([self._whole()])
        else:
            indices = self._indices(epoch, first)
            batches = self._prefetched(indices) if self._ahead else self._made(indices)
        for number, batch in enumerate(batches, start=first):
            if self.augmentations:
                self._augment(batch, epoch, number)
            yield batch

    def at(self, number: int) -> Batch:
        """Return one of the batches in the given order."""
        begin = number * self.size
        return self._filled(
            self._buffers, self._cut(begin, min(begin + self.size, self.rows))
        )

    def _augment(self, batch: Batch, epoch: int, number: int) -> None:
        if not batch.rows:
            return
        if self._same:
            self.part.fill(self._cut(0, self.rows), batch)
        keys = () if self.shard is None else self.shard[:1]
        rng = stream(self.seed or 0, "augmentation", epoch, number, *keys)
        for augmentation in self.augmentations:
            augmentation.apply(batch.x.data, batch.targets.data, rng)

    def _indices(self, epoch: int, first: int) -> Iterator[Index]:
        """Yield the places of each batch's rows."""
        begins = range(first * self.size, self.rows, self.size)
        if self.seed is None:
            for begin in begins:
                yield self._cut(begin, min(begin + self.size, self.rows))
            return
        order = self._order(epoch)
        for begin in begins:
            yield order[self._cut(begin, min(begin + self.size, self.rows))]

    def _cut(self, begin: int, end: int) -> slice:
        """Return the places of the shard's rows, of those of a batch."""
        if self.shard is None:
            return slice(begin, end)
        index, shards = self.shard
        each, over = divmod(end - begin, shards)
        first = begin + index * each + min(index, over)
        return slice(first, first + each + (index < over))

    def _rows_of(self, rows: int) -> int:
        return count_of(self._cut(0, rows))

    def _order(self, epoch: int) -> Order:
        if self.stream:
            return np.arange(self.rows).reshape(self.size, -1).T.ravel()
        rng = stream(self.seed or 0, "shuffling", epoch)
        total = len(self.part)
        if self.rows == total:
            return rng.permutation(total)
        # Each row once at most, as long as there are enough.
        return rng.choice(total, self.rows, replace=self.rows > total)

    def _made(self, indices: Iterator[Index]) -> Iterator[Batch]:
        for index in indices:
            yield self._filled(self._buffers, index)

    def _prefetched(self, indices: Iterator[Index]) -> Iterator[Batch]:
        with ThreadPoolExecutor(1, "nncli-rows") as pool:
            coming: Future[Batch] | None = None
            for index in chain(indices, [None]):
                batch = None if coming is None else self._received(coming.result())
                coming = None
                if index is not None:
                    coming = pool.submit(self._filled, self._next, index)
                if batch is not None:
                    yield batch

    def _filled(self, buffers: dict[int, Batch], index: Index) -> Batch:
        batch = self._buffer(buffers, count_of(index))
        if batch.rows:
            self.part.fill(index, batch)
        return batch

    def _received(self, ready: Batch) -> Batch:
        batch = self._buffer(self._buffers, ready.rows)
        batch.copy_from(ready)
        return batch

    def _whole(self) -> Batch:
        """Return all rows as one batch, which ops may count on never to change."""
        rows = self._rows_of(self.rows)
        known = self._buffers.get(rows)
        if known is None:
            batch = self.part.room(rows)
            # Features first in memory, as dense layers keep their outputs: the first
            # product is then a third faster.
            if batch.x.ndim == 2:
                batch = Batch(
                    Tensor(xp.asfortranarray(batch.x.data), lengths=batch.x.lengths),
                    batch.targets,
                    batch.rows,
                    batch.weights,
                )
            self.part.fill(self._cut(0, self.rows), batch)
            known = batch if self.augmentations else _constant(batch)
            self._buffers[rows] = known
        return known

    def _buffer(self, buffers: dict[int, Batch], rows: int) -> Batch:
        if rows not in buffers:
            buffers[rows] = self.part.room(rows)
        return buffers[rows]


def _constant(batch: Batch) -> Batch:
    """Return a batch that nobody writes to, so that ops may count on that."""
    weights = None if batch.weights is None else _fixed(batch.weights)
    return Batch(_fixed(batch.x), _fixed(batch.targets), batch.rows, weights)


def _fixed(tensor: Tensor) -> Tensor:
    view = tensor.data.view()
    view.flags.writeable = False
    return Tensor(view, lengths=tensor.lengths)


def _room(field: Field, rows: int) -> Tensor:
    return Tensor(xp.empty((rows, *field.shape), field.dtype))
