"""Calling nncli in tests: inside this process, or as a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from nncli.cli.app import run
from tests.conftest import CONFIGS

PATIENCE = 60.0
"""Seconds after which something that a test waits for is taken for lost."""

MOMENT = 5.0
"""Seconds within which processes that were killed are gone."""


@dataclass(frozen=True)
class Outcome:
    """How a command ended and what it printed."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """Return stdout as JSON; it must be that and nothing else."""
        return json.loads(self.out)


class Command:
    """Runs commands inside this process.

    Attributes:
        runs: Where ``train`` puts its runs.
    """

    def __init__(self, capsys: pytest.CaptureFixture[str], runs: Path) -> None:
        self._capsys = capsys
        self.runs = runs

    def __call__(self, *arguments: object) -> Outcome:
        self._capsys.readouterr()
        code = run([str(argument) for argument in arguments])
        captured = self._capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    def train(self, *arguments: object, expect: int = 0) -> Outcome:
        """Train into ``runs``, and compare the exit code."""
        outcome = self("train", *arguments, "--runs-dir", self.runs)
        assert outcome.code == expect, outcome.err
        return outcome


def environment() -> dict[str, str]:
    """Return what processes are started with: no width, warnings are errors."""
    kept = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES")}
    return kept | {"PYTHONWARNINGS": "error", "PYTHONPATH": str(CONFIGS.parent)}


def command_line(*arguments: object) -> list[str]:
    """Return the command line of a real process."""
    return [sys.executable, "-m", "nncli", *map(str, arguments)]


def start(*arguments: object, cwd: Path | None = None) -> subprocess.Popen[str]:
    """Start a real process."""
    return subprocess.Popen(
        command_line(*arguments),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=cwd,
        env=environment(),
    )


def finish(process: subprocess.Popen[str]) -> Outcome:
    """Wait for the end of a process."""
    try:
        out, err = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    return Outcome(process.returncode, out, err)


def wait_until(fact: Callable[[], bool], process: subprocess.Popen[str]) -> bool:
    """Wait for a fact, as long as the process lives; return whether it came true."""
    begin = time.monotonic()
    while not fact():
        if process.poll() is not None:
            return fact()
        assert time.monotonic() - begin < PATIENCE, "waited in vain"
        time.sleep(0.0005)
    return True


def soon(fact: Callable[[], bool]) -> bool:
    """Wait a moment for a fact; return whether it came true.

    A process that was killed closes its pipes some milliseconds before it is gone.
    """
    limit = time.monotonic() + MOMENT
    while not fact() and time.monotonic() < limit:
        time.sleep(0.001)
    return fact()


def kill(process: subprocess.Popen[str]) -> None:
    """End a process so that it cannot do anything about it."""
    process.send_signal(signal.SIGKILL)
    finish(process)
