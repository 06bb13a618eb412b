"""Download: files of public datasets, whole and right, or not there at all."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import tarfile
from collections.abc import Callable
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import IO
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from nncli.core.atomic import sync_directory
from nncli.core.errors import RunError
from nncli.core.files import naming
from nncli.data.sources import Download, Source

# With urllib: to resume and to go to another mirror is ours to do with any library, and
# it brings proxies, redirects and checked certificates without a dependency.

Report = Callable[[str, int, int], None]
"""Hears of a file's name, how many of its bytes are there, and how many it has."""

ROUNDS = 3
"""How often every mirror is tried."""

TIMEOUT = 30.0
"""Seconds without a byte after which a mirror counts as silent."""

PORTION = 2**16


class _MirrorError(Exception):
    """A mirror did not give the file; ``final`` if it never will."""

    def __init__(self, text: str, *, final: bool = False) -> None:
        super().__init__(text)
        self.final = final


def get(source: Source, folder: Path, report: Report) -> dict[str, str]:
    """Bring the files of a dataset into a folder.

    What is there already is kept. A download that breaks off is gone on with, now or
    the next time.

    Args:
        source: What, and from where.
        folder: Where to; made if it is missing.
        report: Hears how far each file is.

    Returns:
        ``kept`` or ``written``, by file.

    Raises:
        RunError: No mirror gave a file, or another file of its name is there.
        OSError: It cannot be written; with the path.
    """
    if source.members and _has_members(source, folder):
        return dict.fromkeys(source.members, "kept")
    folder.mkdir(parents=True, exist_ok=True)
    found = {}
    for file in source.files:
        path = folder / file.name
        if path.exists():
            _check_there(path, file)
            found[file.name] = "kept"
        else:
            _fetch(source.mirrors, file, path, report)
            found[file.name] = "written"
    if not source.members:
        return found
    for file in source.files:
        _unpack(folder / file.name, source)
        (folder / file.name).unlink()
    return dict.fromkeys(source.members, "written")


def _check_there(path: Path, file: Download) -> None:
    if path.stat().st_size != file.size or _sha256(path) != file.sha256:
        raise RunError(
            f"{path}: expected the published file ({file.size:,} bytes, SHA-256 "
            f"{file.sha256[:12]}...), found another one of its name. Move it away, or "
            "name another folder: --root DIR"
        )


def _fetch(
    mirrors: tuple[str, ...], file: Download, path: Path, report: Report
) -> None:
    """Download one file, from whichever mirror gives it."""
    part = path.with_name(f".{path.name}.part")
    left, reasons = list(mirrors), dict.fromkeys(mirrors, "")
    for _ in range(ROUNDS):
        for mirror in tuple(left):
            try:
                _download(f"{mirror}{file.name}", file, part, report)
            except _MirrorError as failure:
                reasons[mirror] = str(failure)
                if failure.final:
                    left.remove(mirror)
                continue
            part.replace(path)
            sync_directory(path.parent)
            return
    told = "\n".join(f"  {url}{file.name}: {why}" for url, why in reasons.items())
    kept = " What has come is kept: try again later." if part.exists() else ""
    raise RunError(
        f"{path}: expected a mirror to give the file, got:\n{told}\nIs there a "
        f"connection?{kept}"
    )


def _download(url: str, file: Download, part: Path, report: Report) -> None:
    """Go on with a part until it is the whole file, and check it."""
    begin = part.stat().st_size if part.exists() else 0
    if begin >= file.size and _sha256(part) != file.sha256:
        part.unlink()
        begin = 0
    if begin < file.size:
        with _opened(url, begin) as response:
            if response.status != 206:
                # The server sends all of it, whatever was asked for.
                begin = 0
            elif _first_byte(response) != begin:
                raise _MirrorError("sent another part than was asked for.", final=True)
            with naming(part), part.open("r+b" if begin else "wb") as out:
                out.seek(begin)
                _receive(response, out, file, report)
    size = part.stat().st_size
    if size < file.size:
        raise _MirrorError(f"broke off after {size:,} of {file.size:,} bytes.")
    if size > file.size or _sha256(part) != file.sha256:
        part.unlink()
        what = "it is longer" if size > file.size else "its SHA-256 is wrong"
        raise _MirrorError(f"gave another file: {what}.", final=True)


def _opened(url: str, begin: int) -> HTTPResponse:
    headers = {"User-Agent": "nncli", "Accept-Encoding": "identity"}
    if begin:
        headers["Range"] = f"bytes={begin}-"
    try:
        # The addresses are those of data/sources.py.
        response: HTTPResponse = urlopen(  # noqa: S310
            Request(url, headers=headers),  # noqa: S310
            timeout=TIMEOUT,
        )
    except HTTPError as error:
        error.close()
        final = 400 <= error.code < 500 and error.code not in (408, 429)
        raise _MirrorError(
            f"answered {error.code} {error.reason}.", final=final
        ) from None
    except (OSError, HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise _MirrorError(f"could not be reached: {reason}.") from None
    return response


def _first_byte(response: HTTPResponse) -> int | None:
    given = response.headers.get("Content-Range", "")
    found = re.match(r"bytes (\d+)-", given)
    return int(found[1]) if found else None


def _receive(
    response: HTTPResponse, out: IO[bytes], file: Download, report: Report
) -> None:
    """Write what comes, but little more than the file has."""
    while True:
        report(file.name, out.tell(), file.size)
        try:
            portion = response.read(PORTION)
        except (OSError, HTTPException) as error:
            raise _MirrorError(f"broke off: {error or type(error).__name__}.") from None
        if not portion or out.tell() > file.size:
            break
        out.write(portion)
    out.truncate()
    out.flush()
    os.fsync(out.fileno())


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _has_members(source: Source, folder: Path) -> bool:
    """Whether all files of an archive are there; those of records in their size."""
    for name, size in source.members.items():
        path = folder / name
        whole = path.is_file() and (
            path.suffix != ".bin" or path.stat().st_size == size
        )
        if not whole:
            return False
    return True


def _unpack(archive: Path, source: Source) -> None:
    """Write the members of an archive that are wanted, beside it."""
    wanted = dict(source.members)
    try:
        with tarfile.open(archive) as packed:
            for info in packed:
                name = info.name.rpartition("/")[2]
                content = packed.extractfile(info) if name in wanted else None
                if content is None or info.size > wanted[name]:
                    continue
                _write(archive.with_name(name), content)
                del wanted[name]
    except tarfile.TarError as error:
        raise RunError(f"{archive}: expected an archive, got: {error}.") from None
    if wanted:
        raise RunError(f"{archive}: expected {', '.join(wanted)} in it, found none.")


def _write(path: Path, content: IO[bytes]) -> None:
    part = path.with_name(f".{path.name}.part")
    try:
        with naming(part), part.open("wb") as out:
            while portion := content.read(2**20):
                out.write(portion)
            out.flush()
            os.fsync(out.fileno())
        part.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink()
        raise
    sync_directory(path.parent)
