"""RunDirectory: every path in a run, and how a run comes into being."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import itertools
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from nncli.core.atomic import drop_temporary, sync_directory, write_bytes
from nncli.core.errors import RunError
from nncli.core.files import append_text, naming, open_file

MAX_ROW_BYTES = 2**20


class RunDirectory:
    """The files of one run.

    Args:
        path: The directory, for example ``runs/spiral-1``.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config = path / "config.yaml"
        self.resolved = path / "resolved.yaml"
        self.manifest = path / "manifest.json"
        self.metrics = path / "metrics.jsonl"
        self.summary = path / "summary.json"
        self.log = path / "train.log"
        self.plugins = path / "plugins"
        self.checkpoints = path / "checkpoints"
        self.fold = path / "fold.json"
        self.predictions = path / "predictions.csv"
        self.last = self.checkpoints / "last.safetensors"
        self.best = self.checkpoints / "best.safetensors"

    def evaluation(self, split: str) -> Path:
        """Return where ``eval`` leaves its result of a part."""
        return self.path / f"eval-{split}.json"

    @classmethod
    def create(
        cls,
        parent: Path,
        name: str,
        fill: Callable[[RunDirectory], None],
        *,
        numbered: bool = True,
    ) -> RunDirectory:
        """Make ``parent/name-1`` (or -2, ...) with its first files, all or nothing.

        Args:
            parent: Where runs lie; made if it is missing.
            name: The name without the number.
            fill: Writes the first files.
            numbered: Whether the name gets a number.

        Raises:
            RunError: The directory cannot be made.
        """

        def fill_run(path: Path) -> None:
            draft = cls(path)
            draft.checkpoints.mkdir()
            fill(draft)

        return cls(create_directory(parent, name, fill_run, numbered=numbered))

    @classmethod
    def open(cls, path: Path) -> RunDirectory:
        """Return an existing run.

        Raises:
            RunError: Something else is at the path.
        """
        run = cls(path)
        if not run.checkpoints.is_dir():
            raise RunError(
                f"{path}: expected a run directory with checkpoints/, got something "
                "else."
            )
        return run

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the run, so that no second process writes to it.

        What a process that was killed left half written is removed.

        Raises:
            RunError: Another process holds it.
            OSError: It cannot be held, with its path.
        """
        with held(self.path):
            for path in vars(self).values():
                drop_temporary(path)
            yield

    def facts(self) -> dict[str, Any]:
        """Return what the manifest says; nothing where it cannot be read."""
        try:
            with open_file(self.manifest) as file:
                facts = json.loads(file.read(MAX_ROW_BYTES))
        except (OSError, ValueError, RecursionError):
            return {}
        return facts if isinstance(facts, dict) else {}

    def append_row(self, row: dict[str, Any]) -> None:
        """Add one evaluation to metrics.jsonl."""
        line = json.dumps(row, allow_nan=False) + "\n"
        append_text(self.metrics, line)

    def sync_rows(self) -> None:
        """Make sure that all rows survive a loss of power."""
        if self.metrics.exists():
            with naming(self.metrics), open_file(self.metrics) as file:
                os.fsync(file.fileno())

    def rows(self) -> list[dict[str, Any]]:
        """Return all whole rows of metrics.jsonl."""
        return [row for row, _ in self._read_rows()]

    def _read_rows(self) -> Iterator[tuple[dict[str, Any], bytes]]:
        """Yield rows and their lines, up to the first that is not whole."""
        if not self.metrics.exists():
            return
        with open_file(self.metrics) as file:
            while line := file.readline(MAX_ROW_BYTES):
                try:
                    row = json.loads(line)
                except (ValueError, RecursionError):
                    row = None
                # The last line of a run that was killed may be torn.
                if not isinstance(row, dict) or not line.endswith(b"\n"):
                    return
                yield row, line

    def keep_rows(self, count: int) -> None:
        """Drop the rows that were written after a checkpoint.

        Raises:
            RunError: There are fewer rows than the checkpoint knows of.
        """
        lines = [line for _, line in itertools.islice(self._read_rows(), count)]
        if len(lines) < count:
            raise RunError(
                f"{self.metrics}: expected at least the {count} rows that the "
                f"checkpoint was saved after, got {len(lines)}."
            )
        write_bytes(self.metrics, b"".join(lines))


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
    """
    try:
        parent.mkdir(parents=True, exist_ok=True)
        _remove_drafts(parent)
        hidden, handle = _make_draft(parent, name)
    except OSError as error:
        raise RunError(
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
            alone = _hold(handle)
        if not alone:
            raise RunError(
                f"{path}: another process is training this run. Wait for it, or stop "
                "it first."
            )
        yield
    finally:
        os.close(handle)


def _hold(handle: int) -> bool:
    """Lock an open directory; return whether nobody else holds it."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


DRAFT = ".draft"


def _make_draft(parent: Path, name: str) -> tuple[Path, int]:
    """Make a hidden directory, and hold it as long as it is being filled."""
    while True:
        hidden = Path(tempfile.mkdtemp(prefix=f".{name}.", suffix=DRAFT, dir=parent))
        handle = -1
        with contextlib.suppress(FileNotFoundError):
            handle = os.open(hidden, os.O_RDONLY)
            if _hold(handle) and hidden.exists():
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
                if _hold(handle):
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
