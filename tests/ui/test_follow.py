"""A log that is read piece by piece while it grows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nncli.runs.directory import RunDirectory
from nncli.ui.follow import MOST_CELLS, MOST_COLUMNS, Piece, follow, is_place


def write(path: Path, *rows: Any) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)


def test_pieces_are_the_rows_that_came_since(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    write(path, {"step": 1, "train": {"loss": 0.5}}, {"step": 2})
    first = follow(path)
    assert first.columns == {"step": [1, 2], "train.loss": [0.5, None]}
    assert (first.count, first.anew, first.more) == (2, True, False)
    assert follow(path, first.place).count == 0
    write(path, {"step": 3, "train": {"loss": 0.25}})
    second = follow(path, first.place)
    assert second.columns == {"step": [3], "train.loss": [0.25]}
    assert (second.count, second.anew) == (1, False)


def test_long_log_comes_in_pieces_of_a_limit(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    write(path, *({"step": n} for n in range(1000)))
    steps: list[float | None] = []
    piece, read = Piece(more=True), 0
    while piece.more:
        piece = follow(path, piece.place, limit=500)
        steps += piece.columns["step"]
        read += 1
    assert steps == list(range(1000))
    assert read > 20


def test_log_of_many_columns_comes_in_pieces_of_so_many_cells(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    write(path, *[{}] * 300, {f"a{n}": n for n in range(MOST_COLUMNS)}, *[{}] * 300)
    piece, counts = Piece(more=True), []
    while piece.more:
        piece = follow(path, piece.place)
        assert len(piece.columns) * piece.count <= MOST_CELLS
        counts.append(piece.count)
    assert counts == [300, MOST_CELLS // MOST_COLUMNS, 601 - 300 - counts[1]]


def test_torn_line_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 1}\n{"st')
    first = follow(path)
    assert first.columns == {"step": [1]}
    with path.open("a") as file:
        file.write('ep": 2}\n')
    assert follow(path, first.place).columns == {"step": [2]}


def test_log_that_was_written_anew_begins_at_its_first_row(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    for step in range(5):
        run.append_row({"step": step})
    place = follow(run.metrics).place
    run.keep_rows(2)
    run.append_row({"step": 7})
    piece = follow(run.metrics, place)
    assert (piece.anew, piece.columns["step"]) == (True, [0, 1, 7])


def test_lines_that_are_no_rows_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    deep = '{"a":' * 5000 + "1" + "}" * 5000
    lines = ['{"step": 1}', "no JSON", deep, "", '{"step": NaN}', '{"step": 1e999}']
    path.write_text("\n".join([*lines, '{"step": 2, "text": "<b>", "on": true}', ""]))
    piece = follow(path)
    known = [step for step in piece.columns["step"] if step is not None]
    assert known == [1, 2]
    assert piece.columns.keys() == {"step"}
    assert follow(tmp_path / "missing").count == 0


def test_records_give_layers_their_labels_and_no_histograms(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    stats = {"mean": 0.5, "histogram": {"low": 0.0, "counts": [1, 2]}}
    layer = {"label": "layers[0] dense", "activations": stats, "update_ratio": None}
    write(path, {"step": 1, "layers": {"layers.0": layer, "layers.1": None}})
    piece = follow(path)
    assert piece.labels == {"layers.0": "layers[0] dense"}
    assert piece.columns["layers.layers.0.activations.mean"] == [0.5]
    assert piece.columns["layers.layers.0.update_ratio"] == [None]
    assert not [name for name in piece.columns if "counts" in name]


@pytest.mark.parametrize("text", ["1", "1-", "-5", "1-g", "1-1-1", "1" * 40 + "-1"])
def test_place_that_is_none_is_known(text: str) -> None:
    assert not is_place(text)
    assert is_place("")
    assert is_place("1a-2b")
