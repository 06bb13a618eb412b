"""Files: opened only if they are files, and errors that say which one it was."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from nncli.core.errors import RunError

_KINDS = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def open_file(path: Path) -> BinaryIO:
    """Open a regular file to read bytes.

    Anything else is refused instead of being waited for: a pipe that nobody writes to,
    a terminal, a device without an end.

    Raises:
        OSError: It cannot be opened, or is no regular file; ``strerror`` says why.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    mode = os.fstat(handle).st_mode
    if stat.S_ISREG(mode):
        return os.fdopen(handle, "rb")
    os.close(handle)
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, "a directory, not a file", str(path))
    kind = _KINDS.get(stat.S_IFMT(mode), "something else")
    raise OSError(errno.EINVAL, f"{kind}, not a file", str(path))


def append_text(path: Path, text: str) -> None:
    """Add text to the end of a file, which is made if it is missing.

    Raises:
        OSError: With the path.
    """
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK | os.O_CLOEXEC
    with naming(path):
        handle = os.open(path, flags, 0o666)
        try:
            data = text.encode(errors="backslashreplace")
            while data:
                # A file object takes longer to be made than most lines to be written.
                data = data[os.write(handle, data) :]
        finally:
            os.close(handle)


@contextlib.contextmanager
def naming(path: Path) -> Iterator[None]:
    """Let a failure of the system say which file it is about.

    A full disk does not say by itself which file was written.
    """
    try:
        yield
    except OSError as error:
        error.filename, error.filename2 = str(path), None
        raise


def make_directory(path: Path) -> None:
    """Make a directory, and those it lies in, where they are missing.

    Raises:
        OSError: With the path, where something else is in its place, say.
    """
    with naming(path):
        try:
            path.mkdir(parents=True, exist_ok=True)
        except FileExistsError:
            why = os.strerror(errno.ENOTDIR)
            raise NotADirectoryError(errno.ENOTDIR, why) from None


@contextlib.contextmanager
def writable(path: Path | str) -> Iterator[None]:
    """Let a result that cannot be written be one message; see ``unwritable``.

    The directory that it goes to is made if it is missing: what is written has often
    taken long.

    Raises:
        RunError: Something of the block fails in the system.
    """
    try:
        make_directory(Path(path).parent)
        yield
    except OSError as error:
        raise unwritable(path, error) from None


def unwritable(path: Path | str, error: OSError) -> RunError:
    """Return what is told of a place where nothing can be written."""
    return RunError(f"{path}: expected a place to write to, got: {error.strerror}.")
