"""``nncli doctor``: what it prints, its exit codes, and that it leaves no trace."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.cells import cell_len

from nncli.checking.doctor.examine import names
from tests.command import Command

Write = Callable[..., Path]


def test_healthy_config_ends_with_0_and_one_line(
    command: Command, write_config: Write
) -> None:
    outcome = command("doctor", write_config())
    assert outcome.code == 0
    assert outcome.out == f"nothing found, in {len(names())} checks\n"


def test_findings_end_with_1_and_commands_that_mend_them(
    command: Command, write_config: Write
) -> None:
    path = write_config()
    outcome = command("doctor", path, "optimizer.lr=50", "seed=5")
    assert outcome.code == 1
    assert "! learning_rate: The learning rate 50 is too large" in outcome.out
    assert outcome.out.endswith("\n\n1 finding.\n")
    lines = [x for x in outcome.out.splitlines() if x.startswith("  next: ")]
    program, verb, *arguments = shlex.split(lines[0].removeprefix("  next: "))
    assert (program, verb, arguments[0]) == ("nncli", "train", str(path))
    # The rate that it replaces is gone, what else was changed stays.
    assert arguments[1] == "seed=5"
    assert "optimizer.lr=50" not in arguments
    assert command("doctor", *arguments).code == 0


def test_several_findings_end_with_where_to_begin(
    command: Command, write_config: Write
) -> None:
    frozen = "layers[0].trainable=false"
    outcome = command("doctor", write_config(), "optimizer.lr=50", frozen)
    assert outcome.code == 1
    assert outcome.out.endswith(
        "2 findings. Begin with the first: it may be the cause of others.\n"
    )


def test_json_has_every_finding_and_check(
    command: Command, write_config: Write
) -> None:
    outcome = command("doctor", write_config(), "layers[0].trainable=false", "--json")
    assert outcome.code == 1
    facts = outcome.json()
    assert facts["healthy"] is False
    assert facts["checks"] == names()
    (finding,) = facts["findings"]
    assert finding["check"] == "frozen_layers"
    assert finding["overrides"] == ["layers[0].trainable=true"]
    healthy = command("doctor", write_config(), "--json")
    assert (healthy.code, healthy.json()["findings"]) == (0, [])


def test_run_is_examined_with_what_its_training_left(
    command: Command, write_config: Write
) -> None:
    command.train(write_config(), "layers[1]=relu", "optimizer={type: sgd, lr: 30}")
    run = command.runs / "small-1"
    found = command("doctor", run, "--json").json()["findings"]
    assert "trained_units" in {finding["check"] for finding in found}
    # With other values, the training that is looked at would be another one.
    changed = command("doctor", run, "optimizer.lr=0.02", "--json").json()["findings"]
    assert "trained_units" not in {finding["check"] for finding in changed}


def test_what_building_refuses_is_a_finding_and_what_is_no_config_an_error(
    command: Command, write_config: Write
) -> None:
    path = write_config()
    refused = command("doctor", path, "loss=mse", "layers[2].units=3")
    assert refused.code == 1
    assert "! refused: layers[2].units: mse cannot compare 2 classes" in refused.out
    unknown = command("doctor", path, "optimiser.lr=1")
    assert (unknown.code, unknown.out) == (2, "")
    assert "optimizer" in unknown.err
    assert command("doctor", "nothing-there").code == 2


def test_run_is_examined_and_stays_as_it_was(
    command: Command, write_config: Write, tmp_path: Path
) -> None:
    command.train(write_config(), "optimizer.lr=50", "training.epochs=1")
    run = command.runs / "small-1"
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    outcome = command("doctor", "small-1", "--runs-dir", command.runs)
    assert outcome.code == 1
    assert "Take a smaller learning rate." in outcome.out
    lines = [x for x in outcome.out.splitlines() if x.startswith("  next: ")]
    assert lines[0].endswith(f" --runs-dir {command.runs}")
    assert command("doctor", run / "checkpoints" / "last.safetensors").code == 1
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before


@pytest.mark.parametrize("width", [80, 60, 40])
def test_findings_fit_the_terminal(
    command: Command, write_config: Write, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    lines = command("doctor", write_config(), "optimizer.lr=50").out.splitlines()
    # A command is to be pasted, and stays whole.
    lines = [line for line in lines if not line.startswith("  next: ")]
    assert len(lines) > 4
    assert max(map(cell_len, lines)) <= width


def test_slow_examination_says_what_it_does(
    command: Command, write_config: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_config()
    assert command("doctor", path).err == ""
    monkeypatch.setattr("nncli.checking.doctor.examination.LARGE", 1.0)
    assert "doctor: learning_rate ..." in command("doctor", path).err
