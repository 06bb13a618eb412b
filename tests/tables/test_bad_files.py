"""Files that are no tables: each ends in one message that says where and what."""

from __future__ import annotations

import gzip
import io
import os
import zipfile
from pathlib import Path
from typing import Any

import pytest

from nncli.core.errors import ArgumentError, DataError
from nncli.tables.read import read_table
from nncli.tables.reading import Reading

pl = pytest.importorskip("polars")


def zipped() -> bytes:
    """Return a ZIP archive, as Excel's workbooks are."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("xl/workbook.xml", "<x/>")
    return data.getvalue()


def parquet(columns: dict[str, Any]) -> bytes:
    """Return a Parquet file."""
    data = io.BytesIO()
    pl.DataFrame(columns).write_parquet(data)
    return data.getvalue()


def arrow(columns: dict[str, Any]) -> bytes:
    """Return an Arrow file."""
    data = io.BytesIO()
    pl.DataFrame(columns).write_ipc(data)
    return data.getvalue()


ROWS = "".join(f"{i % 7},{i % 5}\n" for i in range(1000))
TABLE = f"a,b\n{ROWS}".encode()
NUMBER = {"kinds": {"b": "number"}}

BAD: dict[str, tuple[str, bytes | str, dict[str, Any], str]] = {
    "empty": ("x.csv", "", {}, "x.csv: expected rows, got an empty file"),
    "only empty lines": ("x.csv", "\n\n\r\n", {}, "expected rows, got an empty file"),
    "only a mark": ("x.csv", b"\xef\xbb\xbf", {}, "expected rows, got an empty file"),
    "empty gzip": ("x.csv.gz", gzip.compress(b""), {}, "got an empty file"),
    "header only": ("x.csv", "a,b\n", {}, "expected rows below the names, got none"),
    "short row": ("x.csv", "a,b\n1,2\n3\n", {}, "x.csv:3: .* got 1: column 'b'"),
    "long row": ("x.csv", "a,b\n1,2\n3,4,5\n", {}, "x.csv:3: .* got 3: the cell '5'"),
    "short row after an empty line": ("x.csv", "a,b\n1,2\n\n3\n", {}, "x.csv:4: "),
    "short row after a long cell": (
        *("x.csv", 'a,b\n"1\n2",2\n3\n', {}),
        "x.csv:4: expected 2 cells",
    ),
    "as many short as long rows": ("x.csv", "a,b\n1\n3,4,5\n", {}, "x.csv:2: "),
    "short first row": ("x.csv", "a\n1,2\n", {"reading": Reading(",")}, "x.csv:2: "),
    "wrong delimiter": (
        *("x.csv", "a;b\n1;2\n", {"reading": Reading(delimiter="\t")}),
        "x.csv:1: .* holds a semicolon. Say delimiter: ';'",
    ),
    "bytes that are no UTF-8": (
        *("x.csv", "a,b\né,1\n".encode() + b"\xe9,2\n", {}),
        "x.csv:3: expected text in UTF-8, got the byte 0xe9.*encoding: latin-1",
    ),
    "bytes of no encoding": ("x.csv", b"a,b\n\x81\xe9,2\n", {}, "x.csv:2: .* 0x81"),
    "bytes that are no ASCII": (
        *("x.csv", "a,b\né,1\n", {"reading": Reading(encoding="ascii")}),
        "x.csv:2: expected text in ascii",
    ),
    "UTF-16 that is cut": ("x.csv", b"\xff\xfea\0,\0b", {}, "expected text in utf-16"),
    "UTF-16 without a mark": (
        *("x.csv", "a,b\n1,2\n".encode("utf-16-le"), {}),
        "x.csv:1: expected text, got a NUL byte. Say encoding: utf-16",
    ),
    "NUL byte": ("x.csv", "a,b\n1,\0\n", {}, "x.csv:2: expected text, got a NUL byte"),
    "double name": ("x.csv", "a,b,a\n1,2,3\n", {}, "x.csv:1: .* got 'a' twice"),
    "empty name": ("x.csv", "a,,c\n1,2,3\n", {}, "x.csv:1: .* none for column 2 of 3"),
    "infinity": ("x.csv", "a,b\n1,2\n1,inf\n", {}, "x.csv:3: column 'b': .* got inf"),
    "number too large": ("x.csv", "a,b\n1,2\n1,1e999\n", {}, "x.csv:3: column 'b'"),
    "thousands separators": (
        *("x.csv", 'a,b\n1,2\n1,"1,234"\n', {}),
        "x.csv:3: column 'b': .* got '1,234'.*thousands",
    ),
    "decimal commas": (
        *("x.csv", "a;b\n1;2,500\n1;3,250\n", {}),
        "x.csv:2: column 'b': .*'2,500'.*decimal: \",\"",
    ),
    "decimal points": (
        *("x.csv", "a;b\n1;2.5\n1;3.25\n", {"reading": Reading(decimal=",")}),
        "x.csv:2: column 'b': .*'2.5'.*decimal: \".\"",
    ),
    "text among numbers": (
        *("x.csv", 'a,b\n"1\n",2\n1,x\n1,2\n1,y\n', NUMBER),
        r"x.csv:4: column 'b': expected a number, got 'x' \(2 such cells\)",
    ),
    "text among booleans": (
        *("x.csv", "a,b\n1,yes\n1,3\n", {"kinds": {"b": "boolean"}}),
        "x.csv:3: column 'b': expected true or false, got '3'",
    ),
    "text among dates": (
        *("x.csv", "a,b\n1,2020-01-31\n1,2020-02-31\n", {"kinds": {"b": "date"}}),
        "x.csv:3: column 'b': expected a date .* got '2020-02-31'",
    ),
    "date of another format": (
        *("x.csv", "a,b\n1,31.01.2020\n1,2020\n", {"formats": {"b": "%d.%m.%Y"}}),
        "x.csv:3: column 'b': expected a date as %d.%m.%Y, got '2020'",
    ),
    "column that is not there": (
        *("x.csv", "age,b\n1,2\n", {"kinds": {"agee": "number"}}),
        "x.csv: expected a column 'agee'. Did you mean 'age'",
    ),
    "huge cell": ("x.csv", f"a,b\n1,2\n{'x' * 1_100_000},2\n", {}, "x.csv:3: .* cells"),
    "huge quoted cell": (
        *("x.csv", 'a,b\n1,2\n"' + "x,\n" * 400_000 + '",2\n', {}),
        "x.csv:3: expected cells of at most",
    ),
    "huge name": ("x.csv", "x" * 2_000_000 + ",b\n1,2\n", {}, "x.csv:1: .* cells of"),
    "unclosed quote": (
        "x.csv",
        'a,b\n1,2\n1,"2\n1,2\n',
        {},
        "x.csv:3: .* closing quote",
    ),
    "text after a quote": ("x.csv", 'a,b\n1,"2" x\n', {}, "x.csv:2: .* more text"),
    "HTML": ("x.csv", "\n<!DOCTYPE html><html>", {}, "got an HTML or XML page"),
    "Excel workbook": ("x.csv", zipped(), {}, "a ZIP archive or an Excel workbook"),
    "Parquet by another name": ("x.csv", parquet({"a": [1]}), {}, "a Parquet file"),
    "Arrow by another name": ("x.txt", arrow({"a": [1]}), {}, "an Arrow file"),
    "pickle": ("x.csv", b"\x80\x04\x95", {}, "a Python pickle, which is never read"),
    "too many columns": (
        *("x.csv", ",".join(map(str, range(100_001))) + "\n", {}),
        "x.csv:1: expected at most 100,000 columns, got 100,001",
    ),
    "gzip that is cut": (
        *("x.csv.gz", gzip.compress(TABLE)[:-20], {}),
        "expected a whole file packed by gzip, got one that is cut off",
    ),
    "gzip that is damaged": (
        *("x.csv.gz", gzip.compress(TABLE)[:40] + b"x" * 80, {}),
        "expected a whole file packed by gzip, got a damaged one",
    ),
    "no gzip": ("x.csv.gz", TABLE, {}, "packed by gzip, got something else"),
    "empty Parquet": ("x.parquet", "", {}, "x.parquet: .* got an empty file"),
    "no Parquet": (
        "x.parquet",
        TABLE,
        {},
        "expected a Parquet file, got something else",
    ),
    "Parquet that is cut": (
        *("x.parquet", parquet({"a": list(range(999))})[:-40], {}),
        "x.parquet: expected a Parquet file, got a damaged one",
    ),
    "Parquet that is damaged": (
        *("x.parquet", parquet({"a": [1]})[:-9] + b"\xff" * 5 + b"PAR1", {}),
        "x.parquet: expected a Parquet file, got a damaged one",
    ),
    "Parquet of lists": (
        *("x.parquet", parquet({"a": [[1]], "b": [2]}), {}),
        "x.parquet: column 'a': .* got List",
    ),
    "Parquet of structs": (
        *("x.parquet", parquet({"a": [{"c": 1}], "b": [2]}), {}),
        "x.parquet: column 'a': .* got Struct",
    ),
    "Parquet of bytes": ("x.parquet", parquet({"a": [b"1"]}), {}, "got Binary"),
    "Parquet without rows": ("x.parquet", parquet({"a": []}), {}, "expected rows"),
    "Parquet with infinity": (
        *("x.parquet", parquet({"a": [1.0, float("inf")]}), {}),
        "x.parquet: row 2: column 'a': expected a number, got inf",
    ),
    "Arrow that is cut": (
        *("x.arrow", arrow({"a": list(range(999))})[:-40], {}),
        "x.arrow: expected an Arrow file, got a damaged one",
    ),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_file_ends_in_one_message(kind: str, tmp_path: Path) -> None:
    name, data, options, expected = BAD[kind]
    path = tmp_path / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    given = {"reading": Reading(), **options}
    with pytest.raises(DataError, match=expected) as caught:
        read_table([path], **given)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(str(path))


def test_gzip_bomb_is_refused_before_it_fills_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nncli.tables.stream.UNPACKED", 1 << 20)
    path = tmp_path / "x.csv.gz"
    path.write_bytes(gzip.compress(b"a,b\n" + b"1,2\n" * 2_000_000))
    with pytest.raises(DataError, match="at most 250 times smaller"):
        read_table([path], Reading())


def test_row_without_an_end_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nncli.tables.text.LONGEST", 1 << 20)
    monkeypatch.setattr("nncli.tables.text.BLOCK", 1 << 18)
    monkeypatch.setattr("nncli.tables.text.ROWS", 1)
    path = tmp_path / "x.csv"
    path.write_bytes(b"a,b\n" + b"1," * 3_000_000)
    with pytest.raises(DataError, match=r"x.csv:2: expected cells of at most"):
        read_table([path], Reading())


def test_directory_pipe_and_device_are_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    for path in (tmp_path, tmp_path / "pipe.csv", Path("/dev/zero"), tmp_path / "no"):
        with pytest.raises(DataError, match="expected a file, got"):
            read_table([path], Reading())


@pytest.mark.parametrize(
    "options",
    [
        {"delimiter": ",,"},
        {"delimiter": '"'},
        {"delimiter": ""},
        {"delimiter": "→"},
        {"decimal": "x"},
        {"delimiter": ",", "decimal": ","},
        {"encoding": "utf-9"},
        {"encoding": "base64"},
    ],
)
def test_reading_refuses_what_cannot_be_read(options: dict[str, str]) -> None:
    with pytest.raises(ArgumentError, match="expected"):
        Reading(**options)  # type: ignore[arg-type]


def test_file_of_other_columns_is_no_part_of_the_table(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a,b\n1,x\n")
    for text, expected in (
        ("a,c\n1,2\n", "b.csv: expected a column 'b', as the first file has"),
        ("a,b,c\n1,2,3\n", "b.csv: expected the columns of the first file, got 'c'"),
    ):
        (tmp_path / "b.csv").write_text(text)
        with pytest.raises(DataError, match=expected):
            read_table([tmp_path / "a.csv", tmp_path / "b.csv"], Reading())
