"""data get: from a local server that fails in all the usual ways."""

from __future__ import annotations

import hashlib
import io
import tarfile
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nncli.cli import download
from nncli.data import sources
from nncli.data.mnist import Mnist
from nncli.data.sources import Download, Source
from tests.command import Command
from tests.pictures import write_mnist

CONTENT = np.random.default_rng(0).bytes(200_000)
NAME = "file.bin"
Answer = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    """Answers as the server's script says, one entry a request; the last stays."""

    def do_GET(self) -> None:
        server: Any = self.server
        server.asked.append((self.path, self.headers.get("Range")))
        script = server.script[self.path.split("/")[1]]
        (script.pop(0) if len(script) > 1 else script[0])(self)

    def send(self, code: int, body: bytes, length: int | None = None, **head: str):  # type: ignore[no-untyped-def]
        self.send_response(code)
        for name, value in head.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)

    @property
    def begin(self) -> int:
        return int((self.headers.get("Range") or "bytes=0-")[6:-1])

    def log_message(self, *args: Any) -> None:
        pass


def whole(it: Handler) -> None:
    """Serve what is asked for, as a server with Range does."""
    if it.begin:
        place = f"bytes {it.begin}-{len(CONTENT) - 1}/{len(CONTENT)}"
        it.send(206, CONTENT[it.begin :], Content_Range=place)
    else:
        it.send(200, CONTENT)


def without_range(it: Handler) -> None:
    it.send(200, CONTENT)


def cut(it: Handler) -> None:
    """Promise everything that is left, and send half of it."""
    left = CONTENT[it.begin :]
    place = f"bytes {it.begin}-{len(CONTENT) - 1}/{len(CONTENT)}"
    code = 206 if it.begin else 200
    it.send(code, left[: len(left) // 2], len(left), Content_Range=place)


def wrong(it: Handler) -> None:
    it.send(200, b"x" * len(CONTENT))


def too_long(it: Handler) -> None:
    it.send(200, CONTENT + b"more")


def other_place(it: Handler) -> None:
    it.send(206, CONTENT[1:], Content_Range=f"bytes 1-{len(CONTENT)}/{len(CONTENT)}")


def silent(it: Handler) -> None:
    """Close without a word."""


def answers(code: int) -> Answer:
    return lambda it: it.send(code, b"no")


class Server:
    """A server at this machine.

    Attributes:
        script: How each mirror answers, request by request.
        asked: What was asked for, with its Range.
    """

    def __init__(self, http: Any) -> None:
        self.http = http
        self.script: dict[str, list[Answer]] = http.script
        self.asked: list[tuple[str, str | None]] = http.asked

    def source(self, *mirrors: Any, **facts: Any) -> Source:
        """Return a source with a mirror for each script."""
        self.script.clear()
        self.asked.clear()
        for number, script in enumerate(mirrors):
            self.script[f"m{number}"] = [script] if callable(script) else list(script)
        port = self.http.server_address[1]
        urls = tuple(f"http://127.0.0.1:{port}/m{i}/" for i in range(len(mirrors)))
        digest = hashlib.sha256(CONTENT).hexdigest()
        return Source(urls, (Download(NAME, len(CONTENT), digest),), **facts)


@pytest.fixture(scope="module")
def http() -> Iterator[Server]:
    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.script, server.asked = {}, []
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield Server(server)
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def offer(http: Server, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Server]:
    """Return a function that lets ``data get mnist`` come from scripted mirrors."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")

    def make(*mirrors: Any, **facts: Any) -> Server:
        source = http.source(*mirrors, **facts)
        monkeypatch.setitem(sources.SOURCES, "mnist", source)
        return http

    return make


Offer = Callable[..., Server]


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize(
    ("mirrors", "ranges"),
    [
        ([whole], [None]),
        ([answers(404), whole], [None, None]),
        ([[answers(500), whole]], [None, None]),
        ([silent, answers(503), whole], [None] * 3),
        ([[cut, whole]], [None, "bytes=100000-"]),
        ([cut, whole], [None, "bytes=100000-"]),
        ([[cut, cut, whole]], [None, "bytes=100000-", "bytes=150000-"]),
        ([[cut, without_range]], [None, "bytes=100000-"]),
        ([cut, other_place, without_range], [None, *["bytes=100000-"] * 2]),
        ([wrong, whole], [None, None]),
        ([too_long, whole], [None, None]),
    ],
    ids=lambda value: None,
)
def test_get_brings_the_file_whatever_mirrors_do(
    offer: Offer,
    command: Command,
    tmp_path: Path,
    mirrors: list[Any],
    ranges: list[str | None],
) -> None:
    server = offer(*mirrors)
    outcome = command("data", "get", "mnist", "--root", tmp_path / "d", "--json")
    assert outcome.code == 0, outcome.err
    assert outcome.json()["files"] == [{"file": NAME, "status": "written"}]
    assert left(tmp_path / "d") == [NAME]
    assert (tmp_path / "d" / NAME).read_bytes() == CONTENT
    assert [given for _, given in server.asked] == ranges


@pytest.mark.parametrize(
    ("mirrors", "message", "part"),
    [
        ([answers(404), answers(403)], "answered 404 Not Found", False),
        ([wrong], "its SHA-256 is wrong", False),
        ([too_long], "gave another file: it is longer", False),
        ([cut], "broke off after 175,000 of 200,000 bytes", True),
        ([silent], "could not be reached", False),
    ],
)
def test_get_that_fails_leaves_no_file(
    offer: Offer,
    command: Command,
    tmp_path: Path,
    mirrors: list[Any],
    message: str,
    part: bool,
) -> None:
    server = offer(*mirrors)
    outcome = command("data", "get", "mnist", "--root", tmp_path)
    assert outcome.code == 1
    assert message in outcome.err
    assert not (tmp_path / NAME).exists()
    assert ("is kept: try again" in outcome.err) == part
    if part:
        # The next call goes on from there.
        offer(whole)
        assert command("data", "get", "mnist", "--root", tmp_path).code == 0
        assert server.asked == [(f"/m0/{NAME}", "bytes=175000-")]
        assert left(tmp_path) == [NAME]


def test_get_keeps_what_is_right_and_refuses_what_is_not(
    offer: Offer, command: Command, tmp_path: Path
) -> None:
    server = offer(whole)
    (tmp_path / NAME).write_bytes(CONTENT)
    outcome = command("data", "get", "mnist", "--root", tmp_path)
    assert "kept" in outcome.out
    assert server.asked == []
    (tmp_path / NAME).write_bytes(b"mine")
    outcome = command("data", "get", "mnist", "--root", tmp_path)
    assert outcome.code == 1
    assert "found another one of its name. Move it away" in outcome.err
    assert (tmp_path / NAME).read_bytes() == b"mine"


@pytest.mark.parametrize("junk", [b"y" * len(CONTENT), b"y" * (len(CONTENT) + 1)])
def test_get_begins_anew_where_a_part_is_of_something_else(
    offer: Offer, command: Command, tmp_path: Path, junk: bytes
) -> None:
    offer(whole)
    (tmp_path / f".{NAME}.part").write_bytes(junk)
    assert command("data", "get", "mnist", "--root", tmp_path).code == 0
    assert (tmp_path / NAME).read_bytes() == CONTENT


def test_get_unpacks_what_is_wanted_of_an_archive(
    offer: Offer, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = io.BytesIO()
    with tarfile.open(fileobj=room, mode="w:gz") as archive:
        for name, content in (
            ("c/a.bin", b"four"),
            ("../../evil", b"no"),
            ("c/names.txt", b"x"),
        ):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    monkeypatch.setattr("tests.cli.test_data_get.CONTENT", room.getvalue())
    offer(whole, members={"a.bin": 4, "names.txt": 100})
    for status in ("written", "kept"):
        outcome = command("data", "get", "mnist", "--root", tmp_path / "d", "--json")
        files = {"a.bin": status, "names.txt": status}
        found = {each["file"]: each["status"] for each in outcome.json()["files"]}
        assert found == files
    assert left(tmp_path / "d") == ["a.bin", "names.txt"]
    assert (tmp_path / "d" / "a.bin").read_bytes() == b"four"
    # A member that is larger than it may be is not unpacked.
    offer(whole, members={"a.bin": 3})
    outcome = command("data", "get", "mnist", "--root", tmp_path / "e")
    assert outcome.code == 1
    assert "expected a.bin in it, found none" in outcome.err


def test_get_puts_files_where_the_dataset_looks(
    command: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NNCLI_DATA", str(tmp_path))
    write_mnist(tmp_path / "mnist")
    files = []
    for file in sources.SOURCES["mnist"].files:
        path = tmp_path / "mnist" / file.name
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        files.append(Download(file.name, path.stat().st_size, digest))
    monkeypatch.setitem(sources.SOURCES, "mnist", Source((), tuple(files)))
    outcome = command("data", "get", "mnist")
    assert outcome.out.count("kept") == 4
    assert len(Mnist().load(np.random.default_rng(0))) == 120


def test_get_of_an_unknown_dataset_names_the_nearest(command: Command) -> None:
    outcome = command("data", "get", "mnst")
    assert outcome.code == 2
    assert "Did you mean 'mnist'" in outcome.err


def test_sources_have_whole_hashes() -> None:
    for source in sources.SOURCES.values():
        assert len(source.mirrors) >= 2
        assert all(url.endswith("/") for url in source.mirrors)
        for file in source.files:
            assert len(bytes.fromhex(file.sha256)) == 32
            assert file.size > 1000
    hashes = [f.sha256 for s in sources.SOURCES.values() for f in s.files]
    assert len(set(hashes)) == len(hashes)


def test_download_waits_for_no_mirror_for_ever() -> None:
    assert 1 <= download.TIMEOUT <= 60
