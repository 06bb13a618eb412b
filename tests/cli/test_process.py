"""Process: signals that come before, while and after a run is made."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.command import command_line, environment, finish, wait_until
from tests.conftest import SMALL

WAITING = """\
import signal
import sys
import time
from pathlib import Path


HERE = Path(__file__).parent


def wait(sign):
    try:
        (HERE / sign).touch()
        while True:
            time.sleep(0.001)
    finally:
        # What is cleaned up here is cleaned up although a second signal comes.
        (HERE / "cleaning").touch()
        while not (HERE / "go").exists():
            time.sleep(0.001)


def slow(path, data):
    wait("filling")


if (HERE / "slow").exists():
    import nncli.training.session

    nncli.training.session.write_bytes = slow
else:
    wait("loading")
"""


@pytest.mark.slow
@pytest.mark.parametrize("which", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("moment", ["loading", "filling"])
def test_command_stopped_before_the_run_exists_leaves_nothing(
    tmp_path: Path,
    write_config: Callable[..., Path],
    which: signal.Signals,
    moment: str,
) -> None:
    (tmp_path / "waiting.py").write_text(WAITING, encoding="utf-8")
    if moment == "filling":
        (tmp_path / "slow").touch()
    config = write_config(SMALL + "plugins: [waiting.py]\n")
    runs = tmp_path / "runs"
    process = subprocess.Popen(
        command_line("train", config, "--allow-plugins", "--runs-dir", runs),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    assert wait_until((tmp_path / moment).exists, process)
    process.send_signal(which)
    assert wait_until((tmp_path / "cleaning").exists, process)
    process.send_signal(which)
    (tmp_path / "go").touch()
    outcome = finish(process)
    assert outcome.code == 130
    assert outcome.err == "stopped.\n"
    assert outcome.out == ""
    assert not runs.exists() or list(runs.iterdir()) == []


@pytest.mark.slow
def test_warnings_of_libraries_are_not_shown(tmp_path: Path) -> None:
    (tmp_path / "loud.py").write_text(
        "import warnings\nimport numpy\nwarnings.warn('loud')\n"
        "numpy.float64(1) / numpy.float64(0)\n"
    )
    plain = {k: v for k, v in environment().items() if k != "PYTHONWARNINGS"}
    arguments = ["components", "relu", "--plugin", "loud.py"]
    shown = subprocess.run(
        command_line(*arguments), env=plain, cwd=tmp_path, capture_output=True
    )
    assert shown.stderr == b""
    assert shown.returncode == 0
    program = [sys.executable, "-W", "default", *command_line(*arguments)[1:]]
    asked = subprocess.run(program, env=plain, cwd=tmp_path, capture_output=True)
    assert b"loud" in asked.stderr
