"""Atomic writes: the old content or the new, never half of one."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import pytest

from nncli.core.atomic import replacing, write_bytes, write_json
from tests.command import environment, kill, wait_until

SIZE = 3_000_000

WRITER = f"""
import sys
from pathlib import Path
from nncli.core.atomic import write_bytes
for i in range(100_000):
    write_bytes(Path(sys.argv[1]), bytes([i % 251]) * {SIZE})
"""


def fail(*_: object) -> NoReturn:
    raise OSError(28, "No space left on device")


def test_write_bytes_makes_and_replaces_a_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for data in (b"one", b"", b"three\n" * 1000):
        write_bytes(path, data)
        assert path.read_bytes() == data
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("function", ["fsync", "replace"])
def test_write_bytes_that_fails_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, function: str
) -> None:
    path = tmp_path / "file"
    write_bytes(path, b"old")
    owner = os if function == "fsync" else Path
    monkeypatch.setattr(owner, function, fail)
    with pytest.raises(OSError, match="No space left") as caught:
        write_bytes(path, b"new")
    assert caught.value.filename == str(path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_replacing_shows_nothing_until_the_end_and_keeps_the_old_if_it_fails(
    tmp_path: Path,
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with replacing(path) as file:
        file.write(b"new, ")
        file.flush()
        assert path.read_bytes() == b"old"
        file.write(b"and more")
    assert path.read_bytes() == b"new, and more"

    def broken() -> None:
        with replacing(path) as file:
            file.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        broken()
    assert path.read_bytes() == b"new, and more"
    assert list(tmp_path.iterdir()) == [path]


def test_write_bytes_syncs_the_file_before_it_is_renamed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []
    sync, replace = os.fsync, Path.replace

    def fsync(handle: int) -> None:
        kind = "folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else "file"
        events.append(f"sync {kind}")
        sync(handle)

    def rename(path: Path, target: Path) -> Path:
        events.append("rename")
        return replace(path, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "replace", rename)
    write_bytes(tmp_path / "file", b"data")
    assert events == ["sync file", "rename", "sync folder"]


def test_write_bytes_gives_the_usual_permissions(tmp_path: Path) -> None:
    mask = os.umask(0o027)
    try:
        write_bytes(tmp_path / "file", b"data")
        assert os.umask(0o027) == 0o027
    finally:
        os.umask(mask)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o640


@pytest.mark.slow
def test_write_bytes_is_whole_whenever_it_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "file"
    versions = set()
    for _ in range(5):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path)], env=environment(), text=True
        )
        before = path.stat().st_ino if path.exists() else 0

        def changed(before: int = before) -> bool:
            return path.exists() and path.stat().st_ino != before

        assert wait_until(changed, process)
        kill(process)
        data = path.read_bytes()
        versions.add(data[0])
        assert data == data[:1] * SIZE
    assert versions


def test_write_json_is_readable_and_refuses_what_json_has_not(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    write_json(path, {"name": "größe", "values": [1, 2.5, None]})
    text = path.read_text(encoding="utf-8")
    assert "größe" in text
    assert text.endswith("}\n")
    assert json.loads(text) == {"name": "größe", "values": [1, 2.5, None]}
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(path, {"loss": float("nan")})
    assert path.read_text(encoding="utf-8") == text
