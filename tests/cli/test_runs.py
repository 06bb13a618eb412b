"""nncli runs: the list, what is deleted, what is tagged."""

from __future__ import annotations

import csv
import io
import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.cells import cell_len

from nncli.runs.directory import RunDirectory
from nncli.runs.rows import flat
from tests.command import Command, kill, start, wait_until
from tests.runs.made import leave_test, make_run

Write = Callable[..., Path]

HOSTILE = (
    "<script>alert(1)<script>-1",
    "esc\x1b[31mred\x1b]0;title\x07-1",
    "line\nbreak\r-1",
    os.fsdecode(b"\xff\xfe-1"),
    "?>[bold]:smile:-1",
    "csi\x9b31m-1",
    "--yes",
    "n" * 240,
)


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return ./runs with a-1 (tested), a-2 (tagged) and a-3 (crashed)."""
    monkeypatch.chdir(tmp_path)
    folder = Path("runs")
    changes = ["optimizer.lr=0.01", "training.epochs=50"]
    leave_test(make_run(folder, "a-1", overrides=changes), loss=0.25, accuracy=0.75)
    (make_run(folder, "a-2").path / "tags.json").write_text('["good"]')
    make_run(folder, "a-3", status=None, losses=(0.4,))
    return folder


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_list_shows_states_scores_tags_and_overrides(
    command: Command, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = command("runs").out.splitlines()
    assert lines[0].split() == [
        "run", "state", "train", "validation", "test", "tags", "overrides"
    ]  # fmt: skip
    rows = {line.split()[0]: line.split()[1:] for line in lines[2:6] if line}
    assert rows["a-3"] == ["crashed", "0.4000", "0.5000"]
    assert rows["a-2"] == ["done", "0.5000", "0.6000", "good"]
    scores = ["0.5000", "0.6000", "0.2500"]
    assert rows["a-1"] == ["done", *scores, "optimizer.lr=0.01"]
    assert rows["training.epochs=50"] == []
    assert "3 runs in runs: 1 crashed, 2 done" in lines
    monkeypatch.setenv("COLUMNS", "40")
    head = command("runs").out.splitlines()[0]
    assert head.split() == ["run", "state", "validation", "test"]
    assert "scores: loss, at the best checkpoint" in lines


def test_list_as_json_has_everything(command: Command, runs: Path) -> None:
    (runs / "notes.txt").touch()
    result = command("runs", "--json").json()
    assert result["others"] == {"notes.txt": "it is no directory"}
    crashed, _, first = result["runs"]
    assert (crashed["name"], crashed["state"]) == ("a-3", "crashed")
    assert first["test"] == {"loss": 0.25, "accuracy": 0.75}
    assert first["validation"]["loss"] == pytest.approx(0.6)
    assert first["overrides"] == ["optimizer.lr=0.01", "training.epochs=50"]
    assert first["seconds"] == 1.5


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        (["--state", "done"], ["a-2", "a-1"]),
        (["--state", "done", "--state", "crashed", "-r"], ["a-1", "a-2", "a-3"]),
        (["--tag", "good"], ["a-2"]),
        (["--where", "train<0.45"], ["a-3"]),
        (["--sort", "train"], ["a-3", "a-2", "a-1"]),
        (["--sort", "epochs", "-r", "-n", "2"], ["a-2", "a-1"]),
        (["--state", "running"], []),
    ],
)
def test_list_is_selected_and_ordered(
    command: Command, runs: Path, arguments: list[str], wanted: list[str]
) -> None:
    result = command("runs", *arguments, "--json").json()
    assert [run["name"] for run in result["runs"]] == wanted
    shown = command("runs", *arguments)
    assert f"{len(wanted)} run" in shown.out


def test_list_shows_the_score_that_is_asked_for(command: Command, runs: Path) -> None:
    out = command("runs", "--score", "accuracy").out
    assert re.search(r"^a-1 +done +0\.7500 +0\.6500 +0\.7500 ", out, re.MULTILINE)
    assert "scores: accuracy, at the best checkpoint" in out


def test_scores_of_another_checkpoint_are_marked(command: Command, runs: Path) -> None:
    leave_test(RunDirectory(runs / "a-1"), step=10, loss=0.25)
    out = command("runs").out
    assert "0.2500*" in out
    assert "* of another checkpoint" in out


@pytest.mark.parametrize("width", [60, 40, 19])
def test_list_and_comparison_fit_the_terminal_whatever_runs_are_called(
    command: Command, runs: Path, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    for name in HOSTILE:
        run = make_run(runs, name, overrides=["x=\x1b[2J"], config={"a": "\x1b[2J\n"})
        tags = ["a\x1b[31mb", "b\nc"]
        (run.path / "tags.json").write_text(json.dumps(tags))
    (runs / "\x1b[5mblink").touch()
    for arguments in (["runs"], ["compare", *runs.glob("*-1")]):
        outcome = command(*arguments)
        assert outcome.code == 0, outcome.err
        text = outcome.out
        assert all(letter.isprintable() or letter == "\n" for letter in text)
        table = text.split("\n\n")[0].splitlines()
        assert max(map(cell_len, table)) <= width
    text = command("runs", "--json").out
    assert all(letter.isprintable() or letter in "\n" for letter in text)
    assert {run["name"] for run in json.loads(text)["runs"]} >= set(HOSTILE)


def test_no_runs_yet_is_no_error(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    outcome = command("runs")
    assert (outcome.code, outcome.out.count("no runs yet")) == (0, 1)
    assert command("runs", "--json").json()["runs"] == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--state", "doen"], "Did you mean 'done'?"),
        (["--sort", "validatoin"], "Did you mean"),
        (["--score", "acuracy"], "Did you mean 'accuracy'?"),
        (["--where", "x"], "expected KEY=VALUE"),
        (["--runs-dir", "nowhere"], "expected a directory with runs"),
        (["--runs-dir", "x", "rm", "a-1"], "behind the verb"),
        (["--json", "tag", "a-1"], "behind the verb"),
        (["rm", "a-4", "--yes"], "found nothing there"),
        (["rm", "a-1", "--json"], "expected --yes"),
        (["rm", "a-1", "../runs/..", "--yes"], "got a path elsewhere"),
        (["tag", "a-4"], "found nothing there"),
        (["tag", "a-1", "two words"], "expected a word"),
    ],
)
def test_wrong_usage_is_one_message(
    command: Command, runs: Path, arguments: list[str], message: str
) -> None:
    before = sorted(runs.rglob("*"))
    outcome = command("runs", *arguments)
    assert outcome.code == 2
    assert message in outcome.err
    assert outcome.out == ""
    assert sorted(runs.rglob("*")) == before


@pytest.mark.parametrize(
    ("answer", "gone"), [("y\n", True), ("Yes\n", True), ("n\n", False), ("\n", False)]
)
def test_rm_asks_first(
    command: Command,
    runs: Path,
    monkeypatch: pytest.MonkeyPatch,
    answer: str,
    gone: bool,
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(answer))
    outcome = command("runs", "rm", "a-1", "runs/a-3")
    assert outcome.code == 0
    assert "Delete 2 runs for good? [y/N]" in outcome.err
    assert "runs/a-1 (" in outcome.err
    assert left(runs) == (["a-2"] if gone else ["a-1", "a-2", "a-3"])
    assert ("nothing was deleted" in outcome.out) is not gone


def test_rm_without_an_answer_deletes_nothing(
    command: Command, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    outcome = command("runs", "rm", "a-1")
    assert outcome.code == 2
    assert "--yes" in outcome.err
    assert left(runs) == ["a-1", "a-2", "a-3"]


def test_rm_told_yes_asks_nothing(command: Command, runs: Path) -> None:
    result = command("runs", "rm", "a-1", "--yes", "--json").json()
    assert [found["run"] for found in result["deleted"]] == ["runs/a-1"]
    assert "deleted runs/a-2 (" in command("runs", "rm", "a-2", "-y").out
    assert left(runs) == ["a-3"]


def test_tags_are_shown_and_kept(command: Command, runs: Path) -> None:
    assert command("runs", "tag", "a-1").out == "runs/a-1: no tags\n"
    assert command("runs", "tag", "a-1", "x", "y").out == "runs/a-1: x y\n"
    result = command("runs", "tag", "runs/a-1", "--remove", "x", "--json").json()
    assert result == {"run": "runs/a-1", "tags": ["y"]}
    (found,) = command("runs", "--tag", "y", "--json").json()["runs"]
    assert (found["name"], found["tags"]) == ("a-1", ["y"])


@pytest.mark.slow
def test_run_is_running_then_crashed_when_it_is_killed(
    command: Command, write_config: Write, tmp_path: Path
) -> None:
    config = write_config()
    long = ["training.epochs=1000000", "training.checkpoint_seconds=0"]
    process = start("train", config, *long, "--runs-dir", command.runs)
    run = RunDirectory(command.runs / "small-1")
    try:
        assert wait_until(run.best.exists, process)
        listed = ["runs", "--runs-dir", command.runs, "--json"]
        (found,) = command(*listed).json()["runs"]
        assert found["state"] == "running"
        assert found["validation"].keys() == {"loss", "accuracy"}
        outcome = command("runs", "rm", "small-1", "-y", "--runs-dir", command.runs)
        assert outcome.code == 1
        assert "it is being trained" in outcome.err
        tag = ["runs", "tag", "small-1", "live", "--runs-dir", command.runs]
        assert command(*tag).code == 0
    finally:
        kill(process)
    (found,) = command(*listed).json()["runs"]
    assert (found["state"], found["tags"]) == ("crashed", ["live"])
    outcome = command("runs", "rm", "small-1", "-y", "--runs-dir", command.runs)
    assert outcome.code == 0
    assert left(command.runs) == []


def test_table_beside_the_rows_survives_a_resume(
    command: Command, write_config: Write
) -> None:
    command.train(write_config())
    run = RunDirectory(command.runs / "small-1")
    command("train", "--resume", run.path, "training.epochs=7")
    with run.table.open(encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file))
    rows = [flat(row) for row in run.rows()]
    assert len(table) == 7
    numbers = [{name: float(cell) for name, cell in row.items()} for row in table]
    assert numbers == rows
    listed = command("runs", "--runs-dir", command.runs, "--json").json()["runs"]
    best = min(rows, key=lambda row: float(row["validation.loss"]))
    assert listed[0]["validation"]["loss"] == best["validation.loss"]
    assert listed[0]["overrides"] == ["training.epochs=7"]
