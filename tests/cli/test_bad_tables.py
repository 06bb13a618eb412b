"""Bad tables through the command line: one message, exit 2, nothing half-written."""

from __future__ import annotations

import gzip
import io
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.command import Command

pl = pytest.importorskip("polars")

ROWS = [(i % 7 / 4, i % 5, "uvw"[i % 3], i % 2) for i in range(40)]
GOOD = "a,b,c,y\n" + "".join(f"{a},{b},{c},{y}\n" for a, b, c, y in ROWS)
CONFIG = """
dataset: {{type: {type}, {file}, targets: classes}}
layers: [{{type: dense, units: 2}}]
loss: softmax_cross_entropy
optimizer: sgd
training: {{epochs: 1}}
"""


def with_row(row: str) -> str:
    """Return the good table with another row in line 3."""
    lines = GOOD.splitlines()
    return "\n".join([*lines[:2], row, *lines[3:]]) + "\n"


def changed(place: int, cell: object) -> str:
    """Return the good table with one cell in every row of a column."""
    rows = [[*row[:place], cell, *row[place + 1 :]] for row in ROWS]
    return "a,b,c,y\n" + "".join(",".join(map(str, row)) + "\n" for row in rows)


def parquet() -> bytes:
    """Return the good table as Parquet."""
    room = io.BytesIO()
    pl.read_csv(io.StringIO(GOOD)).write_parquet(room)
    return room.getvalue()


def archive(**arrays: Any) -> bytes:
    """Return a NumPy archive."""
    room = io.BytesIO()
    np.savez(room, **arrays)
    return room.getvalue()


def bomb() -> bytes:
    """Return a small archive of an array that is said to be of petabytes."""
    room, head = io.BytesIO(), io.BytesIO()
    shape = {"descr": "<f8", "fortran_order": False, "shape": (10**12, 100)}
    np.lib.format.write_array_header_1_0(head, shape)
    with zipfile.ZipFile(room, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("x.npy", head.getvalue() + bytes(1 << 20))
    return room.getvalue()


EVERYWHERE: dict[str, tuple[str, str | bytes, str]] = {
    "empty file": ("x.csv", "", "expected rows, got an empty file"),
    "header only": ("x.csv", "a,b,c,y\n", "expected rows.*got none"),
    "ragged row": ("x.csv", with_row("1,2"), "x.csv:3: .* column 'c' is missing"),
    "long row": ("x.csv", with_row("1,2,u,1,9"), "x.csv:3: .* the cell '9'"),
    "double name": ("x.csv", GOOD.replace("b", "a", 1), "x.csv:1: .* 'a' twice"),
    "empty name": ("x.csv", GOOD.replace("b", "", 1), "x.csv:1: .* column 2 of 4"),
    "infinity": ("x.csv", with_row("inf,2,u,1"), "x.csv:3: column 'a': .* inf"),
    "thousands": ("x.csv", with_row('"1,234",2,u,1'), "x.csv:3: column 'a': .*1,234"),
    "huge cell": ("x.csv", with_row("x" * (1 << 21) + ",2,u,1"), "x.csv:3: .*at most"),
    "NUL byte": ("x.csv", with_row("1,\0,u,1"), "x.csv:3: .* NUL byte"),
    "open quote": ("x.csv", with_row('"1,2,u,1'), "x.csv:3: .* closing quote"),
    "UTF-16, no mark": ("x.csv", GOOD.encode("utf-16-le"), "x.csv:1: .*utf-16"),
    "HTML page": ("x.csv", "<!DOCTYPE html><html></html>", "an HTML or XML page"),
    "workbook": ("x.xlsx", b"PK\x03\x04" + bytes(40), "ZIP archive or an Excel"),
    "cut gzip": ("x.csv.gz", gzip.compress(GOOD.encode())[:-20], "one that is cut off"),
    "gzip bomb": ("x.csv.gz", gzip.compress(b"0" * (1 << 24)), "x.csv.gz:1: .*at most"),
    "cut Parquet": ("x.parquet", parquet()[:-40], "a damaged one or one that is cut"),
    "text as Parquet": ("x.parquet", GOOD, "a Parquet file, got something else"),
    "text as .npy": ("x.npy", GOOD, "a .npy file, got: something else|got arrays"),
    "text as .npz": ("x.npz", GOOD, "a .npz file, got|got arrays"),
    "pickled objects": (
        *("x.npz", archive(x=np.array([[1, None]]), y=np.array([None]))),
        "Python objects, which are never unpickled|got arrays",
    ),
    "zip bomb": ("x.npz", bomb(), "is more than its|got arrays"),
}
TRAINING: dict[str, tuple[str, str | bytes, str]] = {
    "all missing": (
        "x.csv",
        "a,b,c,y\n" + ",,,\n" * 9,
        "nothing|none in 9 of 9",
    ),
    "inputs missing": (
        "x.csv",
        "a,b,y\n" + ",,0\n,,1\n" * 9,
        "inputs.*a: holds",
    ),
    "texts only": (
        *("x.csv", "a,y\n" + "".join(f"words of row {i},{i % 2}\n" for i in range(40))),
        "expected a column of inputs, got none .a: nearly every row",
    ),
    "target missing": ("x.csv", with_row("1,2,u,"), "column 'y'.* in 1 of 40"),
    "no such target": ("x.csv", GOOD.replace("y", "z", 1), "a column 'y' as target"),
    "one class": ("x.csv", changed(3, 1), "expected targets .* got '?1'? in all 40"),
    "target alone": ("x.csv", "y\n" + "0\n1\n" * 9, "expected a column of inputs"),
}
PREDICTING: dict[str, tuple[str, str | bytes, str]] = {
    "column missing": ("x.csv", GOOD.replace("b", "q", 1), "expected a column 'b'"),
    "text for a number": ("x.csv", changed(0, "abc"), "x.csv:2: column 'a': .*'abc'"),
    "late text": ("x.csv", GOOD + "x1,2,u,0\n", "x.csv:42: column 'a': .*'x1'"),
    "JSON of another shape": ("x.jsonl", "[1, 2]\n", "x.jsonl:1: .*object"),
    "cut JSON": ("x.jsonl", '{"a": 1, "b": 2, "c": "u"}\n{"a": 1', "x.jsonl:2: "),
}


def write(path: Path, data: str | bytes) -> Path:
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def cases() -> Iterator[Any]:
    for verb, kinds in (
        ("train", EVERYWHERE | TRAINING),
        ("init", EVERYWHERE | TRAINING),
        ("describe", EVERYWHERE),
        ("predict", EVERYWHERE | PREDICTING),
    ):
        for kind, case in kinds.items():
            yield pytest.param(verb, *case, id=f"{verb}-{kind}")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a checkpoint that was trained on the good table."""
    from nncli.cli.app import run

    folder = tmp_path_factory.mktemp("good")
    write(folder / "good.csv", GOOD)
    config = write(
        folder / "c.yaml", CONFIG.format(type="csv", file="path: good.csv, target: y")
    )
    assert run(["train", str(config), "--runs-dir", str(folder)]) == 0
    return folder / "c-1"


def arguments(verb: str, file: Path, checkpoint: Path) -> list[object]:
    if verb == "init":
        return ["init", file, "--target", "y", "-o", file.parent / "new.yaml"]
    if verb == "describe":
        return ["data", "describe", file]
    if verb == "predict":
        return ["predict", checkpoint, file, "-o", file.parent / "out.csv"]
    kind = file.suffix[1:] if file.suffix in (".npz", ".npy") else "csv"
    where = f"x: {file.name}, y: {file.name}" if kind == "npy" else f"path: {file.name}"
    where += ", target: y" if kind == "csv" else ""
    config = write(file.parent / "c.yaml", CONFIG.format(type=kind, file=where))
    return ["train", config, "--runs-dir", file.parent / "runs"]


@pytest.mark.parametrize(("verb", "name", "data", "message"), [*cases()])
def test_bad_table_ends_in_one_message(
    command: Command,
    tmp_path: Path,
    checkpoint: Path,
    verb: str,
    name: str,
    data: str | bytes,
    message: str,
) -> None:
    file = write(tmp_path / name, data)
    given = arguments(verb, file, checkpoint)
    before = sorted(tmp_path.rglob("*"))
    outcome = command(*given)
    assert outcome.code == 2, outcome.err
    assert not outcome.out
    assert outcome.err.count("error: ") == 1
    assert "Traceback" not in outcome.err
    assert re.search(message, outcome.err), outcome.err
    assert sorted(tmp_path.rglob("*")) == before


def test_unknown_categories_and_missing_cells_are_predicted(
    command: Command, tmp_path: Path, checkpoint: Path
) -> None:
    file = write(tmp_path / "x.csv", "c,b,a\nnever seen,1,2\n,,\n")
    outcome = command("predict", checkpoint, file, "--columns", "")
    assert outcome.code == 0, outcome.err
    assert len(outcome.out.splitlines()) == 3


def test_cells_that_a_spreadsheet_would_run_are_marked(
    command: Command, tmp_path: Path, checkpoint: Path
) -> None:
    file = write(tmp_path / "x.csv", "a,b,c,note\n-1,+2,u,=1+1\n1,2,@v,-2\n1,2,u,+x\n")
    lines = command("predict", checkpoint, file).out.splitlines()
    cells = [line.split(",")[:4] for line in lines[1:]]
    assert cells[0] == ["-1", "+2", "u", "'=1+1"]
    assert cells[1] == ["1", "2", "'@v", "-2"]
    assert cells[2] == ["1", "2", "u", "'+x"]


def test_names_and_cells_with_line_ends_are_marked_too(
    command: Command, tmp_path: Path, checkpoint: Path
) -> None:
    file = write(tmp_path / "x.csv", 'a,b,c,=x\n1,2,u,"\n=1"\n')
    out = command("predict", checkpoint, file).out
    assert out.startswith("a,b,c,'=x,prediction\n")
    assert '"\'\n=1"' in out


def test_semicolons_and_decimal_commas_are_read_by_every_verb(
    command: Command, tmp_path: Path
) -> None:
    file = write(tmp_path / "x.csv", GOOD.replace(",", ";").replace(".", ","))
    config = tmp_path / "x.yaml"
    assert "decimal commas" in command("data", "describe", file).out
    assert command("init", file, "--target", "y", "-o", config).code == 0
    assert 'decimal: ","' in config.read_text()
    command.train(config, "training.epochs=1")
    outcome = command("predict", command.runs / "x-1", file, "--columns", "a")
    assert outcome.code == 0, outcome.err
    assert outcome.out.splitlines()[2].startswith('"0,25",')


def test_names_in_a_table_cannot_steer_the_terminal(
    command: Command, tmp_path: Path
) -> None:
    odd = ["re\x1b[31md", "blu\x1b[34me"]
    rows = "".join(f"{i % 7},{i % 5},{odd[i % 2]}\n" for i in range(40))
    file = write(tmp_path / "x.csv", f"a\x9b2J,b,y\x1b[H\n{rows}")
    config, run = tmp_path / "x.yaml", command.runs / "x-1"
    outcomes = [
        command("data", "describe", file),
        command("init", file, "-o", config),
        command.train(config, "training.epochs=1"),
        command("data", "describe", config),
        command("explain", config, "--sample", "1"),
        command("eval", run),
    ]
    for outcome in outcomes:
        assert outcome.code == 0, outcome.err
        for text in (outcome.out, outcome.err):
            assert not set(text) & {"\x1b", "\x9b"}
    told = [outcome.out for outcome in outcomes[-3:]]
    assert all("\\x1b[3" in text for text in told)
    facts = command("eval", run, "--json").json()
    assert [each["class"] for each in facts["classes"]] == sorted(odd)
