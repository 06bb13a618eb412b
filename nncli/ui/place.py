"""RunsFolder: the one directory that is read, and nothing outside it."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

from nncli.runs.directory import RunDirectory, why_no_run

DEPTH = 2
"""A run lies in the directory, a fold in a cross-validation there."""


class RunsFolder:
    """A directory of runs, in which runs are found by their names.

    Links are followed as long as they stay in the directory.

    Args:
        path: The directory.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._root = Path(os.path.realpath(path))

    def find(self, name: str) -> Path | None:
        """Return the directory of a run or a cross-validation; None for no such one.

        Args:
            name: As it is listed, or ``iris-cv-1/fold-2``.
        """
        parts = name.split("/")
        if len(parts) > DEPTH or not all(map(_is_name, parts)):
            return None
        path = self.path.joinpath(*parts)
        try:
            self.check(path)
            known = not why_no_run(path) or (path / "cv.json").is_file()
        except OSError:
            return None
        return path if known else None

    def run(self, name: str) -> RunDirectory | None:
        """Return a run; None for no such one."""
        path = self.find(name)
        return None if path is None or why_no_run(path) else RunDirectory(path)

    def check(self, path: Path) -> None:
        """Refuse what leads out of the directory.

        Raises:
            OSError: The path, or a link among its files, leads elsewhere, or its name
                is no text.
        """
        try:
            path.name.encode()
        except UnicodeEncodeError:
            raise OSError(errno.EILSEQ, "its name is no UTF-8", str(path)) from None
        for each in (path, *_links(path)):
            if not Path(os.path.realpath(each)).is_relative_to(self._root):
                reason = "it leads out of the runs directory"
                raise OSError(errno.ELOOP, reason, str(each))


def _is_name(part: str) -> bool:
    return bool(part) and not part.startswith(".") and "\0" not in part


def _links(path: Path) -> Iterator[Path]:
    """Yield the links in a run, down to the files in its folders."""
    if not path.is_dir():
        return
    with os.scandir(path) as found:
        for each in found:
            if each.is_symlink():
                yield Path(each.path)
            elif each.is_dir(follow_symlinks=False):
                with os.scandir(each.path) as inside:
                    yield from (Path(one.path) for one in inside if one.is_symlink())
