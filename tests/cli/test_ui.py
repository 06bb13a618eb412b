"""nncli ui: how it begins and ends; what it says over a real socket."""

from __future__ import annotations

import contextlib
import http.client
import json
import resource
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.command import Command, environment, finish, start
from tests.runs.made import make_run

pytest.importorskip("uvicorn")


def begin(*arguments: object) -> tuple[subprocess.Popen[str], int]:
    """Start a server on a free port; return its process and the port."""
    process = start("ui", "--port", "0", *arguments)
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.startswith("http://127.0.0.1:"), finish(process).err
    return process, int(line.split()[0].rstrip("/").rpartition(":")[2])


def ask(port: int, place: str, host: str | None = None) -> tuple[int, bytes]:
    """Ask for a path as it stands; return the status and the body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", place, headers={"Host": host} if host else {})
    answer = connection.getresponse()
    found = answer.status, answer.read()
    connection.close()
    return found


@pytest.mark.slow
def test_server_shows_runs_and_ends_at_once(tmp_path: Path) -> None:
    make_run(tmp_path / "runs")
    (tmp_path / "secret").write_text("secret")
    process, port = begin("--runs-dir", tmp_path / "runs")
    status, body = ask(port, "/api/runs")
    assert (status, json.loads(body)["runs"][0]["name"]) == (200, "a-1")
    for place in ("/../secret", "/static/../../../secret", "/api/run?name=../secret"):
        status, body = ask(port, place)
        assert (status, b"secret" in body) == (404, False)
    assert ask(port, "/", host="evil.example")[0] == 400
    # A page that is open keeps its connection.
    kept = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    kept.request("GET", "/")
    kept.getresponse().read()
    process.send_signal(signal.SIGINT)
    outcome = finish(process)
    kept.close()
    assert (outcome.code, outcome.out, outcome.err) == (130, "", "stopped.\n")


def cut_off(port: int) -> socket.socket:
    """Send a part of a request whose body never comes."""
    client = socket.create_connection(("127.0.0.1", port), timeout=30)
    client.sendall(
        f"POST /api/playground HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
        f"Origin: http://127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
        "Content-Length: 50\r\n\r\n{".encode()
    )
    return client


@pytest.mark.slow
def test_requests_that_never_end_neither_fill_the_server_nor_hold_it_up(
    tmp_path: Path,
) -> None:
    make_run(tmp_path / "runs")
    process, port = begin("--runs-dir", tmp_path / "runs")
    if hasattr(resource, "prlimit"):
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (256, 256))
    with contextlib.ExitStack() as opened:
        cut_off(port).close()
        for _ in range(400):
            client = opened.enter_context(socket.create_connection(("127.0.0.1", port)))
            client.sendall(b"GET / HTTP/1.1\r\nHost: 127")
        assert ask(port, "/api/runs")[0] == 200
        opened.enter_context(cut_off(port))
        assert ask(port, "/api/runs")[0] == 200
        process.send_signal(signal.SIGINT)
        outcome = finish(process)
    assert (outcome.code, outcome.err) == (130, "stopped.\n")


@pytest.mark.slow
def test_server_listens_to_this_machine_alone(tmp_path: Path) -> None:
    process, port = begin("--runs-dir", tmp_path)
    try:
        with socket.socket() as other, pytest.raises(ConnectionRefusedError):
            # 127.0.0.2 is this machine too, but not the address that is served.
            other.connect(("127.0.0.2", port))
    finally:
        process.send_signal(signal.SIGINT)
        finish(process)


def test_port_in_use_is_told_with_the_way_out(command: Command, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        outcome = command("ui", "--runs-dir", tmp_path, "--port", port)
    assert outcome.code == 2
    assert outcome.err.startswith(f"error: --port {port}: another program has it")
    assert "--port 0" in outcome.err


def test_missing_directory_is_told(command: Command, tmp_path: Path) -> None:
    outcome = command("ui", "--runs-dir", tmp_path / "nowhere")
    assert (outcome.code, "nowhere: expected a directory" in outcome.err) == (2, True)


@pytest.mark.slow
@pytest.mark.parametrize("package", ["starlette", "uvicorn", "chartkick"])
def test_missing_package_is_told_with_the_extra(package: str, tmp_path: Path) -> None:
    program = (
        f"import sys; sys.modules[{package!r}] = None\n"
        "from nncli.cli.app import run\n"
        f"sys.exit(run(['ui', '--runs-dir', {str(tmp_path)!r}]))"
    )
    outcome = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        env=environment(),
        check=False,
    )
    assert outcome.returncode == 2
    assert f"expected {package} to be installed" in outcome.stderr
    assert "pip install" in outcome.stderr
