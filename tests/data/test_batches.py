"""Batches: the rows of an epoch in an order that a seed decides."""

from __future__ import annotations

import numpy as np
import pytest

from nncli.core.arrays import Array
from nncli.data.augmentations import GaussianNoise
from nncli.data.base import Table, Transform
from nncli.data.batches import Batches
from nncli.experiment.part import Part

ROWS = 23
X = np.arange(ROWS * 2, dtype=np.float32).reshape(ROWS, 2)
TARGETS = np.arange(ROWS)


def part(
    x: Array = X,
    y: Array = TARGETS,
    *transforms: Transform,
    weights: Array | None = None,
) -> Part:
    """Return rows whose targets are taken as they are."""
    return Part(Table(x, y, weights=weights), None, transforms, lambda y: y, "float32")


def order(batches: Batches, epoch: int, first: int = 0) -> list[list[int]]:
    """Return the rows of each batch, by their targets."""
    return [batch.targets.data.tolist() for batch in batches.epoch(epoch, first)]


@pytest.mark.parametrize("size", [1, 5, 22, 23, 100])
@pytest.mark.parametrize("seed", [None, 0, 7])
def test_batches_hold_every_row_once(size: int, seed: int | None) -> None:
    batches = Batches(part(), size, seed)
    found = order(batches, 3)
    assert len(found) == len(batches) == -(-ROWS // min(size, ROWS))
    assert {len(rows) for rows in found[:-1]} <= {min(size, ROWS)}
    assert sorted(row for rows in found for row in rows) == list(range(ROWS))


def test_batches_keep_inputs_and_targets_together() -> None:
    for batch in Batches(part(), 5, 0).epoch(0):
        np.testing.assert_array_equal(batch.x.data, X[batch.targets.data])
        assert batch.rows == len(batch.x.data) == len(batch.targets.data)


def test_batches_order_is_a_function_of_seed_and_epoch() -> None:
    used = Batches(part(), 5, 0)
    for epoch in range(4):
        order(used, epoch)
    assert order(used, 2) == order(Batches(part(), 5, 0), 2)


def test_batches_order_changes_with_seed_and_epoch() -> None:
    orders = [
        order(Batches(part(), 5, seed), epoch) for seed in (0, 1) for epoch in range(3)
    ]
    assert all(a != b for i, a in enumerate(orders) for b in orders[:i])


def test_batches_without_seed_come_in_the_given_order() -> None:
    found = order(Batches(part(), 5), 9)
    assert [row for rows in found for row in rows] == list(range(ROWS))


@pytest.mark.parametrize("first", range(6))
def test_batches_go_on_in_the_middle_of_an_epoch(first: int) -> None:
    whole = order(Batches(part(), 5, 0), 4)
    assert order(Batches(part(), 5, 0), 4, first) == whole[first:]


def test_batches_of_one_size_share_their_buffers() -> None:
    batches = Batches(part(), 5, 0)
    seen: dict[int, tuple[object, Array]] = {}
    for epoch in range(3):
        for batch in batches.epoch(epoch):
            known = seen.setdefault(batch.rows, (batch, batch.x.data))
            assert known[0] is batch
            assert known[1] is batch.x.data
    assert set(seen) == {5, 3}


@pytest.mark.parametrize("size", [ROWS, ROWS + 1])
def test_batch_of_all_rows_keeps_the_given_order_in_every_epoch(size: int) -> None:
    batches = Batches(part(), size, 0)
    found = [batch for epoch in range(3) for batch in batches.epoch(epoch)]
    assert len(found) == 3
    assert len({id(batch) for batch in found}) == 1
    np.testing.assert_array_equal(found[0].x.data, X)
    np.testing.assert_array_equal(found[0].targets.data, TARGETS)


def test_batches_leave_the_data_as_it_is() -> None:
    x, targets = X.copy(), TARGETS.copy()
    for size in (5, ROWS):
        for batch in Batches(part(x, targets), size, 0, [GaussianNoise(1.0)]).epoch(0):
            assert not np.shares_memory(batch.x.data, x)
    np.testing.assert_array_equal(x, X)
    np.testing.assert_array_equal(targets, TARGETS)
