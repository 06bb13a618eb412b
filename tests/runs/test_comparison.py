"""Comparison: the places where configs differ, and the step where runs part."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

import pytest

from nncli.core.errors import RunError
from nncli.runs.comparison import Parting, differences, parting
from nncli.runs.directory import RunDirectory
from tests.runs.made import row_of


def rows_of(tmp_path: Path, name: str, rows: list[dict[str, Any]]) -> Path:
    run = RunDirectory(tmp_path / name)
    run.checkpoints.mkdir(parents=True)
    for row in rows:
        run.append_row(row)
    return run.metrics


def parted(
    tmp_path: Path, first: list[dict[str, Any]], second: list[dict[str, Any]]
) -> Parting:
    return parting(rows_of(tmp_path, "a", first), rows_of(tmp_path, "b", second))


@pytest.mark.parametrize("at", [0, 1, 4])
def test_runs_part_at_the_first_number_that_differs(tmp_path: Path, at: int) -> None:
    rows = [row_of(step, 1 / step) for step in (10, 20, 30, 40, 50)]
    others = [row_of(step, 1 / step) for step in (10, 20, 30, 40, 50)]
    for row in others[at:]:
        row["train"]["loss"] += 2**-50
    found = parted(tmp_path, rows, others)
    ours = rows[at]["train"]["loss"]
    assert found.step == rows[at]["step"]
    assert found.epoch == rows[at]["epoch"]
    assert (found.rows, found.same) == (at, 10 * at or None)
    assert found.differs == {"train.loss": (ours, ours + 2**-50)}


def test_equal_runs_never_part_and_the_longer_one_is_named(tmp_path: Path) -> None:
    rows = [row_of(step, 1 / step) for step in (10, 20, 30)]
    assert parted(tmp_path / "1", rows, rows) == Parting(3, 30)
    assert parted(tmp_path / "2", rows, rows[:2]) == Parting(2, 20, longer=0)
    assert parted(tmp_path / "3", rows[:1], rows) == Parting(1, 10, longer=1)
    assert parted(tmp_path / "4", [], rows) == Parting(longer=1)
    assert parted(tmp_path / "5", [], []) == Parting()


def test_only_the_same_steps_are_compared(tmp_path: Path) -> None:
    fine = [row_of(step, 1 / step) for step in range(5, 45, 5)]
    coarse = [row_of(step, 1 / step) for step in (10, 20, 30, 40)]
    # A mean over other steps is another number of the same run.
    for row in coarse:
        row["step_loss"] *= 2
    assert parted(tmp_path / "1", fine, coarse) == Parting(4, 40)
    coarse[2]["lr"] = 0.2
    found = parted(tmp_path / "2", fine, coarse)
    assert (found.step, found.differs) == (30, {"lr": (0.1, 0.2)})


def test_what_only_one_has_and_times_do_not_count(tmp_path: Path) -> None:
    rows = [row_of(10, 0.5, seconds=1.0, norm=3)]
    others = [row_of(10, 0.5, seconds=2.0, test={"loss": 3})]
    assert parted(tmp_path, rows, others) == Parting(1, 10)


def test_rows_of_somebody_else_end_no_comparison(tmp_path: Path) -> None:
    rows = [row_of(10, 0.5), row_of(20, 0.5)]
    path, other = rows_of(tmp_path, "a", rows), rows_of(tmp_path, "b", rows)
    lines = b'{"step": [1]}\n{"step": null}\n{"step": true}\n{"step": -4}\n{}\n'
    path.write_bytes(lines + path.read_bytes() + b'{"step": 20, "x": 1}\n{"torn')
    assert parting(path, other) == Parting(2, 20)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(RunError, match="a pipe, not a file"):
        parting(path, other)


def test_what_is_no_finite_number_is_none(tmp_path: Path) -> None:
    rows = [row_of(10, 0.5), row_of(20, 0.5, epoch=math.nan)]
    metrics = rows_of(tmp_path, "a", rows[:1]), rows_of(tmp_path, "b", rows[:1])
    text = json.dumps(rows[1])
    for path, lr in zip(metrics, ("NaN", str(10**400)), strict=True):
        with path.open("a") as file:
            file.write(text.replace('"lr": 0.1', f'"lr": {lr}, "x": "{lr}"') + "\n")
    assert parting(*metrics) == Parting(2, 20)
    with metrics[1].open("a") as file:
        file.write(json.dumps(rows[1] | {"step": 30}) + "\n")
        file.write(f'{{"step": {10**400}}}\n')
    with metrics[0].open("a") as file:
        file.write(f'{{"step": 30, "epoch": NaN, "lr": {10**400}}}\n')
    found = parting(*metrics)
    assert (found.epoch, found.differs) == (None, {"lr": (None, 0.1)})


def config(**changes: Any) -> dict[str, Any]:
    layers = [{"type": "dense", "units": 3, "l2": 0.0}, {"type": "relu"}]
    return {"seed": 0, "optimizer": {"type": "adam", "lr": 0.1}, "layers": layers} | (
        changes
    )


def test_equal_configs_do_not_differ() -> None:
    assert differences({"a": config(), "b": config(), "c": config()}) == {}


def test_places_that_differ_are_named_with_the_value_of_each() -> None:
    layers = [{"type": "dense", "units": 4, "l2": 0.0}, {"type": "relu"}]
    found = differences({
        "a": config(),
        "b": config(seed=1, layers=layers),
        "c": config(),
    })  # fmt: skip
    assert found == {
        "seed": {"a": 0, "b": 1, "c": 0},
        "layers[0].units": {"a": 3, "b": 4, "c": 3},
    }


def test_components_of_other_types_differ_as_a_whole() -> None:
    sgd = {"type": "sgd", "lr": 0.1}
    found = differences({"a": config(), "b": config(optimizer=sgd)})
    assert found == {"optimizer": {"a": {"type": "adam", "lr": 0.1}, "b": sgd}}


def test_what_only_one_has_is_missing_at_the_other() -> None:
    more = [*config()["layers"], {"type": "dense", "units": 1}]
    found = differences({"a": config(), "b": config(layers=more, extra=None)})
    assert found == {"layers[2]": {"b": more[2]}, "extra": {"b": None}}


def test_true_is_no_one() -> None:
    assert differences({"a": {"x": True}, "b": {"x": 1}}) == {"x": {"a": True, "b": 1}}
