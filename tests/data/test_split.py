"""Splits: every row in one part, shares kept, classes kept alike."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nncli.core.errors import ArgumentError, DataError
from nncli.data.base import Table
from nncli.data.split import Split, _assign, split_table


def _table(sizes: list[int], classes: bool = True) -> Table:
    """Return rows numbered from 0, of classes with the given sizes."""
    y = np.repeat(np.arange(len(sizes)), sizes)
    x = np.arange(len(y))[:, None].astype(float)
    names = tuple(map(str, range(len(sizes))))
    return Table(x, y, names) if classes else Table(x, y[:, None].astype(float), None)


def _parts(table: Table, split: Split, seed: int = 0) -> dict[str, Table]:
    return split_table(table, split, np.random.default_rng(seed))


def _rows_of(part: Table) -> list[int]:
    return [int(value) for value in part.x[:, 0]]


@given(
    sizes=st.lists(st.integers(1, 30), min_size=1, max_size=6),
    validation=st.floats(0.0, 0.6),
    test=st.floats(0.0, 0.4),
    stratify=st.booleans(),
    seed=st.integers(0, 5),
)
@settings(max_examples=150, deadline=None, derandomize=True, database=None)
def test_split_puts_every_row_in_one_part_and_keeps_the_shares(
    sizes: list[int], validation: float, test: float, stratify: bool, seed: int
) -> None:
    table = _table(sizes)
    rows = len(table)
    wanted = {"validation": round(validation * rows), "test": round(test * rows)}
    # Both may round up where nothing is left.
    wanted["test"] = min(wanted["test"], rows - wanted["validation"])
    wanted["train"] = rows - sum(wanted.values())
    shares = {"validation": validation, "test": test, "train": 1.0}
    split = Split(validation, test, stratify)
    if any(shares[name] > 0 and not count for name, count in wanted.items()):
        with pytest.raises(DataError, match="at least one row"):
            _parts(table, split, seed)
        return
    parts = _parts(table, split, seed)
    assert {name: len(part) for name, part in parts.items()} == {
        name: count for name, count in wanted.items() if shares[name] > 0
    }
    everything = sorted(row for part in parts.values() for row in _rows_of(part))
    assert everything == list(range(rows))


@pytest.mark.parametrize("sizes", [[50, 50, 50], [10, 100, 40], [7, 13, 29, 5]])
def test_stratified_split_keeps_the_classes_shares(sizes: list[int]) -> None:
    table = _table(sizes)
    parts = _parts(table, Split(0.2, 0.3))
    for name, share in (("validation", 0.2), ("test", 0.3)):
        counts = Counter(parts[name].y.tolist())
        for label, size in enumerate(sizes):
            assert abs(counts[label] - share * size) < 1


def test_unstratified_split_ignores_the_classes() -> None:
    parts = _parts(_table([100, 100]), Split(0.5, stratify=False))
    assert len(parts["validation"]) == 100
    assert Counter(parts["validation"].y.tolist())[0] != 50


def test_split_of_classes_with_one_row_each_fills_every_part() -> None:
    parts = _parts(_table([1] * 5), Split(0.4, 0.4))
    assert [len(parts[name]) for name in ("train", "validation", "test")] == [1, 2, 2]


def test_split_keeps_the_rows_in_their_given_order() -> None:
    for part in _parts(_table([20, 30]), Split(0.3, 0.2)).values():
        assert _rows_of(part) == sorted(_rows_of(part))


def test_split_keeps_inputs_and_targets_together() -> None:
    table = _table([6, 9])
    for part in _parts(table, Split(0.3, 0.2)).values():
        np.testing.assert_array_equal(part.y, table.y[_rows_of(part)])
        assert part.classes == table.classes


def test_split_is_a_function_of_the_seed() -> None:
    table, split = _table([40, 40]), Split(0.25)
    first, again, other = (
        _rows_of(_parts(table, split, seed)["validation"]) for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


def test_split_draws_from_the_whole_class() -> None:
    drawn = [
        _rows_of(_parts(_table([10]), Split(0.2), s)["validation"]) for s in range(60)
    ]
    assert {row for rows in drawn for row in rows} == set(range(10))


def test_split_of_numbers_draws_from_all_rows() -> None:
    parts = _parts(_table([10, 10], classes=False), Split(0.3))
    assert len(parts["validation"]) == 6
    assert set(parts) == {"train", "validation"}


def test_split_without_shares_is_all_training() -> None:
    table = _table([3, 4])
    parts = _parts(table, Split())
    assert list(parts) == ["train"]
    np.testing.assert_array_equal(parts["train"].x, table.x)


@pytest.mark.parametrize(
    ("sizes", "split", "part"),
    [
        ([2], Split(0.1), "validation"),
        ([4], Split(0.5, 0.1), "test"),
        ([2], Split(0.5, 0.4), "train"),
        ([1], Split(0.9), "train"),
    ],
)
def test_split_refuses_a_part_without_rows(
    sizes: list[int], split: Split, part: str
) -> None:
    with pytest.raises(DataError, match=f"row in the {part} part"):
        _parts(_table(sizes), split)


def test_split_refuses_shares_that_leave_nothing_to_train_on() -> None:
    with pytest.raises(ArgumentError, match=r"below 1.*got 1\.2"):
        Split(0.6, 0.6)


def test_split_of_very_many_classes_is_quick_and_draws_as_one_class_at_a_time() -> None:
    groups = np.random.default_rng(0).integers(0, 200, 500)
    rows = [np.flatnonzero(groups == name) for name in np.unique(groups)]
    rng = np.random.default_rng(7)
    orders = [rng.permutation(each) for each in rows]
    part = _assign(groups, [0.25], np.random.default_rng(7))
    for order in orders:
        count = int((part[order] == 1).sum())
        assert (part[order[:count]] == 1).all()
    assert (part == 1).sum() == 125
    million = _assign(np.arange(10**6), [0.1, 0.2], np.random.default_rng(0))
    assert np.bincount(million).tolist() == [700_000, 100_000, 200_000]
