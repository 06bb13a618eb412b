"""Atomic writes: a file is there whole, or as it was before."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from nncli.core.files import naming
from nncli.core.text import json_text


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Replace a file's content, piece by piece, so that no crash leaves half of it.

    Temporary file in the same directory, fsync, rename, fsync of the directory; where
    the block fails, the file is as it was.

    Yields:
        What the new content is written to.

    Raises:
        OSError: With the path, where it cannot be written.
    """
    with naming(path):
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            with naming(path):
                file.flush()
                os.fsync(file.fileno())
        with naming(path):
            temporary.chmod(0o666 & ~_umask())
            temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    with naming(path):
        sync_directory(path.parent)


def write_bytes(path: Path, data: bytes) -> None:
    """Replace a file's content so that no crash can leave half of it.

    Raises:
        OSError: With the path; the file is then as it was.
    """
    with naming(path), replacing(path) as file:
        file.write(data)


def drop_temporary(path: Path) -> None:
    """Remove what a process that was killed left of writing a file.

    Nobody else may be writing the file.
    """
    pattern = re.compile(re.escape(f".{path.name}.") + "[a-z0-9_]{8}")
    with contextlib.suppress(OSError):
        for entry in path.parent.iterdir():
            if pattern.fullmatch(entry.name):
                entry.unlink()


def write_json(path: Path, value: Any) -> None:
    """Replace a file's content by readable JSON."""
    write_bytes(path, f"{json_text(value)}\n".encode())


def sync_directory(path: Path) -> None:
    """Make sure that renames inside a directory survive a loss of power."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _umask() -> int:
    # The mask can only be read by setting it.
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
