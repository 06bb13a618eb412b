"""nncli compare: scores, keys that differ, the step where runs part."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.command import Command
from tests.runs.made import make_run


def test_runs_are_compared_with_the_first(
    command: Command,
    write_config: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    config = write_config()
    # The same twice, and with another rate from the third epoch on.
    for changes in ([], [], ["training.epochs=2"]):
        command.train(config, *changes)
    command("train", "--resume", "small-3", "optimizer.lr=0.5", "training.epochs=5")

    result = command("compare", "small-1", "small-2", "small-3", "--json").json()
    paths = ["runs/small-1", "runs/small-2", "runs/small-3"]
    assert [run["path"] for run in result["runs"]] == paths
    rates = dict(zip(paths, [0.02, 0.02, 0.5], strict=True))
    assert result["config"] == {"optimizer.lr": rates}
    assert result["environment"] == {}
    same, other = result["parting"]
    assert (same["runs"], same["rows"], same["step"]) == (paths[:2], 5, None)
    assert other["runs"] == [paths[0], paths[2]]
    # Four steps an epoch. The row of epoch 2 was written before the change.
    assert (other["rows"], other["same"], other["step"]) == (2, 8, 12)
    assert other["differs"]["lr"] == [0.02, 0.5]

    out = command("compare", "small-1", "small-2", "runs/small-3").out
    assert "optimizer.lr   0.02      0.02      0.5\n" in out
    assert "made with: the same" in out
    assert "small-1 and small-2 are the same up to the last step of both, 20." in out
    told = "small-1 and small-3 are the same up to step 8, and differ from step 12 on:"
    assert told in out
    assert "  lr: 0.02 and 0.5\n" in out
    line = next(line for line in out.splitlines() if line.startswith("train loss"))
    first, second, third = line.split()[2:]
    assert first == second != third


def test_numbers_have_the_digits_that_tell_them_apart(
    command: Command, tmp_path: Path
) -> None:
    make_run(tmp_path, "a-1", losses=(0.5,))
    make_run(tmp_path, "a-2", losses=(0.5 + 2**-52,), numpy="2.4.7")
    out = command("compare", "a-1", "a-2", "--runs-dir", tmp_path).out
    assert "  train.loss: 0.5 and 0.5000000000000002\n" in out
    assert "config: the same" in out
    assert re.search(r"^numpy +2\.4\.6 +2\.4\.7$", out, re.MULTILINE)


def test_narrow_terminal_shows_values_below_each_other(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    layers = [{"type": "dense", "units": 300, "bias": True}]
    make_run(tmp_path, "a-1", config={"layers": layers})
    make_run(tmp_path, "a-2", config={"layers": [*layers, {"type": "relu"}]})
    make_run(tmp_path, "a-3", config={"layers": ["unknown-component" * 3]})
    out = command("compare", "a-1", "a-2", "a-3", "--runs-dir", tmp_path).out
    assert "config: layers[0]\n  a-1: {type: dense, units: 300}\n" in out
    assert "config: layers[1]\n  a-1: -\n  a-2: relu\n  a-3: -\n" in out
    assert max(map(len, out.split("config")[0].splitlines())) <= 40


@pytest.mark.parametrize(
    ("arguments", "message", "code"),
    [
        (["a-1"], "expected two runs or more", 2),
        (["a-1", "a-1"], "expected two runs or more", 2),
        (["a-1", "a-9"], "Did you mean 'a-1'", 2),
        (["a-1", "b-1"], "expected a checkpoint", 1),
    ],
)
def test_what_cannot_be_compared_is_one_message(
    command: Command, tmp_path: Path, arguments: list[str], message: str, code: int
) -> None:
    make_run(tmp_path, "a-1")
    make_run(tmp_path, "b-1").last.write_bytes(b"junk")
    outcome = command("compare", *arguments, "--runs-dir", tmp_path)
    assert outcome.code == code
    assert message in outcome.err
    assert outcome.out == ""
