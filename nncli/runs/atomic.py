"""Atomic writes: a file is there whole, or as it was before."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any


def write_bytes(path: Path, data: bytes) -> None:
    """Replace a file's content so that no crash can leave half of it.

    Temporary file in the same directory, fsync, rename, fsync of the directory.

    Raises:
        OSError: With the path; the file is then as it was.
    """
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            # A full disk does not say by itself which file was written.
            error.filename, error.filename2 = str(path), None
        raise
    sync_directory(path.parent)


def write_json(path: Path, value: Any) -> None:
    """Replace a file's content by readable JSON."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    write_bytes(path, f"{text}\n".encode())


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
