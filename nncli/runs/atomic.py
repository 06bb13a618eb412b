"""Atomic writes: a file is there whole, or as it was before."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from pathlib import Path
from typing import Any

from nncli.core.files import naming
from nncli.core.text import json_text


def write_bytes(path: Path, data: bytes) -> None:
    """Replace a file's content so that no crash can leave half of it.

    Temporary file in the same directory, fsync, rename, fsync of the directory.

    Raises:
        OSError: With the path; the file is then as it was.
    """
    with naming(path):
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        temporary = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.chmod(0o666 & ~_umask())
            temporary.replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise
        sync_directory(path.parent)


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
