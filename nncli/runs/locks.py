"""Locks: one process at a time writes to a directory."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from nncli.core.errors import RunError
from nncli.core.files import naming

TRIES, PAUSE = 10, 0.01
"""Who lists runs holds each for an instant, together with others who list them."""


@contextlib.contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold a directory, so that no second process writes to it.

    Raises:
        RunError: Another process holds it.
        OSError: It cannot be held, with its path.
    """
    handle = os.open(path, os.O_RDONLY)
    try:
        with naming(path):
            alone = _hold_soon(handle)
        if not alone:
            raise RunError(
                f"{path}: another process is training this run. Wait for it, or stop "
                "it first."
            )
        yield
    finally:
        os.close(handle)


@contextlib.contextmanager
def held_in_turn(path: Path) -> Iterator[None]:
    """Hold a directory as soon as no other process does.

    Raises:
        OSError: It cannot be held, with its path.
    """
    handle = os.open(path, os.O_RDONLY)
    try:
        with naming(path):
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def is_held(path: Path) -> bool:
    """Whether another process holds a directory; it is told apart in an instant."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        # Where there are no locks, nobody holds one.
        return False
    finally:
        os.close(handle)
    return False


def hold(handle: int) -> bool:
    """Lock an open directory; return whether nobody else holds it."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _hold_soon(handle: int) -> bool:
    for _ in range(TRIES - 1):
        if hold(handle):
            return True
        time.sleep(PAUSE)
    return hold(handle)
