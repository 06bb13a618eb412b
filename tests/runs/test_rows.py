"""Rows: JSON lines that are read back, and the same as a table."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from nncli.runs.directory import RunDirectory
from nncli.runs.rows import flat
from tests.runs.made import make_run, row_of


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    return make_run(tmp_path, losses=())


def table_of(run: RunDirectory) -> list[dict[str, str]]:
    with run.table.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def told(row: dict[str, Any]) -> dict[str, str]:
    """Return a row as a table has it."""
    return {name: "" if v is None else repr(v) for name, v in flat(row).items()}


def test_table_has_the_numbers_of_every_row(run: RunDirectory) -> None:
    rows = [row_of(step, 1 / step) for step in range(1, 6)]
    rows[2]["train"]["accuracy"] = None
    with run.lock():
        for row in rows:
            run.append_row(row)
    assert table_of(run) == [told(row) for row in rows]
    assert float(table_of(run)[2]["train.loss"]) == rows[2]["train"]["loss"]
    assert "train.loss" in run.table.read_text(encoding="utf-8").splitlines()[0]


def test_table_gets_the_columns_that_come_later(run: RunDirectory) -> None:
    with run.lock():
        run.append_row({"step": 1})
        run.append_row({"step": 2, "norm": 0.5})
        run.append_row({"step": 3})
    assert table_of(run) == [
        {"step": "1", "norm": ""},
        {"step": "2", "norm": "0.5"},
        {"step": "3", "norm": ""},
    ]


def test_table_of_a_run_that_goes_on_follows_its_rows(run: RunDirectory) -> None:
    for step in (1, 2, 3):
        run.append_row({"step": step})
    # Killed with a row that the table does not have, and half of one.
    run.table.write_text("step\n1\n2")
    again = RunDirectory(run.path)
    again.keep_rows(2)
    assert [row["step"] for row in table_of(run)] == ["1", "2"]
    with again.lock():
        again.append_row({"step": 4})
    assert [row["step"] for row in table_of(run)] == ["1", "2", "4"]
    again.keep_rows(0)
    assert not run.table.exists()


def test_table_is_whole_after_a_failure(run: RunDirectory) -> None:
    def train() -> None:
        with run.lock():
            run.append_row({"step": 1})
            run.append_row({"step": 2})
            raise ValueError("planted")

    with pytest.raises(ValueError, match="planted"):
        train()
    assert len(table_of(run)) == 2


def test_table_runs_nothing_in_a_spreadsheet(run: RunDirectory) -> None:
    run.append_row({"=1+1": 1, "a,b": "=2", "x": [1, 2]})
    (row,) = table_of(run)
    assert row == {"'=1+1": "1", "a,b": "'=2", "x": "[1, 2]"}
