from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from nncli.core.arrays import Array
from nncli.core.errors import ArgumentError, DataError
from nncli.tables.encoder import PERIODS, Category, Date, Encoder, Number
from nncli.tables.fit import fit
from nncli.tables.raw import RawColumn, RawTable
from nncli.tables.settings import Column

RNG = np.random.default_rng(0)
NUMBER = RawColumn("a", "number")


def learned(
    values: Array,
    columns: list[RawColumn],
    settings: Mapping[str, Column] | None = None,
    scaling: Any = "standard",
    size: int = 7,
) -> Encoder:
    blocks = (values[i : i + size] for i in range(0, len(values), size))
    return fit(columns, settings or {}, scaling, blocks, values)


def inputs(encoder: Encoder, values: Array, columns: list[RawColumn]) -> Array:
    out = np.full((len(values), len(encoder.features)), 77.0)
    encoder.of(RawTable("rows", tuple(columns), values)).apply(values, out)
    return out


def encode(values: Array, column: RawColumn, **settings: Any) -> Array:
    told = {column.name: Column(**settings)}
    return inputs(learned(values, [column], told), values, [column])


@pytest.mark.parity
@pytest.mark.parametrize(
    ("scaling", "oracle"),
    [
        ("standard", "StandardScaler()"),
        ("min_max", "MinMaxScaler()"),
        ("robust", "RobustScaler()"),
        ("quantile", "QuantileTransformer(n_quantiles=50)"),
    ],
)
def test_scalings_are_those_of_scikit_learn(scaling: Any, oracle: str) -> None:
    preprocessing = pytest.importorskip("sklearn.preprocessing")
    values = RNG.lognormal(3, 2, (50, 1))
    scaler = eval(oracle, vars(preprocessing))
    wanted = scaler.fit_transform(values)
    np.testing.assert_allclose(
        encode(values, NUMBER, scaling=scaling), wanted, rtol=1e-12, atol=1e-12
    )


def test_log_scaling_is_the_standardized_logarithm_with_the_sign() -> None:
    values = RNG.normal(0, 100, (30, 1))
    logs = np.sign(values) * np.log1p(np.abs(values))
    wanted = (logs - logs.mean()) / logs.std()
    np.testing.assert_allclose(encode(values, NUMBER, scaling="log"), wanted)


def test_scaling_none_hands_numbers_on_to_the_bit() -> None:
    values = RNG.normal(5, 3, (9, 1))
    assert (encode(values, NUMBER, scaling="none") == values).all()


def test_a_far_column_and_a_constant_one_keep_their_digits() -> None:
    values = np.stack([1e9 + np.arange(20) % 3, np.full(20, 0.1)], axis=1)
    columns = [NUMBER, RawColumn("b", "number")]
    found = inputs(learned(values, columns), values, columns)
    near = np.arange(20) % 3
    wanted = (near - near.mean()) / near.std()
    np.testing.assert_allclose(found[:, 0], wanted, atol=1e-6)
    assert (found[:, 1] == 0).all()


@pytest.mark.parametrize(
    ("missing", "filled"), [("median", 3.0), ("mean", 5.0), (-1, -1.0)]
)
def test_missing_numbers_are_filled_and_indicated(missing: Any, filled: float) -> None:
    values = np.array([[1.0], [np.nan], [3.0], [11.0]])
    found = encode(values, NUMBER, scaling="none", missing=missing)
    assert found.tolist() == [[1, 0], [filled, 1], [3, 0], [11, 0]]


def test_an_indicator_is_there_where_training_rows_miss_some_or_it_is_asked_for() -> (
    None
):
    values = np.array([[1.0], [2.0]])
    assert encode(values, NUMBER).shape == (2, 1)
    assert encode(values, NUMBER, indicator=True)[:, 1].tolist() == [0, 0]
    values[0] = np.nan
    assert encode(values, NUMBER, indicator=False).shape == (2, 1)


def test_a_column_of_missing_cells_only_becomes_zeros() -> None:
    values = np.full((3, 1), np.nan)
    assert encode(values, NUMBER).tolist() == [[0, 1]] * 3


def test_categories_have_an_input_each_in_alphabetical_order() -> None:
    column = RawColumn("c", "category", ("red", "blue", "green"))
    values = np.array([[0.0], [1.0], [0.0], [1.0]])
    encoder = learned(values, [column])
    assert encoder.features == ("c=blue", "c=red")
    assert inputs(encoder, values, [column]).tolist() == [[0, 1], [1, 0]] * 2
    # Never seen in training: green here, violet and a missing cell elsewhere.
    other = RawColumn("c", "category", ("violet", "green", "red"))
    rows = np.array([[0.0], [1.0], [np.nan], [2.0]])
    assert inputs(encoder, rows, [other]).tolist() == [[0, 0]] * 3 + [[0, 1]]


def test_rare_unseen_and_missing_categories_have_their_own_inputs() -> None:
    column = RawColumn("c", "category", ("a", "b", "c"))
    values = np.array([[0.0], [0.0], [1.0], [np.nan], [0.0]])
    encoder = learned(values, [column], {"c": Column()})
    assert encoder.features == ("c=a", "c=(other)", "c=(missing)")
    rows = np.array([[0.0], [1.0], [2.0], [np.nan]])
    assert inputs(encoder, rows, [column]).tolist() == [
        [1, 0, 0],
        [0, 1, 0],
        [0, 1, 0],
        [0, 0, 1],
    ]


def test_many_categories_become_codes_that_come_last() -> None:
    words = tuple(f"w{i}" for i in range(5))
    columns = [RawColumn("c", "category", words), NUMBER]
    values = np.array([[i % 5, i] for i in range(20)], float)
    encoder = learned(values, columns, {"c": Column(one_hot=4)})
    assert encoder.features == ("a", "c")
    # Five words, one row for rare and unseen ones, one for missing ones.
    assert encoder.embedded == ((7, 5),)
    rows = np.array([[3.0, 0.0], [np.nan, 0.0]])
    assert inputs(encoder, rows, columns)[:, 1].tolist() == [5, 1]
    strange = [RawColumn("c", "category", ("new", "w0")), NUMBER]
    rows = np.array([[0.0, 0.0], [1.0, 0.0]])
    assert inputs(encoder, rows, strange)[:, 1].tolist() == [0, 2]


def test_dates_become_time_and_the_cycles_that_training_rows_go_through() -> None:
    day = PERIODS["day"]
    column = RawColumn("d", "date")
    values = (np.arange(400)[:, None] * day).astype(float)
    encoder = learned(values, [column])
    (date,) = encoder.columns
    assert isinstance(date, Date)
    assert date.cycles == ("year", "week")
    found = inputs(encoder, values, [column])
    np.testing.assert_allclose(found[:, 0].std(), 1)
    np.testing.assert_allclose(found[7, 3:5], found[0, 3:5], atol=1e-9)
    angle = 2 * np.pi * values[100, 0] / PERIODS["year"]
    np.testing.assert_allclose(found[100, 1:3], [np.sin(angle), np.cos(angle)])
    hours = learned(np.arange(9.0)[:, None] * 3600, [column])
    assert hours.columns[0].cycles == ("day",)  # type: ignore[union-attr]


def test_what_is_learned_does_not_depend_on_the_blocks() -> None:
    values = RNG.normal(size=(40, 2))
    values[RNG.random(values.shape) < 0.2] = np.nan
    columns = [NUMBER, RawColumn("b", "number")]
    one, other = (learned(values, columns, size=size) for size in (40, 3))
    for a, b in zip(one.columns, other.columns, strict=True):
        assert isinstance(a, Number)
        assert isinstance(b, Number)
        assert (a.fill, a.indicator) == (b.fill, b.indicator)
        np.testing.assert_allclose([a.center, a.scale], [b.center, b.scale])


def test_columns_are_found_by_name() -> None:
    columns = [NUMBER, RawColumn("c", "category", ("x", "y"))]
    values = np.array([[1.0, 0], [2.0, 1], [4.0, 0], [5.0, 1]])
    encoder = learned(values, columns)
    turned = [columns[1], RawColumn("more", "number"), columns[0]]
    rows = np.stack([values[:, 1], np.zeros(4), values[:, 0]], axis=1)
    wanted = inputs(encoder, values, columns)
    assert (inputs(encoder, rows, turned) == wanted).all()
    assert [column.name for column in encoder.wanted] == ["a", "c"]


def test_what_means_nothing_for_a_type_of_column_is_refused() -> None:
    with pytest.raises(ArgumentError, match="no scaling for a column of type category"):
        Column(type="category", scaling="log")
    column = RawColumn("c", "category", ("x",))
    with pytest.raises(DataError, match="column 'c': expected no missing"):
        learned(np.zeros((2, 1)), [column], {"c": Column(missing="mean")})


def test_a_category_of_no_words_becomes_nothing() -> None:
    column = RawColumn("c", "category", ())
    encoder = learned(np.full((2, 1), np.nan), [column], {"c": Column()})
    assert encoder.columns == (Category("c", "category", (), missing=True),)
