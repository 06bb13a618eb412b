"""Large tables are converted once, and kept by their content and how they are read."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from nncli.core.atomic import write_json
from nncli.core.errors import DataError, NncliError
from nncli.tables.raw import RawColumn, RawTable
from nncli.tables.stream import opened

Progress = Callable[[int, int], None]

_VERSION = 1
_RACY = 2_000_000_000
"""Nanoseconds: what was changed so short a time ago may change unseen."""

_VALUES, _TABLE = "values.npy", "table.json"


@dataclass(frozen=True)
class Entry:
    """A table that is kept.

    Attributes:
        path: Its directory.
        source: The files it was made of.
        size: Its bytes.
        made: When it was made, in seconds since 1970.
    """

    path: Path
    source: str
    size: int
    made: float


def cache_dir() -> Path:
    """Return where tables are kept.

    ``$NNCLI_CACHE``, else ``$XDG_CACHE_HOME/nncli``, else ``~/.cache/nncli``.
    """
    if own := os.environ.get("NNCLI_CACHE"):
        return Path(own)
    shared = os.environ.get("XDG_CACHE_HOME")
    return (Path(shared) if shared else Path.home() / ".cache") / "nncli"


def cached(
    paths: Sequence[Path],
    settings: dict[str, Any],
    convert: Callable[[Path, Progress], RawTable],
    progress: Progress,
) -> RawTable:
    """Return a table that is kept, or make it.

    One process makes tables at a time, others wait; one that was killed leaves nothing
    that is taken for a table.

    Args:
        paths: The files.
        settings: What else decides the table.
        convert: Makes it in a directory.
        progress: Told how many bytes are done, and of how many.

    Raises:
        DataError: A file cannot be read, or changes while it is.
        NncliError: The cache cannot be written.
    """
    folder = cache_dir() / "tables"
    source = ", ".join(map(str, paths))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        marks = [_mark(path) for path in paths]
        size = sum(mark["size"] for mark in marks)
        # Hashing is some ten times as fast as reading.
        told = _shifted(progress, 0, size + size // 8, 8)
        hashes = _hashes(folder, paths, marks, told)
        key = _key(settings, paths, hashes)
        found = _load(folder / key, source)
        if found is not None:
            return found
        with _locked(folder):
            found = _load(folder / key, source)
            if found is not None:
                return found
            _sweep(folder)
            made = folder / f".{key}"
            told = _shifted(progress, size // 8, size + size // 8, 1)
            _keep(convert(made, told), made, source)
            if marks != [_mark(path) for path in paths]:
                shutil.rmtree(made, ignore_errors=True)
                raise DataError(
                    f"{source}: expected a file that stays as it is while it is read, "
                    "got a change. Start again."
                )
            shutil.rmtree(folder / key, ignore_errors=True)
            made.replace(folder / key)
        kept = _load(folder / key, source)
    except OSError as error:
        raise NncliError(
            f"{error.filename or folder}: expected to keep the table there, got: "
            f"{error.strerror or error}. Name another directory in the environment "
            "variable NNCLI_CACHE."
        ) from None
    if kept is None:
        raise NncliError(
            f"{folder}: expected the table that was just made. Start again."
        )
    return kept


def entries() -> list[Entry]:
    """Return the tables that are kept, the newest first."""
    folder = cache_dir() / "tables"
    found = []
    for path in folder.glob("[0-9a-f]*/" + _TABLE):
        with contextlib.suppress(OSError, ValueError, KeyError):
            values = (path.parent / _VALUES).stat()
            source = json.loads(path.read_text())["source"]
            size = values.st_size + path.stat().st_size
            found.append(Entry(path.parent, source, size, values.st_mtime))
    return sorted(found, key=lambda entry: -entry.made)


def clean() -> int:
    """Remove all tables that are kept; return how many bytes that frees.

    A training that uses one goes on: what it has open stays until it ends.
    """
    folder = cache_dir() / "tables"
    if not folder.is_dir():
        return 0
    with _locked(folder):
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        for path in folder.iterdir():
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
    return size


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Wait until nobody else makes tables; a process that ends lets go of it."""
    with (folder / "lock").open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _sweep(folder: Path) -> None:
    """Remove what processes left that were killed."""
    for path in folder.glob(".*"):
        shutil.rmtree(path, ignore_errors=True)


def _mark(path: Path) -> dict[str, int]:
    """Return what changes with a file's content, nearly always."""
    with opened(path) as file:
        found = os.fstat(file.fileno())
    return {
        "size": found.st_size,
        "mtime": found.st_mtime_ns,
        "ctime": found.st_ctime_ns,
        "inode": found.st_ino,
        "device": found.st_dev,
    }


def _hashes(
    folder: Path, paths: Sequence[Path], marks: Sequence[dict[str, int]], told: Progress
) -> list[str]:
    """Return the SHA-256 of each file's content, remembered where it did not change."""
    hashes, done = [], 0
    for path, mark in zip(paths, marks, strict=True):
        name = hashlib.sha256(os.fsencode(path.resolve())).hexdigest()
        note = folder / "known" / f"{name}.json"
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
            known = json.loads(note.read_text())
            if known["mark"] == mark:
                hashes.append(str(known["sha256"]))
                done += mark["size"]
                continue
        hashes.append(_digest_of(path, partial(_after, told, done)))
        done += mark["size"]
        if mark == _mark(path) and time.time_ns() - mark["ctime"] > _RACY:
            note.parent.mkdir(exist_ok=True)
            write_json(note, {"mark": mark, "sha256": hashes[-1], "path": str(path)})
    return hashes


def _after(told: Progress, before: int, done: int) -> None:
    told(before + done, before + done)


def _digest_of(path: Path, told: Callable[[int], None]) -> str:
    digest, done = hashlib.sha256(), 0
    with opened(path) as file:
        while data := file.read(1 << 22):
            digest.update(data)
            done += len(data)
            told(done)
    return digest.hexdigest()


def _key(settings: dict[str, Any], paths: Sequence[Path], hashes: Sequence[str]) -> str:
    forms = [path.suffixes[-2:] for path in paths]
    parts = [_VERSION, settings, forms, list(hashes)]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _keep(table: RawTable, folder: Path, source: str) -> None:
    """Write what belongs to the values, which lie in the directory already."""
    content = {
        "source": source,
        "columns": [[each.name, each.kind, each.words] for each in table.columns],
        "left_out": dict(table.left_out),
        "facts": dict(table.facts),
        "sha256": table.sha256,
        "shape": table.values.shape,
    }
    write_json(folder / _TABLE, content)


def _load(folder: Path, source: str) -> RawTable | None:
    """Return the table in a directory; None if none is there, or it is damaged."""
    try:
        content = json.loads((folder / _TABLE).read_text())
        values = np.load(folder / _VALUES, mmap_mode="r", allow_pickle=False)
        columns = tuple(
            RawColumn(name, kind, tuple(words))
            for name, kind, words in content["columns"]
        )
        if [*values.shape] != content["shape"] or values.dtype != np.float64:
            return None
        return RawTable(
            source,
            columns,
            values,
            content["left_out"],
            content["facts"],
            content["sha256"],
        )
    except (OSError, EOFError, ValueError, TypeError, KeyError):
        return None


def _shifted(progress: Progress, begin: int, total: int, part: int) -> Progress:
    """Return what tells the progress of a part as that of the whole."""

    def told(done: int, _: int) -> None:
        progress(begin + done // part, total)

    return told
