"""Files: what is opened, and how failures say which file they are about."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from nncli.core.errors import RunError
from nncli.core.files import append_text, naming, open_file, writable


def test_file_is_opened_and_anything_else_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"abc")
    with open_file(tmp_path / "file") as file:
        assert file.read() == b"abc"
    os.mkfifo(tmp_path / "pipe")
    for path, kind in (
        (tmp_path / "pipe", "a pipe, not a file"),
        (Path("/dev/zero"), "a device, not a file"),
        (tmp_path, "a directory, not a file"),
    ):
        with pytest.raises(OSError, match=kind) as caught:
            open_file(path)
        assert caught.value.filename == str(path)


def test_append_adds_to_the_end_and_does_not_wait_for_a_reader(tmp_path: Path) -> None:
    path = tmp_path / "log"
    append_text(path, "a\n")
    append_text(path, "\udce9\n")
    assert path.read_bytes() == b"a\n\\udce9\n"
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="pipe"):
        append_text(tmp_path / "pipe", "a\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_failure_of_the_system_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No space") as caught:
        append_text(Path("/dev/full"), "a\n")
    assert caught.value.filename == "/dev/full"
    with pytest.raises(OSError, match="x") as caught, naming(tmp_path):
        raise OSError(5, "x")
    assert caught.value.filename == str(tmp_path)


def test_result_goes_to_a_directory_that_is_made(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "x"
    with writable(path):
        path.touch()
    for place in (path / "y", path / "y" / "z"):
        message = pytest.raises(RunError, match=r"write to, got: Not a directory\.$")
        with message, writable(place):
            pytest.fail("nothing can be written there")
