"""Children: Python modules run as processes, some at a time, none left behind."""

from __future__ import annotations

import contextlib
import os
import selectors
import subprocess
import sys
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, cast

import nncli

PATIENCE = 30.0
"""Seconds that a child gets to end by itself."""


@dataclass
class Child:
    """A process.

    Attributes:
        place: Which of the commands it runs.
        process: It.
        stdin: To close it is to ask the process to end.
        stderr: Where its standard error is read.
        error: What was read.
    """

    place: int
    process: subprocess.Popen[bytes]
    stdin: IO[bytes]
    stderr: IO[bytes]
    error: bytearray = field(default_factory=bytearray)


def run_modules(
    module: str, commands: Sequence[Sequence[str]], jobs: int
) -> Generator[tuple[int, int, str], None, None]:
    """Run a module with each of some arguments, as they come.

    A child has to end when its standard input is closed. Where the caller ends early,
    or by an exception, all of them are asked to, and waited for.

    Args:
        module: Its name.
        commands: Arguments of each process.
        jobs: How many run at the same time.

    Yields:
        Of each process that ended: its place in ``commands``, its exit code (minus the
        number of the signal that killed it), and its standard error.
    """
    waiting = list(enumerate(commands))
    running: list[Child] = []
    with selectors.DefaultSelector() as selector:
        try:
            while waiting or running:
                while waiting and len(running) < jobs:
                    place, arguments = waiting.pop(0)
                    child = _start(place, module, arguments)
                    running.append(child)
                    selector.register(child.stderr, selectors.EVENT_READ, child)
                for key, _ in selector.select():
                    child = key.data
                    if text := os.read(key.fd, 2**16):
                        child.error += text
                        continue
                    # Nobody holds its standard error any more.
                    selector.unregister(key.fileobj)
                    code = child.process.wait()
                    _close(child)
                    running.remove(child)
                    yield child.place, code, child.error.decode(errors="replace")
        finally:
            _stop(running)


def open_module(
    module: str, arguments: Sequence[str], **options: Any
) -> subprocess.Popen[bytes]:
    """Start a Python module as a process.

    Args:
        module: Its name.
        arguments: Its command line.
        **options: Of ``subprocess.Popen``.
    """
    # The same package as here, and nothing from the working directory (-P).
    package = str(Path(nncli.__file__).parents[1])
    paths = [package, *filter(None, [os.environ.get("PYTHONPATH")])]
    return subprocess.Popen(  # noqa: S603 - this Python and a module of ours
        [sys.executable, "-P", "-m", module, *arguments],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
        **options,
    )


def _start(place: int, module: str, arguments: Sequence[str]) -> Child:
    process = open_module(
        module,
        arguments,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    stdin, stderr = cast("IO[bytes]", process.stdin), cast("IO[bytes]", process.stderr)
    return Child(place, process, stdin, stderr)


def _close(child: Child) -> None:
    with contextlib.suppress(OSError):
        child.stdin.close()
    with contextlib.suppress(OSError):
        child.stderr.close()


def _stop(children: Sequence[Child]) -> None:
    """Ask all to end, wait for them, and end those that do not."""
    for child in children:
        with contextlib.suppress(OSError):
            child.stdin.close()
        # What communicate would write to.
        child.process.stdin = None
    for child in children:
        try:
            child.process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            child.process.kill()
            child.process.wait()
        _close(child)
