"""Tables as they come out of files: kinds, words, what is left out, facts."""

from __future__ import annotations

import csv
import gzip
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nncli.core.errors import DataError
from nncli.tables.raw import RawTable
from nncli.tables.read import read_table
from nncli.tables.reading import Reading

pl = pytest.importorskip("polars")

MIXED = '''\
n,c,b,d,e
 1 ,x,yes,2020-01-01,
-2.5e1,"y, ""z""", NO ,2020-01-02 10:00,NA
,NA,T,2020-01-02T10:00:30.5+02:00,null
.5,x,,,n/a
'''


@pytest.fixture
def read(tmp_path: Path) -> Any:
    """Return what reads a text as a table."""

    def read(text: str | bytes, name: str = "x.csv", **options: Any) -> RawTable:
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_table([path], options.pop("reading", Reading()), **options)

    return read


def cells(table: RawTable) -> list[list[Any]]:
    """Return a table's cells: words for codes, None for what is missing."""
    return [
        [
            None if np.isnan(v) else c.words[int(v)] if c.kind == "category" else v
            for c, v in zip(table.columns, row, strict=True)
        ]
        for row in table.values
    ]


def test_kinds_and_values_are_those_of_the_cells(read: Any) -> None:
    table = read(MIXED)
    day = 18262 * 86400
    assert cells(table) == [
        [1, "x", 1, day],
        [-25, 'y, "z"', 0, day + 86400 + 36000],
        [None, None, 1, day + 86400 + 8 * 3600 + 30.5],
        [0.5, "x", None, None],
    ]
    kinds = {column.name: column.kind for column in table.columns}
    assert kinds == {"n": "number", "c": "category", "b": "boolean", "d": "date"}
    assert table.left_out == {"e": "holds nothing"}
    assert table.facts["delimiter"] == ","
    assert table.facts["encoding"] == "utf-8"
    assert table.facts["rows_of"] == [4]


@pytest.mark.parametrize(
    ("name", "data", "encoding"),
    [
        ("x.csv", b"\xef\xbb\xbf" + MIXED.encode(), "utf-8"),
        ("x.csv", MIXED.replace("x", "é").encode("utf-16"), "utf-16"),
        ("x.csv", MIXED.replace("x", "é").encode("utf-8"), "utf-8"),
        ("x.csv", MIXED.replace("x", "é").encode("cp1252"), "cp1252"),
        ("x.csv", MIXED.replace("\n", "\r\n").encode(), "utf-8"),
        ("x.csv", MIXED.replace("\n", "\r").encode(), "utf-8"),
        ("x.csv", MIXED.replace("\n", "\n\n").encode() + b"\r\n\n", "utf-8"),
        ("x.csv", MIXED.rstrip().encode(), "utf-8"),
        ("x.csv.gz", gzip.compress(MIXED.encode()), "utf-8"),
        (
            "x",
            gzip.compress(MIXED[:30].encode()) + gzip.compress(MIXED[30:].encode()),
            0,
        ),
    ],
)
def test_same_table_comes_of_every_encoding_and_line_end(
    read: Any, name: str, data: bytes, encoding: str
) -> None:
    table = read(data, name)
    found, wanted = cells(table), cells(read(MIXED))
    assert found[1:3] == wanted[1:3]
    assert found[3][1] in ("x", "é")
    assert not encoding or table.facts["encoding"] == encoding


@pytest.mark.parametrize("delimiter", ["\t", ";", "|", ","])
def test_delimiter_is_inferred(read: Any, delimiter: str) -> None:
    rows = [["a", "b c", "d"], ["1", "x y", "2.5"], ["3", "z: w", "4.5"]]
    text = "\n".join(delimiter.join(row) for row in rows)
    table = read(text)
    assert table.names == ("a", "b c", "d")
    assert table.facts["delimiter"] == delimiter


def test_decimal_comma_is_read_where_it_is_said(read: Any) -> None:
    text = "a;b\n1,5;x\n-2;y\n"
    assert read(text, reading=Reading(decimal=",")).values[:, 0].tolist() == [1.5, -2]


def test_decimal_comma_is_inferred_where_it_cannot_be_thousands(read: Any) -> None:
    table = read("a;b\n1;2,5\n2;1,250\n")
    assert table.values[:, 1].tolist() == [2.5, 1.25]
    assert table.facts["decimal"] == ","
    # A point somewhere leaves a doubt, and a comma between cells is no decimal one.
    assert read('a,b\n1,"2,5"\n2,x\n').facts["decimal"] == "."
    mixed = read("a;b\n1.5;2,5\n2;x\n", kinds={"b": "category"})
    assert mixed.facts["decimal"] == "."


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("5.1,3.5,setosa\n4.9,3.0,setosa\n6.0,2.2,other\n", ("0", "1", "2")),
        ("1,2\n3,4\n", ("0", "1")),
        ("x\ny\nx\n", ("x",)),
        ("country,1999,2000\nA,1,2\nB,3,5\n", ("country", "1999", "2000")),
        ("0,1,2\n5,6,7\n8,9,1\n", ("0", "1", "2")),
        (",a,b\n0,1,2\n1,5,6\n", ("index", "a", "b")),
    ],
)
def test_header_is_told_from_values(
    read: Any, text: str, names: tuple[str, ...]
) -> None:
    assert read(text, kinds=dict.fromkeys(names, "category")).names == names


def test_header_may_be_said(read: Any) -> None:
    table = read("x\ny\nx\n", reading=Reading(header=False))
    assert table.names == ("0",)
    assert len(table.values) == 3


def test_question_marks_stand_for_missing_cells(read: Any) -> None:
    table = read("a,b\n1,?\n?,x\n4,y\n")
    assert np.isnan(table.values[:, 0]).tolist() == [False, True, False]
    assert table.columns[1].words == ("x", "y")


def test_missing_values_may_be_said(read: Any) -> None:
    reading = Reading(missing_values=("?", " -9 "))
    table = read("a,b\n1,NA\n?,x\n-9,NA\n4,\n", reading=reading)
    assert cells(table) == [[1, "NA"], [None, "x"], [None, "NA"], [4, None]]
    table = read("a,b\n1,2\n-9,3\n", reading=reading)
    assert cells(table) == [[1, 2], [None, 3]]


@pytest.mark.parametrize(
    ("column", "reason"),
    [
        ([f"Name {i}" for i in range(30)], "nearly every row has a text of its own"),
        ([str(i + 100) for i in range(30)], "numbers the rows"),
        ([str(130 - i) for i in range(30)], "numbers the rows"),
        (["same"] * 30, "holds the same value in every row"),
        (["5"] * 30, "holds the same value in every row"),
        (["NA", ""] * 15, "holds nothing"),
        ([f"{'a long text ' * 5}{i % 22}" for i in range(30)], "free text"),
    ],
)
def test_column_that_tells_nothing_is_left_out_unless_it_is_kept(
    read: Any, column: list[str], reason: str
) -> None:
    text = "a,b\n" + "".join(f"{each},{i % 7}\n" for i, each in enumerate(column))
    table = read(text)
    assert table.names == ("b",)
    assert table.left_out["a"].startswith(reason)
    assert read(text, keep=["a"]).names == ("a", "b")
    kind = "number" if column[0].isdigit() or not column[1] else "category"
    assert read(text, kinds={"a": kind}).names == ("a", "b")


@pytest.mark.parametrize(
    ("name", "left_out"),
    [("user_id", True), ("ID", True), ("userId", True), ("bid", 0)],
)
def test_different_integers_are_left_out_where_their_name_says_id(
    read: Any, name: str, left_out: bool
) -> None:
    text = f"{name},b\n" + "".join(f"{i * i * 7},{i % 7}\n" for i in range(30))
    assert (name in read(text).left_out) == bool(left_out)


def test_skipped_column_is_not_read(read: Any) -> None:
    table = read("a,b\ninf,1\n1,2\n", kinds={"a": "skip"})
    assert (table.names, *table.left_out) == (("b",), "a")


def test_numbers_with_one_text_are_a_category_with_a_note(read: Any) -> None:
    table = read("a,b\n" + "1,2\n2,3\n" * 9 + "x,2\n")
    assert table.columns[0].words == ("1", "2", "x")
    assert "x.csv:20: 'x' is not a number" in table.facts["notes"]["a"]


def test_later_rows_that_contradict_make_a_category(
    read: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "a,b,c,d\n" + "1,yes,2020-01-01,\n" * 50 + "2,no,2020-02-01,5\n" * 50
    text += "x,maybe,soon,6\n" * 50
    whole = read(text)
    monkeypatch.setattr("nncli.tables.text.BLOCK", 100)
    monkeypatch.setattr("nncli.tables.text.ROWS", 1)
    monkeypatch.setattr("nncli.tables.stream.PIECE", 64)
    parts = read(text)
    assert [column.kind for column in parts.columns] == [*["category"] * 3, "number"]
    assert parts.columns == whole.columns
    np.testing.assert_array_equal(parts.values, whole.values)
    assert parts.sha256 == whole.sha256
    assert "x.csv:102: 'x' is not a number" in parts.facts["notes"]["a"]


def test_beginning_that_holds_nothing_decides_nothing(
    read: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nncli.tables.text.BLOCK", 100)
    monkeypatch.setattr("nncli.tables.text.ROWS", 1)
    monkeypatch.setattr("nncli.tables.stream.PIECE", 64)
    table = read("a,b,c,d\n" + "nan,nan,,NA\n" * 50 + "yes,2020-01-01,x,1\n" * 50)
    kinds = [column.kind for column in table.columns]
    assert kinds == ["boolean", "date", "category", "number"]


def test_line_of_a_fault_is_the_files_in_any_block(
    read: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nncli.tables.text.BLOCK", 100)
    monkeypatch.setattr("nncli.tables.text.ROWS", 1)
    monkeypatch.setattr("nncli.tables.stream.PIECE", 64)
    text = "a,b\n" + '"1\n",2\n' * 100 + "\n\n1,x\n" + "1,y\n" * 100
    with pytest.raises(DataError, match=r"x.csv:204: .* got 'x' \(101 such cells\)"):
        read(text, kinds={"b": "number"})


def test_plain_files_are_read_by_polars(
    read: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nncli.tables.text._slow", None)
    assert len(read(MIXED).values) == 4


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            ["a", "1,", "2.5,", ",", "x\n", '"b",', '"b""c"\n', "\n", "\r\n", "1,2\n"]
            + ["1,2\n"] * 3
            + ['"x,\ny"', ' "b"', '5" x,']
        ),
        max_size=12,
    ),
    st.sampled_from([4, 1 << 22]),
)
def test_rows_are_those_of_pythons_reader(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[str], block: int
) -> None:
    text = "h,i\n" + "".join(pieces)
    path = tmp_path_factory.mktemp("rows") / "x.csv"
    path.write_bytes(text.encode())
    lines = io.StringIO(text, newline="\n")
    try:
        wanted = list(csv.reader(lines, strict=True, skipinitialspace=True))
        rows = [[cell.strip() or None for cell in row] for row in wanted if row][1:]
        fine = bool(rows) and all(len(row) == 2 for row in rows)
    except csv.Error:
        fine = False
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nncli.tables.text.BLOCK", block)
        patch.setattr("nncli.tables.text.ROWS", 1)
        patch.setattr("nncli.tables.stream.PIECE", block)
        kinds: Any = {"h": "category", "i": "category"}
        reading = Reading(delimiter=",", header=True)
        if fine:
            assert cells(read_table([path], reading, kinds)) == rows
        else:
            with pytest.raises(DataError):
                read_table([path], reading, kinds)


def test_files_are_read_one_below_the_other_by_name(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a,b\n1,x\n2,y\n")
    (tmp_path / "b.csv").write_text("b;a\nz;3\n")
    paths = [tmp_path / "a.csv", tmp_path / "b.csv"]
    table = read_table(paths, Reading())
    assert cells(table) == [[1, "x"], [2, "y"], [3, "z"]]
    assert table.facts["rows_of"] == [2, 1]


@pytest.mark.parametrize("form", ["parquet", "arrow"])
def test_typed_file_gives_the_table_of_the_text(
    read: Any, tmp_path: Path, form: str
) -> None:
    frame = pl.read_csv(MIXED.encode(), null_values=["NA", "null", "n/a"])
    typed = frame.with_columns(
        n=pl.col("n").cast(pl.String).str.strip_chars().cast(pl.Float64),
        b=pl.Series([True, False, True, None]),
        d=pl.Series([1577836800, 1577959200, 1577952030, None]) * 1_000_000,
    ).with_columns(d=pl.col("d").cast(pl.Datetime("us")))
    path = tmp_path / f"x[1]*.{form}"
    (typed.write_parquet if form == "parquet" else typed.write_ipc)(path)
    table, text = read_table([path], Reading()), read(MIXED)
    assert table.columns == text.columns
    np.testing.assert_allclose(table.values, text.values, rtol=0, atol=0.5)
    as_text = read_table([path], Reading(), {"n": "category", "b": "category"})
    assert as_text.columns[0].words == ("1", "-25", "0.5")
    assert as_text.columns[2].words == ("true", "false")


def test_digest_is_that_of_columns_and_values(read: Any) -> None:
    digests = [
        read(text).sha256
        for text in ("a,b\n1,x\n2,y\n", "a;b\n1.0;x\n2;y\n", "a,c\n1,x\n2,y\n")
    ]
    assert digests[0] == digests[1] != digests[2]
    assert len(digests[0]) == 64
