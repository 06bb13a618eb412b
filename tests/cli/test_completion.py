"""What the shell is offered: names, places of the config, runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from nncli.cli.app import run
from nncli.config.paths import completions
from tests.conftest import CONFIGS


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def offered(
    line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> list[str]:
    """Return what bash is told for a line that ends where TAB was pressed."""
    monkeypatch.setenv("_NNCLI_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", line)
    monkeypatch.setenv("COMP_CWORD", str(len(line.split(" ")) - 1))
    capsys.readouterr()
    assert run([]) == 0
    return capsys.readouterr().out.split()


LINES = {
    "nncli components de": ["dense"],
    "nncli components training.": [
        "training.average",
        "training.early_stopping",
        "training.record",
    ],
    "nncli train spi": ["spiral"],
    "nncli train spiral optimizer.l": ["optimizer.lr="],
    "nncli train spiral layers[0].u": ["layers[0].units="],
    "nncli train spiral layers[1].": ["layers[1].trainable=", "layers[1].type="],
    "nncli train spiral optimizer=adam": [
        "optimizer=adam", "optimizer=adamax", "optimizer=adamw"
    ],
    "nncli summary spiral seed=1 split.v": ["split.validation="],
    "nncli train no-such-config sp": [
        "split.column=", "split.fold=", "split.group=", "split.order=", "split.seed=",
        "split.stratify=", "split.test=", "split.time=", "split.validation=", "split="
    ],
    "nncli gradcheck layer_n": ["layer_norm"],
    "nncli gradcheck xor loss.r": ["loss.reduction="],
    "nncli init resi": ["residual"],
    "nncli eval ": ["runs/a-1", "runs/b-1"],
    "nncli train --resume runs/b": ["runs/b-1"],
    "nncli train --resume b": ["b-1"],
    "nncli summary a-": ["a-1"],
    "nncli compare a-1 runs/": ["runs/a-1", "runs/b-1"],
    "nncli runs rm ": ["a-1", "b-1"],
    "nncli runs tag a-1 g": ["good"],
    "nncli runs --state di": ["diverged"],
    "nncli runs --sort s": ["state", "started", "seconds", "steps"],
    "nncli runs rm --runs-dir other ": ["c-1"],
    "nncli config show mi": ["mine.yaml"],
}  # fmt: skip


@pytest.mark.parametrize(("line", "wanted"), LINES.items(), ids=list(LINES))
def test_shell_is_offered(
    line: str,
    wanted: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in ("runs/a-1", "runs/b-1", "other/c-1"):
        Path(name, "checkpoints").mkdir(parents=True)
    Path("runs", "a-1", "tags.json").write_text('["good"]', encoding="utf-8")
    Path("runs", "no-run").mkdir()
    Path("mine.yaml").touch()
    assert offered(line, monkeypatch, capsys) == wanted


HOSTILE = (
    *("x$(touch PWNED)", "x`id`", "x;id", "x|id", "x&id", "x>out", "x<in", "x id"),
    *("x'", 'x"', "x\\y", "x{a,b}", "x*", "x?", "x[+-a]", "x!!", "x#y", "x\ny", "x\ty"),
    *("x\x1b[31m", "x\x07", "x\N{RIGHT-TO-LEFT OVERRIDE}y", "x\udcff", "~x", "-x"),
)


@pytest.mark.slow
def test_shell_is_offered_no_name_that_it_would_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in HOSTILE:
        Path("runs", name, "checkpoints").mkdir(parents=True)
        Path(f"{name}.yaml").touch()
        Path(name).mkdir()
    Path("runs", "é.1", "checkpoints").mkdir(parents=True)
    tags = json.dumps(["good", *HOSTILE])
    Path("runs", "é.1", "tags.json").write_text(tags, encoding="utf-8")
    lines = {
        "report runs/": ["runs/-x", "runs/é.1"],
        "report x": [],
        "report ~": [],
        "runs rm ": ["é.1"],
        "runs --tag ": ["good"],
        "config show x": ["xor"],
    }
    assert lines == {
        line: offered(f"nncli {line}", monkeypatch, capsys) for line in lines
    }


def test_shell_is_offered_plain_names_of_any_language(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ["a.b+c@1,2%3", "run[12]", "été_2026-01-01", "训练-1"]
    for name in names:
        Path("runs", name, "checkpoints").mkdir(parents=True)
    assert offered("nncli runs rm ", monkeypatch, capsys) == names


def test_places_of_nested_layers_are_offered() -> None:
    value = {"layers": [{"type": "residual", "layers": ["relu", {"type": "dense"}]}]}
    assert "layers[0].layers[1].units=" in completions(value, "layers[0].layers[1].")
    assert completions(value, "layers[0].layers[1].bias=") == [
        "layers[0].layers[1].bias=false",
        "layers[0].layers[1].bias=true",
    ]
    assert completions("no mapping", "see") == ["seed="]


def test_help_loads_no_numbers() -> None:
    code = (
        "import sys; from nncli.cli.app import make_app; make_app();"
        "sys.exit('numpy' in sys.modules)"
    )
    environment = {**os.environ, "PYTHONPATH": str(CONFIGS.parent)}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
