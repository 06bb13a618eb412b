"""Batches: the rows of an epoch in an order that a seed decides."""

from __future__ import annotations

import numpy as np
import pytest

from nncli.core.arrays import Array
from nncli.data.augmentations import GaussianNoise
from nncli.data.batches import Batches
from nncli.data.table import Table
from nncli.experiment.part import Part

ROWS = 23
X = np.arange(ROWS * 2, dtype=np.float32).reshape(ROWS, 2)
TARGETS = np.arange(ROWS)


def part(x: Array = X, y: Array = TARGETS) -> Part:
    """Return rows whose targets are taken as they are."""
    return Part(Table(x, y), None, (), lambda y: y, "float32")


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


@pytest.mark.parametrize("rows", [1, 8, 20, ROWS])
def test_epoch_of_so_many_rows_draws_each_at_most_once(rows: int) -> None:
    used, fresh = (Batches(part(), 5, 3, per_epoch=rows) for _ in range(2))
    epochs = [order(used, epoch) for epoch in range(3)]
    for epoch in epochs:
        assert len(epoch) == len(used) == -(-rows // min(5, rows))
        drawn = [row for batch in epoch for row in batch]
        assert len(set(drawn)) == len(drawn) == rows
    assert order(fresh, 2) == epochs[2]
    assert order(fresh, 2, 1) == epochs[2][1:]
    assert len({str(epoch) for epoch in epochs}) == 3
    assert order(Batches(part(), 5, 4, per_epoch=rows), 2) != epochs[2]


def test_epoch_of_more_rows_than_there_are_draws_some_again() -> None:
    drawn = order(Batches(part(), 5, 3, per_epoch=3 * ROWS), 0)
    counts = np.bincount(np.concatenate(drawn), minlength=ROWS)
    assert counts.sum() == 3 * ROWS
    assert len(counts) == ROWS
    assert counts.max() > 1


def test_given_order_knows_no_epochs_of_so_many_rows() -> None:
    assert len(np.concatenate(order(Batches(part(), 5, per_epoch=7), 0))) == ROWS


NOISE = GaussianNoise(0.5)


@pytest.mark.parametrize("size", [5, ROWS])
def test_noise_is_a_function_of_seed_epoch_and_batch(size: int) -> None:
    def noise(seed: int, epoch: int, first: int = 0) -> list[bytes]:
        # Of zeros, so that nothing but the noise is there.
        batches = Batches(part(0 * X), size, seed, [NOISE])
        found = batches.epoch(epoch, first)
        return [batch.x.data[:3].tobytes() for batch in found]

    whole = noise(0, 1)
    assert noise(0, 1) == whole
    assert len(set(whole)) == len(whole)
    if size < ROWS:
        assert noise(0, 1, first=3) == whole[3:]
    for seed, epoch in ((0, 2), (1, 1)):
        assert not set(noise(seed, epoch)) & set(whole)


def test_noise_on_all_rows_as_one_batch_does_not_pile_up() -> None:
    batches = Batches(part(X.repeat(40, axis=1)), ROWS, 0, [NOISE, NOISE])
    expected = 0.5 * np.sqrt(2)
    for epoch in range(8):
        (batch,) = batches.epoch(epoch)
        noise = batch.x.data - X.repeat(40, axis=1)
        assert abs(noise.mean()) < 0.1
        assert noise.std() == pytest.approx(expected, rel=0.1)
