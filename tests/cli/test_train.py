"""``nncli train``: from a config to a run, and on from a run."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nncli.core.text import scores_text
from nncli.runs.checkpoint import load_checkpoint
from nncli.runs.directory import RunDirectory
from nncli.training import progress
from nncli.training.trainer import Trainer
from tests.cli.plugins import write_plugin
from tests.command import Command
from tests.conftest import SMALL, each_config, evaluations

Write = Callable[..., Path]

DIVERGING = ["optimizer={type: sgd, lr: 1e30}", "layers[1]=relu"]


@each_config
def test_train_runs_every_config_that_ships(
    command: Command, monkeypatch: pytest.MonkeyPatch, config: Path
) -> None:
    monkeypatch.setattr(progress, "LINE_SECONDS", 0.0)
    outcome = command.train(config, *evaluations(config, 3))
    assert len(outcome.err.splitlines()) == 4
    assert max(map(len, outcome.err.splitlines())) <= 80
    run = RunDirectory(command.runs / f"{config.stem}-1")
    assert outcome.out.splitlines()[0] == f"run {run.path}"
    assert outcome.out.splitlines()[-1] == f"next: nncli eval {run.path}"
    assert outcome.out.count("run ") == 1
    assert len(run.rows()) == 3
    assert run.last.exists()
    assert run.best.exists()
    log = run.log.read_text(encoding="utf-8").splitlines()
    assert len(log) == 5
    assert re.search("start at (epoch|step) 0$", log[0])
    assert re.search("end at (epoch|step) 3$", log[-1])


def test_train_reports_what_the_last_row_and_the_best_are(
    command: Command, write_config: Write
) -> None:
    outcome = command.train(write_config(), "training.epochs=40", "optimizer.lr=0.3")
    run = RunDirectory(command.runs / "small-1")
    last = run.rows()[-1]
    for part in ("train", "validation"):
        shown = f"{part}: {scores_text(last[part])}"
        assert shown in " ".join(outcome.out.split())
    losses = [row["validation"]["loss"] for row in run.rows()]
    best = losses.index(min(losses)) + 1
    assert f"after epoch {best}" in outcome.out
    assert load_checkpoint(run.best).meta["progress"]["epoch"] == best
    assert "40 epochs, 160 steps" in outcome.out


def test_train_json_is_the_summary(command: Command, write_config: Write) -> None:
    outcome = command.train(write_config(), "--json")
    result = outcome.json()
    run = RunDirectory(command.runs / "small-1")
    assert result == json.loads(run.summary.read_text(encoding="utf-8"))
    assert result["run"] == str(run.path)
    assert result["status"] == "finished"
    assert (result["epochs"], result["steps"]) == (5, 20)
    assert result["last"] == run.rows()[-1]
    assert f"run {run.path}" in outcome.err


def test_train_twice_makes_two_runs_with_the_same_bits(
    command: Command, write_config: Write
) -> None:
    config = write_config()
    command.train(config)
    command.train(config)
    first, second = (RunDirectory(command.runs / f"small-{i}") for i in (1, 2))
    assert first.metrics.read_bytes() == second.metrics.read_bytes()
    ours, theirs = load_checkpoint(first.last), load_checkpoint(second.last)
    assert ours.meta == theirs.meta
    assert {k: v.tobytes() for k, v in ours.arrays.items()} == {
        k: v.tobytes() for k, v in theirs.arrays.items()
    }


def test_train_takes_a_name_and_overrides(
    command: Command, write_config: Write
) -> None:
    command.train(write_config(), "training.epochs=2", "--name", "it")
    run = RunDirectory(command.runs / "it-1")
    assert "# training.epochs=2" in run.config.read_text(encoding="utf-8")
    for name in ("a/b", "it's", "..", "", "null", "12"):
        outcome = command("train", write_config(), "--name", name, "training.epochs=1")
        assert outcome.code == (2 if name not in ("null", "12") else 0), name


def test_train_of_a_bad_config_makes_no_run(
    command: Command, write_config: Write
) -> None:
    for text in (SMALL.replace("tanh", "tanhh"), "layers: [", ""):
        outcome = command.train(write_config(text), expect=2)
        assert outcome.out == ""
        assert "config.yaml" in outcome.err
    outcome = command.train(write_config(), "layers[2].units=3", expect=2)
    assert "layers[2].units" in outcome.err
    assert not command.runs.exists()


def test_dry_run_writes_nothing(
    command: Command,
    write_config: Write,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    config = write_config()
    before = list(tmp_path.rglob("*"))
    outcome = command("train", config, "--dry-run", *DIVERGING)
    assert outcome.code == 0
    assert "Nothing was written" in outcome.out
    assert "layers[2] dense" in outcome.out
    assert list(tmp_path.rglob("*")) == before


def test_resume_goes_on_where_the_run_was(
    command: Command, write_config: Write
) -> None:
    config = write_config()
    command.train(config)
    command.train(config, "training.epochs=9", "--name", "whole")
    run = command.runs / "small-1"
    outcome = command("train", "--resume", run, "training.epochs=9")
    assert outcome.code == 0, outcome.err
    ours, whole = (RunDirectory(path) for path in (run, command.runs / "whole-1"))
    assert ours.metrics.read_bytes() == whole.metrics.read_bytes()
    log = ours.log.read_text(encoding="utf-8")
    assert "end at epoch 5" in log
    assert "start at epoch 5" in log


def test_resume_of_a_finished_run_is_refused_and_changes_nothing(
    command: Command, write_config: Write
) -> None:
    command.train(write_config())
    run = command.runs / "small-1"
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    outcome = command("train", "--resume", run)
    assert outcome.code == 2
    assert "training.epochs=10" in outcome.err
    assert before == {
        path: path.read_bytes() for path in run.rglob("*") if path.is_file()
    }


def test_resume_completes_a_run_that_was_killed_at_its_very_end(
    command: Command, write_config: Write
) -> None:
    command.train(write_config())
    run = RunDirectory(command.runs / "small-1")
    rows = run.metrics.read_bytes()
    run.summary.unlink()
    outcome = command("train", "--resume", run.path)
    assert outcome.code == 0
    assert "next: nncli eval" in outcome.out
    assert json.loads(run.summary.read_text())["status"] == "finished"
    assert run.metrics.read_bytes() == rows


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["optimizer=sgd"], 2, "only be changed in training.* and optimizer.lr"),
        (["--from", "x"], 2, "--from"),
        (["--name", "x"], 2, "--name"),
        (["--dry-run"], 2, "--dry-run"),
        (["other.yaml"], 2, "other.yaml"),
    ],
)
def test_resume_takes_no_other_changes(
    command: Command, write_config: Write, arguments: list[str], code: int, text: str
) -> None:
    command.train(write_config())
    outcome = command("train", "--resume", command.runs / "small-1", *arguments)
    assert outcome.code == code
    assert text in outcome.err


def test_resume_of_what_is_no_run_is_refused(command: Command, tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing", Path("/dev/null")):
        outcome = command("train", "--resume", path)
        assert outcome.code == 2
        assert f"{path}: expected a run" in outcome.err


@pytest.fixture
def run(command: Command, write_config: Write) -> RunDirectory:
    """Return a run that can go on."""
    command.train(write_config())
    run = RunDirectory(command.runs / "small-1")
    run.summary.unlink()
    return run


@pytest.mark.parametrize(
    "damage",
    [
        lambda run: run.last.unlink(),
        lambda run: run.last.write_bytes(b""),
        lambda run: run.last.write_bytes(run.last.read_bytes()[:-1]),
        lambda run: run.last.write_bytes(b"\x80\x04K\x01."),
        lambda run: run.metrics.unlink(),
        lambda run: run.metrics.write_bytes(b""),
        lambda run: run.metrics.write_bytes(b"[" * 10**5),
    ],
)
def test_resume_of_a_damaged_run_is_one_message(
    command: Command, run: RunDirectory, damage: Callable[[RunDirectory], Any]
) -> None:
    damage(run)
    outcome = command("train", "--resume", run.path)
    assert outcome.code == 1
    assert outcome.out == ""
    assert outcome.err.startswith("error: ")
    assert str(run.path) in outcome.err
    assert len(outcome.err.splitlines()) == 1


def test_divergence_is_exit_code_4_and_keeps_the_best(
    command: Command, write_config: Write
) -> None:
    config = write_config()
    outcome = command.train(config, *DIVERGING, expect=4)
    assert "step 2: training diverged" in outcome.err
    assert "layers[2] dense" in outcome.err
    run = RunDirectory(command.runs / "small-1")
    assert json.loads(run.summary.read_text())["status"] == "diverged"
    assert not run.best.exists()
    assert "best checkpoint" not in outcome.err
    assert load_checkpoint(run.last).meta["progress"]["step"] == 0


def test_divergence_after_good_epochs_names_the_best_checkpoint(
    command: Command, write_config: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    def explode(self: Trainer) -> float:
        return 1e30 if self.progress.step >= 10 else 0.02

    monkeypatch.setattr(Trainer, "lr", property(explode))
    outcome = command.train(write_config(), "layers[1]=relu", "--json", expect=4)
    assert outcome.json()["status"] == "diverged"
    run = RunDirectory(command.runs / "small-1")
    assert str(run.best) in outcome.err
    assert load_checkpoint(run.best).meta["progress"]["epoch"] in (1, 2)


def test_interrupted_json_says_so(
    command: Command, write_config: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit = Trainer.fit

    def stop(self: Trainer) -> None:
        self.interrupted = True
        fit(self)

    monkeypatch.setattr(Trainer, "fit", stop)
    outcome = command.train(write_config(), "--json", expect=130)
    assert outcome.json()["status"] == "interrupted"
    assert "nncli train --resume" in outcome.err


@pytest.mark.usefixtures("own_registries")
def test_train_uses_a_plugin_where_it_is_allowed(
    command: Command, write_config: Write, tmp_path: Path
) -> None:
    write_plugin(tmp_path)
    text = SMALL.replace("tanh", "my_cube") + "plugins: [cube.py]\n"
    config = write_config(text)
    command.train(config, "--allow-plugins", "training.epochs=30")
    run = RunDirectory(command.runs / "small-1")
    loss = [row["train"]["loss"] for row in run.rows()]
    assert loss[-1] < loss[0]
    outcome = command("eval", run.path, "--allow-plugins", "--json")
    assert outcome.code == 0
    assert command("eval", run.path).code == 2
    more = command("train", "--resume", run.path, "training.epochs=31")
    assert more.code == 2
    assert "--allow-plugins" in more.err


def test_train_refuses_a_plugin_without_leave(
    command: Command, write_config: Write, tmp_path: Path
) -> None:
    sign = tmp_path / "it-ran"
    (tmp_path / "evil.py").write_text(f"open({str(sign)!r}, 'w')\n")
    config = write_config(SMALL + "plugins: [evil.py]\n")
    outcome = command.train(config, expect=2)
    assert "--allow-plugins" in outcome.err
    assert not sign.exists()
    assert not command.runs.exists()


@pytest.mark.usefixtures("own_registries")
@pytest.mark.parametrize("text", ["1 / 0\n", "def (\n", "import nowhere\n"])
def test_plugin_that_fails_is_one_message_with_its_line(
    command: Command, write_config: Write, tmp_path: Path, text: str
) -> None:
    (tmp_path / "broken.py").write_text(f"\n{text}", encoding="utf-8")
    config = write_config(SMALL + "plugins: [broken.py]\n")
    outcome = command.train(config, "--allow-plugins", expect=1)
    assert "broken.py:2: the plugin failed while it was loaded" in outcome.err
    assert "Traceback" not in outcome.err
    assert not command.runs.exists()


def test_runs_directory_that_cannot_be_made_is_one_message(
    command: Command, write_config: Write, tmp_path: Path
) -> None:
    outcome = command("train", write_config(), "--runs-dir", tmp_path / "config.yaml")
    assert outcome.code == 2
    assert "Not a directory. Choose another with --runs-dir." in outcome.err


def test_train_puts_runs_into_the_working_directory(
    command: Command,
    write_config: Write,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "work").mkdir()
    config = write_config()
    monkeypatch.chdir(tmp_path / "work")
    outcome = command("train", config)
    assert outcome.out.startswith("run runs/small-1\n")
    assert (tmp_path / "work" / "runs" / "small-1").is_dir()


def test_train_command_is_in_the_manifest(
    command: Command, write_config: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["/x/nncli", "train", "a b.yaml"])
    command.train(write_config())
    facts = json.loads((command.runs / "small-1" / "manifest.json").read_text())
    assert facts["command"] == ["nncli", "train", "a b.yaml"]


def test_commands_that_are_shown_can_be_pasted(
    command: Command, write_config: Write, tmp_path: Path
) -> None:
    parent = tmp_path / "my runs"
    outcome = command("train", write_config(), "--runs-dir", parent)
    assert f"next: nncli eval '{parent}/small-1'" in outcome.out


def test_wrong_number_of_epochs_to_go_on_is_told_with_its_place(
    command: Command, write_config: Write
) -> None:
    command.train(write_config())
    run = RunDirectory(command.runs / "small-1")
    before = run.last.read_bytes()
    for value in ("abc", "-1", "1.5", "[3]"):
        outcome = command("train", "--resume", run.path, f"training.epochs={value}")
        assert outcome.code == 2
        place = f"command line: training.epochs={value}: training.epochs: expected an "
        assert place in outcome.err
    assert run.last.read_bytes() == before


def test_edited_config_of_a_run_is_noticed(command: Command, run: RunDirectory) -> None:
    text = run.config.read_text(encoding="utf-8")
    run.config.write_text(text.replace("lr: 0.02", "lr: 0.5"), encoding="utf-8")
    outcome = command("train", "--resume", run.path)
    assert outcome.code == 0
    assert f"note: {run.config} was edited. What counts is the run's own" in outcome.err
    assert str(run.resolved) not in outcome.err


BAD_LAYER = """\
from nncli.layers.base import Layer


class Bad(Layer, name="my_bad"):
    \"\"\"Fails.\"\"\"

    moment: str

    def build(self, input_shape, rng):
        self.calls = 0
        if self.moment == "build":
            return {}["build"]
        return input_shape

    def __call__(self, x):
        if self.training and self.moment == "training":
            raise ValueError("not like that")
        return x
"""


@pytest.mark.usefixtures("own_registries")
@pytest.mark.parametrize(
    ("moment", "line", "text"),
    [
        ("build", 12, "while building layers[1] my_bad: KeyError: 'build'"),
        (
            "training",
            17,
            "while running layers[1] my_bad, making training step 1: ValueError: not "
            "like that",
        ),
    ],
)
def test_exception_of_a_plugin_is_told_as_one(
    command: Command,
    write_config: Write,
    tmp_path: Path,
    moment: str,
    line: int,
    text: str,
) -> None:
    (tmp_path / "bad.py").write_text(BAD_LAYER, encoding="utf-8")
    layer = f"{{type: my_bad, moment: {moment}}}"
    config = write_config(SMALL.replace("tanh", layer) + "plugins: [bad.py]\n")
    outcome = command.train(config, "--allow-plugins", expect=1)
    message = f"{tmp_path / 'bad.py'}:{line}: the plugin failed {text}"
    assert outcome.err.splitlines()[-1] == f"error: {message}"
    run = RunDirectory(command.runs / "small-1")
    if moment == "build":
        assert not command.runs.exists()
        return
    facts = json.loads(run.summary.read_text(encoding="utf-8"))
    assert (facts["status"], facts["error"]) == ("failed", message)
    assert f"failed: {message}" in run.log.read_text(encoding="utf-8")


def test_too_many_layers_are_refused_at_their_line(
    command: Command, write_config: Write
) -> None:
    block = "{type: sequential, repeat: 1000, layers: [relu]}"
    nested = f"{{type: sequential, repeat: 1000, layers: [{block}]}}"
    outcome = command.train(write_config(SMALL.replace("tanh", nested)), expect=2)
    assert "config.yaml:7:5: layers[1]: " in outcome.err
    assert "at most 10,000 layers in all" in outcome.err
    assert "got 1,001,002" in outcome.err


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_paths_that_are_not_utf8_work(
    command: Command, write_config: Write, tmp_path: Path
) -> None:
    odd = tmp_path / "r\udce9sum\udce9"
    odd.mkdir()
    (odd / "c\udce9.yaml").write_text(SMALL.replace("name: small\n", ""))
    (odd / "p\udce9.py").write_text("")
    made = command("train", odd / "c\udce9.yaml", "--runs-dir", odd)
    assert made.code == 0, made.err
    run = RunDirectory(odd / "c--1")
    facts = json.loads(run.summary.read_text(encoding="utf-8"))
    assert facts["run"] == str(run.path)
    assert command("eval", run.path, "--json").code == 0
    more = command("train", "--resume", run.path, "training.epochs=6", "--json")
    assert more.code == 0, more.err
    for arguments in (
        ["eval", odd / "none"],
        ["train", odd / "none.yaml"],
        ["train", odd / "c\udce9.yaml", "a\udce9=3"],
        ["train", odd / "c\udce9.yaml", "name=a\udce9"],
        ["components", "r\udce9"],
        ["components", "relu", "--plugin", odd / "none.py"],
        ["config", "show", odd],
    ):
        outcome = command(*arguments)
        assert outcome.code in (1, 2)
        assert outcome.err.startswith("error: ")
    assert command("components", "relu", "--plugin", odd / "p\udce9.py").code == 0
