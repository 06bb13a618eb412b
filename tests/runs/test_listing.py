"""Listing: states and scores of runs, read from files that nobody vouches for."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from nncli.core.errors import UsageError
from nncli.core.text import json_text
from nncli.runs.entry import Entry, entry_of
from nncli.runs.listing import list_runs
from tests.runs.made import leave_test, make_run, row_of


def one(folder: Path) -> Entry:
    (entry,) = list_runs(folder).runs
    return entry


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("finished", "done"),
        ("interrupted", "stopped"),
        ("diverged", "diverged"),
        ("failed", "crashed"),
        (None, "crashed"),
        ("strange", "damaged"),
    ],
)
def test_state_follows_from_the_summary(
    tmp_path: Path, status: str | None, state: str
) -> None:
    make_run(tmp_path, status=status)
    assert one(tmp_path).state == state


@pytest.mark.parametrize("status", ["finished", None])
def test_run_that_somebody_holds_is_running(tmp_path: Path, status: str | None) -> None:
    run = make_run(tmp_path, status=status)
    with run.lock():
        assert one(tmp_path).state == "running"
        # Who lists it does not keep others from it.
    with run.lock():
        pass
    assert one(tmp_path).state != "running"


@pytest.mark.parametrize("status", ["finished", None])
def test_scores_are_those_of_the_best_checkpoint(
    tmp_path: Path, status: str | None
) -> None:
    make_run(tmp_path, status=status)
    entry = one(tmp_path)
    assert (entry.best_step, entry.epochs, entry.steps) == (20, 3, 30)
    assert entry.train == row_of(20, 0.5)["train"]
    assert entry.validation == row_of(20, 0.5)["validation"]
    assert entry.monitor == "loss"


def test_run_that_was_never_evaluated_has_no_scores(tmp_path: Path) -> None:
    make_run(tmp_path, status=None, losses=())
    entry = one(tmp_path)
    assert (entry.state, entry.train, entry.best_step) == ("crashed", {}, None)
    assert entry.problems == []


def test_half_a_row_at_the_end_is_no_problem(tmp_path: Path) -> None:
    run = make_run(tmp_path, status=None)
    with run.metrics.open("ab") as file:
        file.write(b'{"epoch": 4, "st')
    entry = one(tmp_path)
    assert (entry.steps, entry.problems) == (30, [])


def test_scores_of_the_test_part_are_what_eval_left(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    more: dict[str, Any] = {"baseline": {}, "better_than_baseline": 0.5, "classes": []}
    leave_test(run, loss=0.3, accuracy=0.8, roc_auc=None, **more)
    entry = one(tmp_path)
    assert entry.test == {"loss": 0.3, "accuracy": 0.8, "roc_auc": None}
    assert entry.test_is_of_best
    leave_test(run, step=10, loss=0.3)
    assert not one(tmp_path).test_is_of_best


def test_overrides_are_the_latest_of_each_key(tmp_path: Path) -> None:
    changes = [{"overrides": ["optimizer.lr=2", "training.epochs=9"]}, {"at": "x"}]
    make_run(tmp_path, overrides=["seed=1", "optimizer.lr=1"], changes=changes)
    wanted = ["seed=1", "optimizer.lr=2", "training.epochs=9"]
    assert one(tmp_path).overrides == wanted


def test_newest_runs_come_first(tmp_path: Path) -> None:
    for name, minute in (("a-9", 1), ("a-10", 1), ("b-1", 5), ("c-1", 0)):
        make_run(tmp_path, name, started=f"2026-11-22T10:0{minute}:00+00:00")
    found = [run.name for run in list_runs(tmp_path).runs]
    assert found == ["b-1", "a-10", "a-9", "c-1"]


def test_what_is_no_run_is_named_with_the_reason(tmp_path: Path) -> None:
    make_run(tmp_path)
    (tmp_path / "notes.txt").touch()
    (tmp_path / "other").mkdir()
    (tmp_path / "half" / "checkpoints").mkdir(parents=True)
    (tmp_path / ".hidden").mkdir()
    (tmp_path / "broken").symlink_to("nowhere")
    os.mkfifo(tmp_path / "pipe")
    listing = list_runs(tmp_path)
    assert [run.name for run in listing.runs] == ["a-1"]
    assert listing.others == {
        "broken": "it is no directory",
        "half": "it has no manifest.json",
        "notes.txt": "it is no directory",
        "other": "it has no checkpoints/",
        "pipe": "it is no directory",
    }


HOSTILE = [
    b"",
    b"[[[",
    b"3",
    b"null",
    b"\xff\xfe",
    b"[" * 99_999,
    b'{"status": ["x"], "epochs": 1e400, "best": {"step": "x"}, "last": 3}',
    b'{"status": "finished", "epochs": %s, "seconds": NaN}' % (b"9" * 400),
    b'{"status": {}, "last": {"train": {"loss": 1e999, "a": "b", "c": true}}}',
    b'{"step": 20, "loss": NaN, "f1": 99%s, "overrides": {}}' % (b"9" * 400),
    b'{"status": 1, "changes": [1, {"overrides": 2}], "tags": 0, "started": [1]}',
]


@pytest.mark.parametrize("data", HOSTILE, ids=range(len(HOSTILE)))
def test_damaged_files_are_told_and_end_no_list(tmp_path: Path, data: bytes) -> None:
    files = (
        "summary.json",
        "manifest.json",
        "metrics.jsonl",
        "eval-test.json",
        "tags.json",
        "checkpoints/best.safetensors",
    )
    for number, file in enumerate(files):
        status = None if file.startswith(("metrics", "checkpoints")) else "finished"
        run = make_run(tmp_path, f"a-{number}", status=status)
        (run.path / file).write_bytes(data)
    make_run(tmp_path, "good-1")
    runs = {run.name: run for run in list_runs(tmp_path).runs}
    assert len(runs) == 7
    assert runs["a-0"].state in ("damaged", "done")
    assert runs["good-1"].problems == []
    for number in (4, 5):
        assert files[number] in runs[f"a-{number}"].problems[0]
    # Whatever they say can be written as JSON.
    for entry in runs.values():
        json_text(vars(entry))


@pytest.mark.parametrize("file", ["summary.json", "metrics.jsonl", "eval-test.json"])
def test_what_is_no_file_is_told(tmp_path: Path, file: str) -> None:
    run = make_run(tmp_path, status=None)
    (run.path / file).unlink(missing_ok=True)
    os.mkfifo(run.path / file)
    entry = entry_of(run.path)
    assert any(file in text and "pipe" in text for text in entry.problems)


def test_cross_validation_is_listed_with_its_means(tmp_path: Path) -> None:
    whole = tmp_path / "a-cv-1"
    whole.mkdir()
    (whole / "config.yaml").touch()
    runs: list[dict[str, Any]] = [{"status": "finished", "seconds": 2.0}] * 2
    plan = {"metrics": {"loss": {"mean": 0.5}}, "runs": runs, "overrides": ["a=1"]}
    (whole / "cv.json").write_text(json.dumps(plan))
    entry = one(tmp_path)
    assert (entry.kind, entry.state) == ("cross-validation", "done")
    assert (entry.test, entry.seconds) == ({"loss": 0.5}, 4.0)
    runs.append({"status": "failed"})
    (whole / "cv.json").write_text(json.dumps(plan))
    assert one(tmp_path).state == "crashed"
    (whole / "cv.json").write_text("{}")
    assert one(tmp_path).state == "stopped"


def test_directory_that_is_missing_is_wrong_usage_but_for_the_one_by_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert list_runs() == list_runs(Path("runs"))
    assert list_runs().runs == []
    with pytest.raises(UsageError, match="elsewhere: expected a directory with runs"):
        list_runs(Path("elsewhere"))
