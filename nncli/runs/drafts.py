"""Drafts: directories that come into being, and go, whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from nncli.core.atomic import sync_directory
from nncli.core.errors import RunError, UsageError
from nncli.core.files import make_directory, naming
from nncli.runs.locks import hold

DRAFT = ".draft"


def create_directory(
    parent: Path, name: str, fill: Callable[[Path], None], *, numbered: bool = True
) -> Path:
    """Make a directory with its first files, all or nothing.

    It is filled under another name and then renamed, so that nobody ever sees half of
    it, and an existing one is never touched.

    Args:
        parent: Where it lies; made if it is missing.
        name: Its name.
        fill: Writes the first files.
        numbered: Call it ``name-1``, or -2, ...

    Raises:
        RunError: The directory cannot be made.
        UsageError: The one that it is to lie in is none.
    """
    try:
        make_directory(parent)
        _remove_drafts(parent)
        hidden, handle = _make_draft(parent, name)
    except OSError as error:
        # The same exit code as of the verbs that only read there.
        kind = UsageError if isinstance(error, NotADirectoryError) else RunError
        raise kind(
            f"{parent}: expected a directory that runs can be written to, got: "
            f"{error.strerror}. Choose another with --runs-dir."
        ) from None
    try:
        hidden.chmod(0o755)
        fill(hidden)
        sync_directory(hidden)
        with naming(parent):
            if numbered:
                final = _rename(hidden, parent, name)
            else:
                final = hidden.rename(parent / name)
    except BaseException:
        shutil.rmtree(hidden, ignore_errors=True)
        raise
    finally:
        os.close(handle)
    sync_directory(parent)
    return final


def remove_directory(path: Path) -> None:
    """Delete a directory that this process holds: it goes at once, or stays whole.

    It is renamed to a draft before anything in it is touched. Where the process is
    killed then, the next run that is made there removes the rest.

    Raises:
        OSError: It cannot be renamed, with its path.
        RunError: It is gone, but not all of its files could be deleted.
    """
    with naming(path):
        hidden = Path(
            tempfile.mkdtemp(prefix=".removed.", suffix=DRAFT, dir=path.parent)
        )
        try:
            path.rename(hidden)
        except OSError:
            hidden.rmdir()
            raise
        sync_directory(path.parent)
    try:
        shutil.rmtree(hidden)
    except FileNotFoundError:
        # Somebody who removes what was left behind was faster.
        pass
    except OSError as error:
        raise RunError(
            f"{path}: taken out of its place, but its files could not all be deleted: "
            f"{error.strerror}. The rest lies in {hidden}."
        ) from None


def _make_draft(parent: Path, name: str) -> tuple[Path, int]:
    """Make a hidden directory, and hold it as long as it is being filled."""
    while True:
        hidden = Path(tempfile.mkdtemp(prefix=f".{name}.", suffix=DRAFT, dir=parent))
        handle = -1
        with contextlib.suppress(FileNotFoundError):
            handle = os.open(hidden, os.O_RDONLY)
            if hold(handle) and hidden.exists():
                return hidden, handle
        # Somebody who removes what was left behind was faster.
        if handle >= 0:
            os.close(handle)


def _remove_drafts(parent: Path) -> None:
    """Remove the drafts of processes that were killed: those that nobody holds."""
    for draft in parent.glob(f".*{DRAFT}"):
        with contextlib.suppress(OSError):
            handle = os.open(draft, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                if hold(handle):
                    shutil.rmtree(draft, ignore_errors=True)
            finally:
                os.close(handle)


def _rename(hidden: Path, parent: Path, name: str) -> Path:
    pattern = re.compile(re.escape(name) + r"-([0-9]{1,9})")
    taken = [
        int(match[1])
        for entry in os.listdir(parent)  # noqa: PTH208 - names are enough
        if (match := pattern.fullmatch(entry))
    ]
    number = max(taken, default=0) + 1
    while True:
        final = parent / f"{name}-{number}"
        try:
            # Onto a directory with files in it a rename fails: never overwritten.
            hidden.rename(final)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
                raise
            number += 1
        else:
            return final
