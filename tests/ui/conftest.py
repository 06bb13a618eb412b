"""Fixtures of the server's tests: pages asked without a browser or a socket."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from starlette.testclient import TestClient

HERE = "http://127.0.0.1:8321"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return an empty directory of runs."""
    path = tmp_path / "runs"
    path.mkdir()
    return path


@pytest.fixture
def client(folder: Path) -> TestClient:
    """Return what asks the server of a directory of runs, as a page of it does."""
    pytest.importorskip("starlette")
    from starlette.testclient import TestClient

    from nncli.ui.app import make_app

    return TestClient(
        make_app(folder),
        HERE,
        headers={"origin": HERE},
        raise_server_exceptions=True,
    )
