"""Starting trainings with mpirun, for the tests of ranks."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.command import Outcome, environment, finish

MPIRUN = Path(sys.executable).with_name("mpirun")
"""That of the wheel mpich, beside the interpreter."""

OPEN_MPI = shutil.which("mpirun.openmpi")

needs_mpi = pytest.mark.skipif(
    importlib.util.find_spec("mpi4py") is None or not MPIRUN.exists(),
    reason='needs mpi4py and mpirun: pip install "nncli[mpi]"',
)


def command_line(
    ranks: int, *arguments: object, launcher: tuple[str, ...] = ()
) -> list[str]:
    """Return the command line that starts Python on several ranks."""
    first = [*(launcher or (str(MPIRUN),)), "-n", str(ranks)]
    return [*first, sys.executable, "-m", *map(str, arguments)]


def open_mpi_line(ranks: int, *arguments: object) -> list[str]:
    """Return that of Debian's Open MPI."""
    options = ("--allow-run-as-root", "--oversubscribe")
    return command_line(ranks, *arguments, launcher=(OPEN_MPI or "", *options))


def start(
    line: list[str], cwd: Path | None = None, variables: Mapping[str, str] | None = None
) -> subprocess.Popen[str]:
    """Start a command in a group of processes of its own."""
    return subprocess.Popen(
        line,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=cwd,
        env=environment() | dict(variables or {}),
        start_new_session=True,
    )


def mpirun(
    ranks: int,
    *arguments: object,
    cwd: Path | None = None,
    variables: Mapping[str, str] | None = None,
) -> Outcome:
    """Run ``nncli`` on several ranks."""
    return finish(start(command_line(ranks, "nncli", *arguments), cwd, variables))


def ranks_of(run: Path) -> dict[int, int]:
    """Return the processes that train into a run's directory, by their ranks."""
    found = {}
    for entry in Path("/proc").iterdir():
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
            variables = (entry / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        told = [each for each in variables if each.startswith(b"PMI_RANK=")]
        if str(run).encode() in words and b"nncli" in words and told:
            found[int(told[0].partition(b"=")[2])] = int(entry.name)
    return found


def stop_rank(run: Path, rank: int, which: signal.Signals) -> None:
    """Send a signal to one of the ranks."""
    os.kill(ranks_of(run)[rank], which)
