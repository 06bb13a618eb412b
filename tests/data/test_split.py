"""Splits: every row in one part, shares kept, classes kept alike."""

from __future__ import annotations

import contextlib
from collections import Counter
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nncli.core.errors import ArgumentError, DataError, NncliError
from nncli.data.draw import by_class
from nncli.data.split import PARTS, Fold, Split, split_rows
from nncli.data.table import Table


def _table(sizes: list[int], classes: bool = True) -> Table:
    """Return rows numbered from 0, of classes with the given sizes."""
    y = np.repeat(np.arange(len(sizes)), sizes)
    x = np.arange(len(y))[:, None].astype(float)
    names = tuple(map(str, range(len(sizes))))
    return Table(x, y, names) if classes else Table(x, y[:, None].astype(float), None)


def _parts(table: Table, split: Split, seed: int = 0) -> dict[str, Any]:
    return {
        name: table
        if index is None
        else Table(table.x[index], table.y[index], table.classes)  # type: ignore[index]
        for name, index in split_rows(table, split, seed).items()
    }


def _rows_of(part: Any) -> list[int]:
    return [int(value) for value in part.x[:, 0]]


@pytest.mark.slow
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
        np.testing.assert_array_equal(part.y, np.repeat([0, 1], [6, 9])[_rows_of(part)])
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


# What a table may say of its rows: who, when, and which part is meant.
KEYS = {
    "who": np.array([*"ababcdcdeeff"]),
    "when": np.array([5, 3, 9, 1, 1, 7, 2, 8, 0, 6, 4, 10]),
    "part": np.array(["Train", "val", "test", "train"] * 3),
    "odd": np.array(["train", "dev"] * 6),
    "numbers": np.arange(12.0) // 6,
}


def _places(split: Split, seed: int = 0, **facts: Any) -> dict[str, Any]:
    """Return the places of each part of 12 rows that have keys."""
    x, y = np.zeros((12, 1)), np.arange(12) % 2
    table = Table(x, y, (0, 1), keys=KEYS, **facts)
    return {
        name: None if index is None else index.tolist()
        for name, index in split_rows(table, split, seed).items()
    }


def test_split_s_own_seed_keeps_the_parts_where_the_config_s_changes() -> None:
    own = Split(0.25, 0.25, seed=7)
    assert _places(own, seed=1) == _places(own, seed=2)
    assert _places(own, seed=1) == _places(Split(0.25, 0.25), seed=7)
    assert _places(Split(0.25, 0.25), seed=1) != _places(Split(0.25, 0.25), seed=2)


@pytest.mark.parametrize(
    ("split", "expected"),
    [
        (Split(0.25, 1 / 3, order="given"), [range(5), range(5, 8), range(8, 12)]),
        (
            Split(0.25, 1 / 3, time="when"),
            [[1, 3, 4, 6, 8], [0, 9, 10], [2, 5, 7, 11]],
        ),
        (Split(column="part"), [[0, 3, 4, 7, 8, 11], [1, 5, 9], [2, 6, 10]]),
    ],
    ids=["order", "time", "column"],
)
def test_split_that_is_not_drawn_is_as_it_is_said(split: Split, expected: Any) -> None:
    wanted = dict(zip(PARTS, map(list, expected), strict=True))
    assert _places(split, seed=1) == _places(split, seed=2) == wanted


@pytest.mark.slow
@given(
    groups=st.lists(st.integers(0, 12), min_size=1, max_size=80),
    validation=st.floats(0.0, 0.5),
    test=st.floats(0.0, 0.4),
    seed=st.integers(0, 5),
)
@settings(max_examples=150, deadline=None, derandomize=True, database=None)
def test_split_by_group_keeps_groups_whole_and_shares_near(
    groups: list[int], validation: float, test: float, seed: int
) -> None:
    column = np.array(groups)
    table = Table(column[:, None], column, keys={"who": column})
    split = Split(validation, test, group="who")
    parts: dict[str, Any] = {}
    # Few groups leave a part empty.
    with contextlib.suppress(DataError):
        parts = split_rows(table, split, seed)
    if not parts:
        return
    places = [range(len(groups)) if i is None else i for i in parts.values()]
    assert sorted(row for part in places for row in part) == [*range(len(groups))]
    held = [{groups[row] for row in part} for part in places]
    assert sum(map(len, held)) == len(set(groups))
    largest = max(Counter(groups).values())
    for name, share in (("validation", validation), ("test", test)):
        if share:
            index = parts[name]
            assert index is not None
            assert abs(len(index) - round(share * len(groups))) <= largest / 2


OFFICIAL = {"train": np.arange(2, 12), "test": np.array([0, 1])}


def test_official_parts_are_the_parts() -> None:
    whole = {"train": [*range(2, 12)], "test": [0, 1]}
    assert _places(Split(), parts=OFFICIAL) == whole
    parts = _places(Split(0.3), parts=OFFICIAL)
    assert parts["test"] == [0, 1]
    assert len(parts["validation"]) == 3
    assert sorted(parts["train"] + parts["validation"]) == whole["train"]
    both = {name: index for name, index in OFFICIAL.items() if name == "test"}
    # Who gives a test part alone trains on none of it.
    assert _places(Split(), parts=both) == whole
    assert 0 not in _places(Split(0.3), parts=both)["train"]


@pytest.mark.parametrize(
    ("split", "facts", "message"),
    [
        (Split(0.2, group="whom"), {}, "a column.*'whom'.*Did you mean 'who'"),
        (Split(0.2, time="date"), {}, "a column of the data, got 'date'"),
        (Split(column="fold"), {}, "a column of the data, got 'fold'"),
        (Split(column="odd"), {}, "in the column 'odd', got 'dev'"),
        (Split(column="numbers"), {}, "in the column 'numbers', got '0'"),
        (Split(group="whom"), {}, "a column.*'whom'.*Did you mean 'who'"),
        (Split(test=0.2), {"parts": OFFICIAL}, r"no share for test.*Leave split\.test"),
    ],
    ids=str,
)
def test_split_that_the_rows_cannot_give_is_refused(
    split: Split, facts: dict[str, Any], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        _places(split, **facts)


def test_split_takes_one_column_and_no_shares_beside_parts_that_are_said() -> None:
    with pytest.raises(ArgumentError, match=r"one of column.*got time and group"):
        Split(0.2, group="who", time="when")
    with pytest.raises(ArgumentError, match=r"no shares.*'part' says.*got 0\.2"):
        Split(0.2, column="part")


@pytest.mark.slow
def test_split_of_very_many_classes_is_quick_and_draws_as_one_class_at_a_time() -> None:
    groups = np.random.default_rng(0).integers(0, 200, 500)
    rows = [np.flatnonzero(groups == name) for name in np.unique(groups)]
    rng = np.random.default_rng(7)
    orders = [rng.permutation(each) for each in rows]
    part = by_class(groups, [0.25], np.random.default_rng(7))
    for order in orders:
        count = int((part[order] == 1).sum())
        assert (part[order[:count]] == 1).all()
    assert (part == 1).sum() == 125
    million = by_class(np.arange(10**6), [0.1, 0.2], np.random.default_rng(0))
    assert np.bincount(million).tolist() == [700_000, 100_000, 200_000]


def _fold(table: Table, number: int, **options: Any) -> tuple[set[int], set[int]]:
    """Return the rows of a fold that train, and those that are held out."""
    repeat = options.pop("repeat", 1)
    fold = Fold(number, options.pop("of", 4), repeat)
    parts = split_rows(table, Split(fold=fold, **options), seed=0)
    assert parts["train"] is not None
    assert parts["test"] is not None
    return set(parts["train"].tolist()), set(parts["test"].tolist())


@pytest.mark.parametrize("stratify", [True, False])
def test_folds_hold_each_row_out_once_and_keep_the_classes_shares(
    stratify: bool,
) -> None:
    table = _table([11, 3, 28])
    pairs = [_fold(table, number, stratify=stratify) for number in (1, 2, 3, 4)]
    assert sorted(row for _, held in pairs for row in held) == [*range(42)]
    assert {len(held) for _, held in pairs} == {10, 11}
    for train, held in pairs:
        assert train == {*range(42)} - held
    # As scikit-learn's StratifiedKFold: of each class the counts differ by at most 1.
    assert table.y is not None
    counts = np.array([np.bincount(table.y[[*held]], minlength=3) for _, held in pairs])
    assert (np.ptp(counts, axis=0).max() <= 1) == stratify


def test_repeats_draw_other_folds_from_the_split_s_seed() -> None:
    table = _table([20, 20])
    first, second = (_fold(table, 1, repeat=r, seed=3) for r in (1, 2))
    assert first != second
    assert first == _fold(table, 1, repeat=1, seed=3) != _fold(table, 1, seed=4)


@pytest.mark.parametrize("validation", [0.0, 0.3])
def test_folds_of_groups_hold_whole_groups_and_are_even(validation: float) -> None:
    groups = np.random.default_rng(1).integers(0, 13, 90)
    table = Table(groups[:, None], groups % 2, (0, 1), keys={"who": groups})
    split = partial(Split, validation, group="who")
    held_out = []
    for number in (1, 2, 3, 4, 5):
        parts = split_rows(table, split(fold=Fold(number, 5)), 0)
        held = [{*groups[index].tolist()} for index in parts.values()]
        assert sum(map(len, held)) == len(set.union(*held)) == 13
        assert ("validation" in parts) == bool(validation)
        held_out.append(parts["test"])
    sizes = [len(index) for index in held_out if index is not None]
    assert sum(sizes) == 90
    assert max(sizes) - min(sizes) <= np.bincount(groups).max()


@pytest.mark.parity
@pytest.mark.parametrize("rows", [12, 23])
def test_folds_by_time_are_those_of_scikit_learn(rows: int) -> None:
    selection = pytest.importorskip("sklearn.model_selection")
    when = np.random.default_rng(0).permutation(rows)
    table = Table(when[:, None], when % 2, (0, 1), keys={"when": when})
    order = np.argsort(when)
    pairs = selection.TimeSeriesSplit(4).split(order)
    for number, (train, test) in enumerate(pairs, start=1):
        wanted = {*order[train].tolist()}, {*order[test].tolist()}
        assert _fold(table, number, time="when") == wanted
    given = _fold(Table(when[:, None], when % 2, (0, 1)), 1, order="given")
    assert max(given[0]) < min(given[1])


def test_validation_by_time_is_the_end_of_what_the_fold_trains_on() -> None:
    parts = _places(Split(0.25, time="when", fold=Fold(2, 2)))
    when = {name: sorted(KEYS["when"][index]) for name, index in parts.items()}
    assert [len(when[name]) for name in PARTS] == [6, 2, 4]
    assert when["train"][-1] < when["validation"][0] <= when["validation"][-1]
    assert when["validation"][-1] < when["test"][0]


def test_fold_is_one_of_the_official_training_part() -> None:
    official = {"train": np.arange(2, 10), "validation": np.array([10, 11])}
    parts = _places(Split(fold=Fold(1, 4)), parts=OFFICIAL | official)
    assert len(parts["test"]) == 2
    assert sorted(parts["train"] + parts["test"]) == [*range(2, 10)]
    assert parts["validation"] == [10, 11]
    by_column = _places(Split(column="part", fold=Fold(1, 3)))
    assert by_column["validation"] == [1, 5, 9]
    assert sorted(by_column["train"] + by_column["test"]) == [0, 3, 4, 7, 8, 11]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Fold(6, 5), "number from 1 to 5, got 6"),
        (lambda: Split(test=0.2, fold=Fold(1, 5)), r"no share of test.*got 0\.2"),
        (lambda: Split(time="when", fold=Fold(1, 2, 2)), "first repeat.*got 2"),
        (lambda: _places(Split(fold=Fold(1, 13))), "at least 13 rows for 13 folds"),
        (
            lambda: _places(Split(group="who", fold=Fold(1, 7))),
            "at least 7 groups of 'who' for 7 folds, got 6",
        ),
        (
            lambda: _places(Split(time="when", fold=Fold(1, 12))),
            "at least 13 rows for 12 folds, got 12",
        ),
    ],
)
def test_fold_that_cannot_be_is_refused(make: Any, message: str) -> None:
    with pytest.raises(NncliError, match=message):
        make()
