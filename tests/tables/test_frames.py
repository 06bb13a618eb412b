"""Rows from Python: by name, of the kinds a model knows, whatever library has them."""

from __future__ import annotations

import datetime
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from nncli.core.errors import DataError, MissingExtra
from nncli.tables.frames import raw_of
from nncli.tables.raw import RawColumn

DAY = 18262 * 86400
ROWS: dict[str, list[Any]] = {
    "a": [1, 2, None],
    "b": ["x", " y", "NA"],
    "c": [True, False, True],
    "d": [datetime.datetime(2020, 1, 1), None, datetime.datetime(2020, 1, 2, 3)],
    "e": ["1", "2.5", None],
}
VALUES = [
    [1, 0, 1, DAY, 0],
    [2, 1, 0, np.nan, 1],
    [np.nan, np.nan, 1, DAY + 86400 + 10800, np.nan],
]
LIKE = (
    RawColumn("e", "number"),
    RawColumn("b", "category", ("y", "z")),
    RawColumn("a", "number"),
    RawColumn("d", "date"),
)


def polars_frame(rows: dict[str, list[Any]]) -> Any:
    """Return a frame of polars."""
    return pytest.importorskip("polars").DataFrame(rows)


def pandas_frame(rows: dict[str, list[Any]], **types: Any) -> Any:
    """Return a frame of pandas."""
    frame = pytest.importorskip("pandas").DataFrame(rows)
    return frame.astype({name: kind for name, kind in types.items() if name in rows})


MAKERS: dict[str, Callable[..., Any]] = {
    "dict": dict,
    "polars": polars_frame,
    "polars categorical": lambda rows: polars_frame(rows).with_columns(
        b=pytest.importorskip("polars")
        .Series(rows["b"])
        .cast(pytest.importorskip("polars").Categorical)
    ),
    "pandas": pandas_frame,
    "pandas nullable": lambda rows: pandas_frame(rows).convert_dtypes(),
    "pandas categorical": lambda rows: pandas_frame(rows, b="category"),
    "pandas objects": lambda rows: pandas_frame(rows, a=object, b=object, c=object),
    "pandas with a zone": lambda rows: pandas_frame(rows).assign(
        d=lambda frame: frame.d.dt.tz_localize("UTC").dt.tz_convert("Asia/Tokyo")
    ),
    "arrays": lambda rows: {
        name: np.array(column, object if None in column else None)
        for name, column in rows.items()
    },
}


@pytest.mark.parametrize("maker", MAKERS)
def test_every_library_gives_the_same_table(maker: str) -> None:
    table = raw_of(MAKERS[maker](ROWS))
    np.testing.assert_array_equal(table.values, VALUES)
    kinds = [column.kind for column in table.columns]
    assert kinds == ["number", "category", "boolean", "date", "category"]
    assert table.columns[1].words == ("x", "y")
    assert table.values.flags.c_contiguous


@pytest.mark.parametrize("maker", MAKERS)
def test_columns_go_by_name_and_kind_of_a_model(maker: str) -> None:
    order = ("d", "c", "b", "e", "a")
    table = raw_of(MAKERS[maker]({name: ROWS[name] for name in order}), LIKE)
    assert table.names == ("e", "b", "a", "d")
    assert table.columns[1].words == ("y", "z", "x")
    np.testing.assert_array_equal(
        table.values,
        [
            [1, 2, 1, DAY],
            [2.5, 0, 2, np.nan],
            [np.nan, np.nan, np.nan, DAY + 86400 + 10800],
        ],
    )


def test_array_goes_by_position() -> None:
    matrix = np.array([[1, np.nan], [3, 4]], np.float32)
    table = raw_of(matrix)
    assert table.names == ("0", "1")
    np.testing.assert_array_equal(table.values, matrix)
    assert raw_of(matrix, (LIKE[2], LIKE[0])).names == ("a", "e")
    mixed = raw_of(np.array([[1, "x"], [None, "y"]], object))
    np.testing.assert_array_equal(mixed.values, [[1, 0], [np.nan, 1]])


def test_numbers_as_words_are_written_as_in_a_file() -> None:
    like = (RawColumn("a", "category", ("2", "10")),)
    for column in ([10, 2, 3], [10.0, 2.0, 3.0], ["10", "2", "3"], [10, 2.0, "3"]):
        table = raw_of({"a": column}, like)
        assert table.columns[0].words == ("2", "10", "3")
        assert table.values[:, 0].tolist() == [1, 0, 2]


def test_booleans_and_numbers_stand_for_each_other() -> None:
    like = (RawColumn("a", "boolean"), RawColumn("b", "number"))
    table = raw_of({"a": [1, 0.0, None], "b": [True, False, True]}, like)
    np.testing.assert_array_equal(table.values, [[1, 1], [0, 0], [np.nan, 1]])


def test_kinds_and_formats_may_be_said() -> None:
    pytest.importorskip("polars")
    rows = {"a": [1, 2], "b": ["31.01.2020", None], "c": [0, 0]}
    table = raw_of(
        rows, kinds={"a": "category", "c": "skip"}, formats={"b": "%d.%m.%Y"}
    )
    assert [column.kind for column in table.columns] == ["category", "date"]
    assert table.values[0].tolist() == [0, DAY + 30 * 86400]


@pytest.mark.parametrize(
    ("rows", "like", "expected"),
    [
        ({"aa": [1], "b": ["x"]}, LIKE, r"expected a column 'e' \(and 2 more\)"),
        ({"age": [1]}, [RawColumn("agee", "number")], "Did you mean 'age'"),
        ({"a": [1, "x", "y"]}, [LIKE[2]], r"rows: row 1: column 'a': .* 'x' \(2 such"),
        (
            {"a": [1, 2]},
            [RawColumn("a", "boolean")],
            "true or false, got '2'",
        ),
        ({"a": [1.5]}, [RawColumn("a", "date")], "row 0: .* expected a date .* '1.5'"),
        ({"a": [datetime.date(2020, 1, 1)]}, [LIKE[2]], "a number, got '2020-01-01'"),
        ({"a": [1, np.inf]}, None, "row 1: column 'a': expected a number, got inf"),
        ({"a": [1, [2]]}, None, "row 1: column 'a': .* got list"),
        ({"a": [1, 10**400]}, None, "row 1: column 'a': expected a number, got inf"),
        ({"a": np.zeros((2, 2))}, None, r"column 'a': .* got shape \(2, 2\)"),
        ({"a": [1, 2], "b": [1]}, None, "columns of one length"),
        ({}, None, "expected columns, got none"),
        (np.zeros(3), None, r"expected a matrix \(N, F\)"),
        (
            np.zeros((2, 3)),
            LIKE,
            "expected 4 columns, got 3. An array goes by position",
        ),
    ],
)
def test_rows_that_do_not_fit_are_told_with_row_and_column(
    rows: Any, like: Any, expected: str
) -> None:
    with pytest.raises(DataError, match=expected):
        raw_of(rows, like)


def test_names_that_are_double_are_refused() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame([[1, 2]], columns=["a", "a"])
    with pytest.raises(DataError, match="expected each column once, got 'a' twice"):
        raw_of(frame)


def test_numbers_need_no_polars(monkeypatch: pytest.MonkeyPatch) -> None:
    pandas = pytest.importorskip("pandas")
    monkeypatch.setitem(sys.modules, "polars", None)
    rows = {"a": [1, 2], "b": [0.5, None], "c": [True, False]}
    assert raw_of(pandas.DataFrame(rows)).values.shape == (2, 3)
    assert raw_of(np.zeros((4, 2))).values.shape == (4, 2)
    with pytest.raises(MissingExtra, match=r"nncli\[tables\]"):
        raw_of({"a": ["x"]})
