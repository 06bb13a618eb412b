"""What the server refuses, whoever asks."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from nncli.ui.guard import LARGEST_BODY
from tests.runs.made import make_run
from tests.ui.conftest import HERE

if TYPE_CHECKING:
    from starlette.testclient import TestClient

PAGES = ("/", "/run", "/compare", "/playground")
UP = ("..", "%2e%2e", "..%2f..", "%252e%252e", "..%5c..", "..%00", "%c0%ae%c0%ae")
SECRET = "the secret of this machine"


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """Return a file beside the runs directory, and a run there."""
    path = tmp_path / "secret.txt"
    path.write_text(SECRET)
    outside = make_run(tmp_path, "outside")
    outside.config.write_text(SECRET)
    return path


@pytest.mark.parametrize("page", PAGES)
def test_page_runs_scripts_of_the_server_alone(client: TestClient, page: str) -> None:
    answer = client.get(page)
    policy = answer.headers["content-security-policy"]
    assert answer.status_code == 200
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert "<script>" not in answer.text
    assert " style=" not in answer.text
    assert "http://" not in answer.text
    assert "https://" not in answer.text


def test_address_without_a_page_gets_a_page_with_links(client: TestClient) -> None:
    for place in ("/xyz", "/static/xyz", "/runs/a-1"):
        answer = client.get(place)
        assert (answer.status_code, "no such page" in answer.text) == (404, True)
        assert '<a href="/">Runs</a>' in answer.text
        assert "script-src 'self'" in answer.headers["content-security-policy"]
    assert client.get("/api/xyz").json() == {"error": "Not Found"}


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8321", "127.0.0.1.evil.example", "", "0.0.0.0"],
)
def test_foreign_host_gets_400(client: TestClient, host: str) -> None:
    for place in ("/", "/api/runs", "/static/runs.js"):
        assert client.get(place, headers={"host": host}).status_code == 400


def test_forwarded_port_of_this_machine_is_served(client: TestClient) -> None:
    for host in ("localhost", "localhost:9000", "127.0.0.1:1"):
        assert client.get("/", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "POST"]
)
def test_runs_are_read_only(client: TestClient, folder: Path, method: str) -> None:
    make_run(folder)
    for place in ("/", "/api/runs", "/api/run?name=a-1", "/static/ui.css"):
        answer = client.request(method, place, headers={"content-type": "text/plain"})
        assert answer.status_code in (405, 415)
    assert client.post("/api/runs", json={}).status_code == 405


@pytest.mark.parametrize("up", UP)
@pytest.mark.parametrize(
    "place",
    [
        "/{}/secret.txt",
        "/static/{}/secret.txt",
        "/static/{}/{}/app.py",
        "/run/{}",
        "/library/{}/charts.js",
        "/api/run?name={}/outside",
        "/api/run?name={}",
        "/api/rows?name={}/outside",
        "/api/rows?name=a-1/{}/{}/outside",
    ],
)
def test_path_that_leads_up_gets_404(
    client: TestClient, folder: Path, secret: Path, place: str, up: str
) -> None:
    make_run(folder)
    assert raw(client, place.replace("{}", up)) == 404


def raw(client: TestClient, place: str) -> int:
    """Ask without a client that tidies the path up; return the status."""
    from urllib.parse import unquote_to_bytes

    path, _, query = place.partition("?")
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        # As uvicorn does it.
        "path": unquote_to_bytes(path).decode("ascii", "replace"),
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": [(b"host", b"127.0.0.1:8321")],
    }
    sent: list[dict[str, Any]] = []
    asked: list[dict[str, Any]] = [{"type": "http.request", "body": b""}]

    async def receive() -> dict[str, Any]:
        if not asked:
            # Who asked waits, and does not hang up.
            await asyncio.Event().wait()
        return asked.pop()

    async def send(message: Any) -> None:
        sent.append(dict(message))

    asyncio.run(client.app(scope, receive, send))  # type: ignore[arg-type]
    body = b"".join(message.get("body", b"") for message in sent)
    assert SECRET.encode() not in body
    return int(sent[0]["status"])


def test_raw_question_finds_what_there_is(client: TestClient, folder: Path) -> None:
    make_run(folder)
    assert raw(client, "/static/runs.js") == 200
    assert raw(client, "/api/run?name=%61-1") == 200


def test_links_out_of_the_directory_are_refused(
    client: TestClient, folder: Path, secret: Path
) -> None:
    (folder / "whole").symlink_to(secret.parent / "outside")
    one = make_run(folder, "one")
    one.config.symlink_to(secret)
    deep = make_run(folder, "deep")
    deep.last.unlink()
    deep.last.symlink_to(secret.parent / "outside" / "checkpoints" / "last.safetensors")
    listing = client.get("/api/runs").json()
    assert listing["runs"] == []
    assert listing["others"].keys() == {"whole", "one", "deep"}
    assert all("leads out" in why for why in listing["others"].values())
    for name in ("whole", "one", "deep"):
        for place in ("/api/run", "/api/rows"):
            assert client.get(place, params={"name": name}).status_code == 404
        runs = {"run": [name, "one"]}
        assert client.get("/api/compare", params=runs).status_code in (400, 404)


def test_links_within_the_directory_are_followed(
    client: TestClient, folder: Path
) -> None:
    make_run(folder)
    (folder / "latest").symlink_to("a-1")
    names = [run["name"] for run in client.get("/api/runs").json()["runs"]]
    assert sorted(names) == ["a-1", "latest"]
    assert client.get("/api/run?name=latest").status_code == 200


def test_huge_query_gets_414(client: TestClient) -> None:
    assert client.get("/api/runs?where=" + 9000 * "x").status_code == 414
    many = "&".join(f"run=r{i}" for i in range(100))
    assert client.get(f"/api/compare?{many}").status_code == 400


def test_nobody_else_is_let_in_by_cors(client: TestClient) -> None:
    for place in ("/", "/api/runs", "/static/runs.js"):
        answer = client.get(place, headers={"origin": "http://evil.example"})
        assert not [name for name in answer.headers if "access-control" in name]
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"


def test_post_needs_a_page_of_this_server(client: TestClient) -> None:
    def status(**headers: str) -> int:
        return client.post(
            "/api/playground", content=b"{}", headers={**JSON, **headers}
        ).status_code

    assert status() == 200
    for origin in ("http://evil.example", "null", "http://localhost:8321", f"{HERE}0"):
        assert status(origin=origin) == 403
    assert status(**{"content-type": "text/plain"}) == 415
    large = b"{" + b" " * LARGEST_BODY + b"}"
    answer = client.post("/api/playground", content=large, headers=JSON)
    assert answer.status_code == 413


JSON = {"content-type": "application/json"}
