"""Rows for a trained model, part by part: unchanged, and as the model takes them."""

from __future__ import annotations

import gzip
import io
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nncli.core.errors import DataError
from nncli.tables.chunks import table_chunks
from nncli.tables.raw import RawColumn
from nncli.tables.read import read_table
from nncli.tables.reading import Reading

pl = pytest.importorskip("polars")

LIKE = (
    RawColumn("c", "category", ("y", "x")),
    RawColumn("n", "number"),
    RawColumn("d", "date"),
)
TEXT = "n,extra,c,d\n" + "".join(
    f'{i} ,"a, {i}", {"xyz"[i % 3]},2020-01-0{1 + i % 9}\n' for i in range(100)
)
LINES = "".join(
    f'{{"c": "{"xyz"[i % 3]}", "d": "2020-01-0{1 + i % 9}", "n": {i}, "extra": null}}\n'
    for i in range(100)
)


class Stdin:
    """Standard input with some bytes."""

    def __init__(self, data: bytes) -> None:
        self.buffer = io.BytesIO(data)


def chunks(path: Path | None, rows: int = 30, **options: Any) -> tuple[Any, Any]:
    """Return all rows: as they were read, and as the model takes them."""
    parts = list(table_chunks(path, Reading(), LIKE, rows, **options))
    assert all(len(frame) == len(raw.values) <= rows for frame, raw in parts)
    frame = pl.concat([frame for frame, _ in parts])
    return frame, np.concatenate([raw.values for _, raw in parts])


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_one_column_of_quoted_cells_has_no_row_behind_the_last(
    end: str, tmp_path: Path
) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(b'c\n"x"\n"y"' + end.encode())
    (frame, _), *more = table_chunks(path, Reading(), [RawColumn("c", "category")])
    assert frame["c"].to_list() == ["x", "y"]
    assert not more


def test_parts_hold_what_the_whole_table_holds(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text(TEXT)
    frame, values = chunks(path)
    assert frame.columns == ["n", "extra", "c", "d"]
    assert frame["n"][7] == "7 "
    assert frame["extra"][7] == "a, 7"
    assert frame["c"][7] == " y"
    whole = read_table([path], Reading(), keep=["n", "c"])
    np.testing.assert_array_equal(values[:, 1:], whole.values[:, [0, -1]])
    # z is a new word of each part.
    assert values[:6, 0].tolist() == [1, 0, 2, 1, 0, 2]


@pytest.mark.parametrize(
    "name",
    ["x.jsonl", "x.ndjson.gz", "x.parquet", "x.arrow", "x.csv.gz", "stdin", "json"],
)
def test_every_format_gives_the_same_values(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, path = tmp_path / "plain.csv", tmp_path / name
    plain.write_text(TEXT)
    wanted = chunks(plain)[1]
    frame = pl.read_csv(TEXT.encode()).with_columns(
        pl.col("n").str.strip_chars().cast(pl.Int64), pl.col("d").str.to_date()
    )
    given: Path | None = path
    if name in ("stdin", "json"):
        data = TEXT if name == "stdin" else f"\n{LINES}"
        monkeypatch.setattr(sys, "stdin", Stdin(data.encode()))
        given = None
    elif name.endswith(".gz"):
        data = TEXT if "csv" in name else LINES
        path.write_bytes(gzip.compress(data.encode()))
    elif name.endswith(".jsonl"):
        path.write_text(LINES)
    elif name.endswith(".arrow"):
        frame.write_ipc(path)
    else:
        frame.write_parquet(path)
    np.testing.assert_array_equal(chunks(given)[1], wanted)


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        (
            "x.csv",
            TEXT + "x,2,3,4\n",
            "x.csv:102: column 'n': .* number, got 'x'",
        ),
        ("x.csv", TEXT + "1,2,x,soon\n", "x.csv:102: column 'd': expected a date"),
        ("x.csv", TEXT + "1,2\n", "x.csv:102: expected 4 cells"),
        ("x.csv", "m,c,d\n1,2,3\n", "x.csv: expected a column 'n', as the model"),
        ("x.csv", "", "x.csv: expected rows, got an empty file"),
        ("x.csv", "n,c,d\n", "x.csv: expected rows, got none"),
        ("x.jsonl", "", "x.jsonl: expected rows, got none"),
        ("x.jsonl", LINES + "\n[1]\n", "x.jsonl:102: expected a JSON object, got"),
        ("x.jsonl", LINES + '{"n": 1\n', "x.jsonl:101: expected JSON, got"),
        ("x.jsonl", LINES + '{"n": NaN}\n', "x.jsonl:101: .*NaN is no number in JSON"),
        ("x.jsonl", LINES + '{"m": 1}\n', "x.jsonl:101: .* got 'm' too"),
        ("x.jsonl", LINES + '{"n": "x"}\n', "x.jsonl:101: column 'n': .* got 'x'"),
        ("x.jsonl", LINES + '{"n": [1]}\n', "x.jsonl:101: column 'n': .* got '.1.'"),
        ("x.jsonl", LINES + '{"n": 1e999}\n', "x.jsonl:101: column 'n': .* got inf"),
        ("x.jsonl", "[" * 100_000, "x.jsonl:1: expected JSON, got"),
    ],
)
def test_fault_is_told_with_line_and_column(
    tmp_path: Path, name: str, data: str, expected: str
) -> None:
    path = tmp_path / name
    path.write_text(data)
    with pytest.raises(DataError, match=expected):
        chunks(path)


def test_dates_have_their_format(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("n,c,d\n1,x,31.01.2020\n")
    assert chunks(path, formats={"d": "%d.%m.%Y"})[1][0, 2] == 1580428800
