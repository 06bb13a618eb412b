"""``nncli cv``: folds as runs, what they say together, and going on after a kill."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import signal
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nncli.cli.app import outcome
from nncli.cli.children import run_modules
from nncli.cli.fold import _score, train_fold
from nncli.core.errors import RunError
from nncli.runs.checkpoint import load_checkpoint
from nncli.runs.folds import FoldRun
from tests.command import Command, finish, start, wait_until
from tests.conftest import SMALL

SHORT = SMALL.replace("epochs: 5", "epochs: 2")


@pytest.fixture
def config(write_config: Any) -> Path:
    path: Path = write_config(SHORT)
    return path


@pytest.fixture
def inside(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Train folds in this process; return the arguments that each was started with."""
    started: list[list[str]] = []

    def run_inside(
        module: str, commands: Sequence[list[str]], jobs: int
    ) -> Iterator[tuple[int, int, str]]:
        assert module == "nncli.cli.fold"
        assert jobs >= 1
        for place, (path, number, repeat, *options) in enumerate(commands):
            started.append([path, number, repeat, *options])
            given = Path(path), int(number), int(repeat)
            allow = "--allow-plugins" in options
            train = partial(train_fold, *given, allow_plugins=allow)
            with contextlib.redirect_stdout(io.StringIO()):
                ended = outcome(train)
            yield place, *ended

    monkeypatch.setattr("nncli.cli.children.run_modules", run_inside)
    return started


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def cross_validate(command: Command, *arguments: object, expect: int = 0) -> Any:
    ended = command("cv", *arguments, "--runs-dir", command.runs, "--json")
    assert ended.code == expect, ended.err
    return ended.json(), ended.err


def test_folds_are_scored_each_and_together(
    command: Command, config: Path, inside: list[list[str]]
) -> None:
    options = "--folds", 3, "--repeats", 2
    result, progress = cross_validate(command, config, "split.test=0.1", *options)
    whole = command.runs / "small-cv-1"
    assert json.loads((whole / "cv.json").read_text()) == result
    assert [(run["repeat"], run["fold"]) for run in result["runs"]] == [
        (1, 1), (1, 2), (1, 3), (2, 1), (2, 2), (2, 3),
    ]  # fmt: skip
    assert progress.count("2 epochs in") == 6
    accuracies = [run["scores"]["accuracy"] for run in result["runs"]]
    found = result["metrics"]["accuracy"]
    assert found["values"] == accuracies
    assert found["mean"] == pytest.approx(np.mean(accuracies))
    assert found["deviation"] == pytest.approx(np.std(accuracies, ddof=1))
    half = 2.5706 * found["deviation"] / np.sqrt(6)
    assert found["interval"][1] == pytest.approx(found["mean"] + half, rel=1e-4)
    # A quarter of what a fold trains on is its validation part.
    assert result["runs"][0]["rows"] == {"train": 40, "validation": 13, "test": 27}


def test_predictions_are_out_of_fold_and_as_eval_scores_them(
    command: Command, config: Path, inside: list[list[str]]
) -> None:
    result, _ = cross_validate(command, config, "--folds", 2)
    whole = command.runs / "small-cv-1"
    rows = rows_of(whole / "predictions.csv")
    assert sorted(int(row["row"]) for row in rows) == [*range(80)]
    for run in result["runs"]:
        held = [row for row in rows if row["fold"] == str(run["fold"])]
        right = [row["target"] == row["prediction"] for row in held]
        assert np.mean(right) == pytest.approx(run["scores"]["accuracy"])
        chosen = [float(row[f"probability_{row['target']}"]) for row in held]
        loss = -np.log(chosen).mean()
        assert loss == pytest.approx(run["scores"]["loss"], rel=1e-4)
        scores = command("eval", run["run"], "--json").json()
        assert scores["split"] == "test"
        assert {k: scores[k] for k in run["scores"]} == run["scores"]


def test_fold_is_an_ordinary_run_that_its_config_reproduces(
    command: Command, config: Path, inside: list[list[str]]
) -> None:
    cross_validate(command, config, "--folds", 2, "--repeats", 2)
    fold = command.runs / "small-cv-1" / "fold-2-repeat-2"
    command.train(fold)
    again = command.runs / "small-1"
    first, second = (
        load_checkpoint(run / "checkpoints" / "last.safetensors").arrays
        for run in (fold, again)
    )
    for name, array in first.items():
        np.testing.assert_array_equal(array, second[name])
    assert (
        "split.fold={number: 2, of: 2, repeat: 2}" in (fold / "config.yaml").read_text()
    )


def test_numbers_are_predicted_as_numbers(
    command: Command, config: Path, inside: list[list[str]]
) -> None:
    config.write_text(
        "dataset: {type: linear, samples: 20, coefficients: [1.0, 2.0]}\n"
        "layers: [{type: dense, units: 1}]\nloss: mse\noptimizer: sgd\n"
        "split: {order: given}\nmetrics: [r2]\nname: line\ntraining: {epochs: 1}\n"
    )
    result, _ = cross_validate(command, config, "--folds", 3)
    assert result["kind"] == "Folds in the given order"
    rows = rows_of(command.runs / "line-cv-1" / "predictions.csv")
    assert [int(row["row"]) for row in rows] == [*range(5, 20)]
    errors = [
        (float(row["target"]) - float(row["prediction"])) ** 2 for row in rows[:5]
    ]
    assert np.mean(errors) == pytest.approx(result["runs"][0]["scores"]["loss"])


def test_fold_that_failed_goes_on_where_it_was_and_others_are_left_alone(
    command: Command,
    config: Path,
    inside: list[list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(experiment: Any, fold: FoldRun) -> Any:
        if fold.number == 1:
            raise RunError("broken")
        return _score(experiment, fold)

    with monkeypatch.context() as patch:
        patch.setattr("nncli.cli.fold._score", broken)
        result, progress = cross_validate(command, config, "--folds", 2, expect=1)
    assert [run["status"] for run in result["runs"]] == ["failed", "finished"]
    assert result["runs"][0]["error"] == "broken"
    assert "fold 1 of 2 failed: broken" in progress
    whole = command.runs / "small-cv-1"
    assert f"1 of 2 folds failed.\nGo on with: nncli cv --resume {whole}" in progress
    assert len(result["metrics"]["loss"]["values"]) == 1
    assert result["metrics"]["loss"]["interval"] is None
    times = [path.stat().st_mtime_ns for path in sorted(whole.glob("*/checkpoints/*"))]
    inside.clear()
    _, progress = cross_validate(command, "--resume", whole)
    assert "fold 2 of 2 is there: " in progress
    assert [each[1] for each in inside] == ["1"]
    assert len(rows_of(whole / "predictions.csv")) == 80
    # What was trained is not trained again.
    again = [path.stat().st_mtime_ns for path in sorted(whole.glob("*/checkpoints/*"))]
    assert times == again


def test_fold_that_diverges_is_told_and_settled(
    command: Command, config: Path, inside: list[list[str]]
) -> None:
    given = "optimizer={type: sgd, lr: 1.0e+30}", "loss=mse"
    result, progress = cross_validate(command, config, *given, "--folds", 2, expect=4)
    assert [run["status"] for run in result["runs"]] == ["diverged"] * 2
    assert progress.count(" of 2: diverged: ") == 2
    assert "2 of 2 folds diverged." in progress
    assert result["metrics"] == {}
    inside.clear()
    whole = command.runs / "small-cv-1"
    assert command("cv", "--resume", whole).code == 4
    assert inside == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "cv: expected a CONFIG"),
        (("CONFIG", "--resume", "x"), "leave out the config"),
        (("CONFIG", "--folds", 90), "at least 90 rows for 90 folds, got 80"),
        (("CONFIG", "split.order=given", "--repeats", 2), "order: given leaves one"),
        (("CONFIG", "loss=mae", "layers=[tanh]", "metrics=[r2]"), "metrics[0]"),
        (("--resume", "."), "expected the directory of a cross-validation"),
    ],
)
def test_what_cannot_be_validated_leaves_nothing_behind(
    arguments: Sequence[object], message: str, command: Command, config: Path
) -> None:
    given = [config if each == "CONFIG" else each for each in arguments]
    ended = command("cv", *given, "--runs-dir", command.runs)
    assert ended.code in (1, 2)
    assert message in ended.err
    assert not command.runs.exists()


def processes_with(text: str) -> list[str]:
    """Return the command lines of all processes that name something."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if text in line:
            found.append(line)
    return found


@pytest.mark.slow
def test_stopped_folds_leave_no_process_and_go_on_to_the_same_bits(
    config: Path, command: Command, inside: list[list[str]]
) -> None:
    config.write_text(SMALL.replace("epochs: 5", "epochs: 300"))
    process = start("cv", config, "--folds", 2, "--runs-dir", command.runs)
    whole = command.runs / "small-cv-1"
    log = whole / "fold-1" / "metrics.jsonl"
    assert wait_until(lambda: log.exists() and bool(log.read_text()), process)
    process.send_signal(signal.SIGINT)
    ended = finish(process)
    assert ended.code == 130
    assert f"Go on with: nncli cv --resume {whole}" in ended.err
    assert processes_with(str(whole)) == []
    assert not (whole / "fold-1" / "fold.json").exists()
    resumed = command("cv", "--resume", whole)
    assert resumed.code == 0, resumed.err
    assert f"predictions: {whole / 'predictions.csv'}" in resumed.out
    assert len(rows_of(whole / "predictions.csv")) == 80
    command.train(whole / "fold-1")
    last = Path("checkpoints") / "last.safetensors"
    unbroken = load_checkpoint(command.runs / "small-1" / last).arrays
    for name, array in load_checkpoint(whole / "fold-1" / last).arrays.items():
        np.testing.assert_array_equal(array, unbroken[name])


def test_children_end_when_nobody_wants_them_any_more() -> None:
    # It waits for its standard input to end, but for what it refuses at once.
    ended = run_modules("json.tool", [[], ["no-such-file"], []], 2)
    place, code, text = next(ended)
    assert (place, code) == (1, 2)
    assert "no-such-file" in text
    running = processes_with(f"{sys.executable} -P -m json.tool")
    assert len(running) == 1
    ended.close()
    assert processes_with(f"{sys.executable} -P -m json.tool") == []
