"""Part: kept in memory, prepared for each batch, or ahead of it: the same bits."""

from __future__ import annotations

import threading
from collections.abc import Mapping

import numpy as np
import pytest

from nncli.core.arrays import Array
from nncli.core.errors import DataError
from nncli.data import batches as batches_module
from nncli.data.base import Index, Transform
from nncli.data.batches import Batches
from nncli.data.table import Table
from nncli.data.transforms import Scale, Standardize
from nncli.experiment import part as part_module
from nncli.experiment.part import Part

ROWS = 61


def made(
    table: Table, index: Array | None, transforms: list[Transform], dtype: str
) -> Part:
    return Part(table, index, transforms, lambda y: y.astype(dtype), dtype)


def table(dtype: str) -> Table:
    """Return rows that need all digits of their type, with weights."""
    rng = np.random.default_rng(3)
    whole = np.dtype(dtype).kind in "iu"
    top = {"u1": 2**8, "i4": 2**31, "i8": 2**60}.get(dtype, 0)
    x = (
        top - 1 - rng.integers(0, 200, (ROWS, 5))
        if whole
        else 1e3 + rng.normal(size=(ROWS, 5))
    ).astype(dtype)
    return Table(x, np.arange(ROWS), weights=rng.random(ROWS))


def seen(part: Part, size: int, seed: int | None = 0) -> list[bytes]:
    """Return the bits of all batches of two epochs."""
    return [
        array.data.tobytes()
        for epoch in range(2)
        for batch in Batches(part, size, seed).epoch(epoch)
        for array in (batch.x, batch.targets, batch.weights)
        if array is not None
    ]


def preparers() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.startswith("nncli-rows")]


@pytest.mark.parametrize("transformed", [False, True])
@pytest.mark.parametrize("run", ["f4", "f8"])
@pytest.mark.parametrize("dtype", ["u1", "i4", "i8", "f4", "f8"])
def test_part_gives_the_same_bits_however_it_is_prepared(
    dtype: str, run: str, transformed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = table(dtype)
    transforms: list[Transform] = []
    if transformed:
        transforms = [Standardize().live(), Scale(-1.0, 3.0).live()]
        for transform in transforms:
            transform.fit(iter([rows.x.astype(float)]))
    for index in (None, np.arange(ROWS)[::-2]):
        monkeypatch.setattr(part_module, "KEEP", 2**26)
        monkeypatch.setattr(batches_module, "AHEAD", 2**18)
        kept = made(rows, index, transforms, run)
        assert kept.x is not None
        assert kept.targets is not None
        expected = {size: seen(kept, size) for size in (7, ROWS)}
        monkeypatch.setattr(part_module, "KEEP", 0)
        fresh = made(rows, index, transforms, run)
        as_it_lies = index is None and not transforms and dtype == run
        assert (fresh.x is None) == (not as_it_lies)
        assert fresh.targets is None
        for ahead in (2**18, 0):
            monkeypatch.setattr(batches_module, "AHEAD", ahead)
            for size, bits in expected.items():
                assert seen(fresh, size) == bits
        whole = fresh.batch(slice(0, len(fresh)))
        chosen: Index = slice(0, ROWS) if index is None else index
        if not transforms:
            np.testing.assert_array_equal(whole.x.data, rows.x[chosen].astype(run))
        assert whole.weights is not None
        assert rows.weights is not None
        np.testing.assert_array_equal(
            whole.weights.data, rows.weights[chosen].astype(run)
        )


def test_integers_are_transformed_before_digits_are_dropped() -> None:
    rows = Table(2**53 - np.arange(ROWS)[:, None], np.arange(ROWS))
    standardize = Standardize().live()
    standardize.fit(iter([rows.x.astype(float)]))
    x = made(rows, None, [standardize], "f4").batch(slice(0, ROWS)).x.data
    assert len(np.unique(x)) == ROWS


def test_part_of_rows_that_lie_as_wanted_copies_nothing() -> None:
    rows = table("f4")
    assert made(rows, None, [], "f4").x is rows.x


class Broken(Table):
    """Rows of which one cannot be read."""

    def take(self, index: Index, out: Mapping[str, Array]) -> None:
        if 40 in np.arange(ROWS)[index] and "x" in out:
            raise DataError("row 40 is broken.")
        super().take(index, out)


@pytest.mark.parametrize("ahead", [2**18, 0])
def test_rows_that_cannot_be_read_stop_the_epoch_where_they_are(
    ahead: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(part_module, "KEEP", 0)
    monkeypatch.setattr(batches_module, "AHEAD", ahead)
    rows = table("f8")
    part = made(Broken(rows.x, rows.y), None, [], "f4")
    epoch = Batches(part, 10, None).epoch(0)
    assert [next(epoch).targets.data[0] for _ in range(4)] == [0, 10, 20, 30]
    with pytest.raises(DataError, match="row 40"):
        next(epoch)
    assert preparers() == []


def test_epoch_that_is_left_early_leaves_no_thread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(part_module, "KEEP", 0)
    monkeypatch.setattr(batches_module, "AHEAD", 0)
    part = made(table("f8"), None, [], "f4")
    for _ in Batches(part, 10, 0).epoch(0):
        assert len(preparers()) == 1
        break
    assert preparers() == []


def test_some_rows_of_a_part_are_places_in_the_rows() -> None:
    rows = table("f4")
    part = made(rows, np.arange(ROWS)[::-1], [], "f4").some(np.array([0, 2]))
    np.testing.assert_array_equal(part.batch(slice(0, 2)).targets.data, [60, 58])
