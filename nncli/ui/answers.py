"""Answers: JSON to a browser, which need not be sent twice."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from nncli.core.errors import ArgumentError, NncliError, UsageError
from nncli.ui.pages import refused


def answer(request: Request, value: Any, status: int = 200) -> Response:
    """Return JSON; only its tag where the browser has it already."""
    body = json.dumps(value, allow_nan=False).encode()
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {"etag": tag, "cache-control": "no-cache"}
    if status == 200 and request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(body, status, headers, media_type="application/json")


def failure(request: Request, error: Exception) -> Response:
    """Return the message of an expected failure."""
    wrong = isinstance(error, ArgumentError | UsageError)
    text = str(error) if isinstance(error, NncliError) else _told(error)
    return answer(request, {"error": text}, 400 if wrong else 422)


def refusal(request: Request, error: Exception) -> Response:
    """Return what is said to a request that is refused: a status and a sentence.

    Whoever opens an address that no page has gets a page nevertheless.
    """
    status, reason = getattr(error, "status_code", 500), getattr(error, "detail", "")
    if request.url.path.startswith("/api/"):
        return answer(request, {"error": reason}, status)
    return HTMLResponse(
        refused("There is no such page." if status == 404 else reason), status
    )


def _told(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or type(error).__name__)
