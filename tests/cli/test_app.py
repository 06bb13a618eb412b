"""App: verbs, help, exit codes, and output that cannot be written."""

from __future__ import annotations

import json
import pkgutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.cells import cell_len

from nncli.cli import app, commands
from nncli.cli.commands import data
from nncli.core import errors
from nncli.runs.checkpoint import load_checkpoint
from nncli.runs.directory import RunDirectory
from tests.command import Command, command_line, environment
from tests.conftest import CONFIGS

VERBS: list[list[str]] = [
    *(
        [info.name.replace("_", "-")]
        for info in pkgutil.iter_modules(commands.__path__)
    ),
    *(["config", name] for name in ("validate", "show", "schema")),
    *(["data", info.name] for info in pkgutil.iter_modules(data.__path__)),
]
LEAVES = [verb for verb in VERBS if verb not in (["config"], ["data"])]
IDS = [" ".join(verb) for verb in VERBS]


def shell(script: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a line of bash in which ``nncli`` is a real process."""
    program = " ".join(command_line())
    return subprocess.run(
        ["bash", "-c", f'set -o pipefail; nncli() {{ {program} "$@"; }}; {script}'],
        cwd=cwd,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize("verb", VERBS, ids=IDS)
@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help_is_there_and_fits_80_columns(
    command: Command, verb: list[str], option: str
) -> None:
    outcome = command(*verb, option)
    assert outcome.code == 0
    assert outcome.out.startswith(f"Usage: nncli {' '.join(verb)} ")
    assert max(map(len, outcome.out.splitlines())) <= 80
    assert "\b" not in outcome.out
    assert "\\b" not in outcome.out


@pytest.mark.parametrize("verb", LEAVES, ids=[" ".join(verb) for verb in LEAVES])
def test_help_shows_each_example_on_a_line_of_its_own(
    command: Command, verb: list[str]
) -> None:
    lines = command(*verb, "--help").out.splitlines()
    start = next(
        i for i, line in enumerate(lines) if line.strip().startswith("Example")
    )
    examples = [line.strip() for line in lines[start + 1 :]]
    assert examples[0].startswith(f"nncli {' '.join(verb)}")
    assert all(line.count("nncli ") <= 1 for line in examples)


def test_help_names_every_verb_and_what_it_does_in_full(command: Command) -> None:
    out = command("--help").out
    for verb in {verb[0] for verb in VERBS}:
        assert any(line.startswith(f"  {verb} ") for line in out.splitlines())
    assert "..." not in out.partition("Commands:")[2]


def test_help_gives_defaults_and_choices(command: Command) -> None:
    assert "[default: runs]" in command("train", "--help").out
    out = command("eval", "--help").out
    assert "train|validation|test|fresh" in out
    assert "RUN|CHECKPOINT" in out


def test_version_is_that_of_the_package(command: Command) -> None:
    from importlib.metadata import version

    assert command("--version").out == f"nncli {version('nncli')}\n"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["fly"], "fly"),
        (["train"], "expected a CONFIG"),
        (["train", "--fly"], "--fly"),
        (["train", str(CONFIGS / "xor.yaml"), "--name"], "--name"),
        (["train", str(CONFIGS / "xor.yaml"), "lr"], "path=value"),
        (["train", "missing.yaml"], "missing.yaml"),
        (["eval"], "RUN|CHECKPOINT"),
        (["eval", "x", "--split", "half"], "half"),
        (["eval", "x", "--seed", "-1", "--split", "fresh"], "--seed"),
        (["eval", "x", "--seed", "1"], "--split fresh"),
        (["summary"], "CONFIG"),
        (["config", "fly"], "fly"),
        (["components", "reluu"], "relu"),
        (["gradcheck", "--plugin", "missing.py"], "missing.py"),
    ],
    ids=lambda value: " ".join(value)[-30:] if isinstance(value, list) else "",
)
def test_wrong_usage_is_one_message_and_exit_code_2(
    command: Command, arguments: list[str], text: str
) -> None:
    outcome = command(*arguments)
    assert outcome.code == 2
    assert outcome.out == ""
    assert text in outcome.err
    assert "Traceback" not in outcome.err
    assert len(outcome.err.splitlines()) <= 4


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        (
            ["plot", "x", "--split", "tset"],
            "--split: expected one of 'train', 'validation', 'test', got 'tset'. Did "
            "you mean 'test'?",
        ),
        (["ui", "--port", "99999"], "--port: expected an integer >= 0 and <= 65535, "),
        (["runs", "-n", "x"], "--limit: expected an integer >= 1, got 'x'."),
        (["cv", "--folds", "2.5"], "--folds: expected an integer >= 2 and <= 1000, "),
        (["lr-find", "xor", "--low", "a"], "--low: expected a number, got 'a'."),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_value_of_an_option_is_refused_like_any_other(
    command: Command, arguments: list[str], wanted: str
) -> None:
    outcome = command(*arguments)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith(f"error: {wanted}")
    assert len(outcome.err.splitlines()) == 1


@pytest.mark.parametrize("arguments", [[], ["config"]], ids=["nncli", "nncli config"])
def test_no_verb_shows_the_help(command: Command, arguments: list[str]) -> None:
    outcome = command(*arguments)
    assert outcome.code == 2
    assert "Usage: nncli" in outcome.out + outcome.err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.NncliError("x"), 1),
        (errors.UsageError("x"), 2),
        (errors.ArgumentError("x"), 2),
        (errors.ShapeError("x"), 2),
        (errors.DataError("x"), 2),
        (errors.RunError("x"), 1),
        (errors.CheckFailed("x"), 3),
        (errors.DivergedError("x"), 4),
        (errors.InterruptedRun("x"), 130),
        (KeyboardInterrupt(), 130),
        (MemoryError(), 1),
        (OSError(28, "No space left on device", "file"), 1),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_every_failure_is_a_message_and_its_exit_code(
    command: Command,
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    code: int,
) -> None:
    def fail(_verb: str) -> Callable[..., object]:
        raise error

    monkeypatch.setattr(app, "make_app", fail)
    outcome = command("train")
    assert outcome.code == code
    assert outcome.out == ""
    assert len(outcome.err.splitlines()) == 1


def test_mistakes_of_our_own_are_not_hidden(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_verb: str) -> Callable[..., object]:
        raise ZeroDivisionError

    monkeypatch.setattr(app, "make_app", fail)
    with pytest.raises(ZeroDivisionError):
        command("train")


@pytest.mark.slow
@pytest.mark.parametrize(
    "script",
    [
        "nncli components --json | head -1",
        "nncli components | true",
        "nncli --help | true",
    ],
)
def test_reader_that_leaves_causes_no_traceback(tmp_path: Path, script: str) -> None:
    outcome = shell(script, tmp_path)
    assert outcome.stderr == ""
    assert outcome.returncode in (0, 1)
    if "head -1" in script:
        assert outcome.stdout.strip()


@pytest.mark.slow
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize(
    "script",
    [
        "nncli components > /dev/full",
        "nncli --help > /dev/full",
        "nncli config show $CONFIGS/xor.yaml > /dev/full",
    ],
)
def test_full_disk_is_one_message(tmp_path: Path, script: str) -> None:
    outcome = shell(f"CONFIGS={CONFIGS}; {script}", tmp_path)
    assert outcome.returncode == 1
    assert outcome.stderr == "error: stdout: No space left on device.\n"


@pytest.mark.slow
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize(
    "where",
    [
        *("> /dev/full", "2>&-", "2>&1 | true"),
        *(
            pytest.param(where, marks=pytest.mark.slow)
            for where in (
                *("2> /dev/full", "> /dev/full 2>&1", "--json > /dev/full"),
                *(">&-", ">&- 2>&-", "<&- >&- 2>&-", "| head -1"),
            )
        ),
    ],
)
def test_output_that_cannot_be_shown_does_not_stop_a_training(
    tmp_path: Path, where: str
) -> None:
    train = f"nncli train {CONFIGS}/xor.yaml training.epochs=30"
    outcome = shell(f"{train} {where}; echo ${{PIPESTATUS[0]}} > code", tmp_path)
    assert (tmp_path / "code").read_text() == "0\n"
    run = RunDirectory(tmp_path / "runs" / "xor-1")
    assert json.loads(run.summary.read_text())["status"] == "finished"
    assert load_checkpoint(run.last).meta["progress"]["epoch"] == 30
    # Nothing that is shown went into a file of the run.
    assert len(run.rows()) == len(run.metrics.read_bytes().splitlines())
    assert "Traceback" not in outcome.stderr
    assert "Exception" not in outcome.stderr


@pytest.mark.slow
def test_run_that_has_no_space_is_one_message_and_no_run(tmp_path: Path) -> None:
    # A limit of 2 KiB a file stands for a full disk.
    outcome = shell(f"ulimit -f 2; nncli train {CONFIGS}/xor.yaml", tmp_path)
    assert outcome.returncode == 1
    assert outcome.stdout == ""
    assert len(outcome.stderr.splitlines()) == 1
    assert "last.safetensors: File too large" in outcome.stderr
    assert list((tmp_path / "runs").iterdir()) == []


@pytest.mark.slow
def test_terminal_without_utf8_shows_what_it_can(tmp_path: Path) -> None:
    outcome = subprocess.run(
        command_line("components", "dense"),
        env=environment() | {"PYTHONIOENCODING": "ascii"},
        capture_output=True,
        check=True,
    )
    assert outcome.stderr == b""
    assert outcome.stdout.isascii()


@pytest.mark.slow
def test_module_is_the_program(command: Command, tmp_path: Path) -> None:
    script = Path(sys.executable).with_name("nncli")
    if not script.exists():
        pytest.skip("nncli is not installed")
    summary = ["summary", str(CONFIGS / "xor.yaml")]
    for program, arguments in (
        ([str(script)], ["--help"]),
        (command_line(), ["--help"]),
        ([str(script)], summary),
    ):
        ran = subprocess.run(
            [*program, *arguments],
            env=environment(),
            cwd=tmp_path,
            capture_output=True,
            check=True,
            text=True,
        )
        assert ran.stdout == command(*arguments).out


def test_help_starts_without_numpy() -> None:
    script = (
        "import sys; from nncli.cli.app import run; run(['train', '--help']); "
        "sys.exit(any(n in sys.modules for n in ('numpy', 'yaml', 'safetensors')))"
    )
    subprocess.run(
        [sys.executable, "-c", script],
        env=environment(),
        check=True,
        stdout=subprocess.DEVNULL,
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ["components"],
        ["components", "relu"],
        ["components", "layer"],
        ["config", "validate", CONFIGS / "spiral.yaml"],
        ["config", "show", CONFIGS / "spiral.yaml"],
        ["config", "schema"],
        ["summary", CONFIGS / "digits.yaml"],
        ["gradcheck", CONFIGS / "xor.yaml"],
        ["train", CONFIGS / "xor.yaml", "--dry-run"],
        ["train", CONFIGS / "xor.yaml", "training.epochs=2"],
    ],
    ids=lambda value: " ".join(map(str, value))[-30:],
)
def test_json_is_all_there_is_on_stdout(
    command: Command,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    arguments: list[object],
) -> None:
    monkeypatch.chdir(tmp_path)
    outcome = command(*arguments, "--json")
    assert outcome.code == 0, outcome.err
    assert json.loads(outcome.out)


@pytest.mark.parametrize(
    "arguments",
    [
        ["components"],
        ["components", "dense"],
        ["components", "layer"],
        *(["summary", path] for path in sorted(CONFIGS.glob("*.yaml"))),
        *(["config", "validate", path.name] for path in sorted(CONFIGS.glob("*.yaml"))),
        ["gradcheck", "softmax"],
        ["train", CONFIGS / "two_ellipses.yaml", "--dry-run"],
    ],
    ids=lambda value: " ".join(map(str, value))[-30:],
)
def test_output_fits_80_columns(
    command: Command, monkeypatch: pytest.MonkeyPatch, arguments: list[object]
) -> None:
    monkeypatch.chdir(CONFIGS)
    outcome = command(*arguments)
    assert outcome.code == 0, outcome.err
    assert max(map(cell_len, outcome.out.splitlines())) <= 80
