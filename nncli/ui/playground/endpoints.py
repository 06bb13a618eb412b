"""Endpoints: what the page of the playground asks for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from nncli.config.validate import component_from
from nncli.core.errors import ArgumentError
from nncli.runs.untrusted import from_json
from nncli.ui.answers import answer
from nncli.ui.guard import LARGEST_BODY
from nncli.ui.playground.session import Session
from nncli.ui.playground.settings import Settings, choices

MOST_STEPS, MOST_SECONDS = 1000, 0.2
"""How far one request may train."""


class Playground:
    """One network at a time, in a thread of its own; a new one takes its place."""

    def __init__(self) -> None:
        self._session: Session | None = None
        self._thread = ThreadPoolExecutor(1, "playground")

    def routes(self) -> list[Route]:
        """Return where its endpoints are."""
        return [
            Route("/api/playground", self.choices, methods=["GET"]),
            Route("/api/playground", self.begin, methods=["POST"]),
            Route("/api/playground/{session}", self.train, methods=["POST"]),
        ]

    async def choices(self, request: Request) -> Response:
        """Return what can be chosen."""
        return answer(request, await self._in_thread(choices))

    async def begin(self, request: Request) -> Response:
        """Build a network, untrained, and return all about it."""
        given = await _body(request)

        def begin() -> dict[str, Any]:
            self._session = session = Session(component_from(Settings, given))
            return session.description() | {"state": session.state()}

        return answer(request, await self._in_thread(begin))

    async def train(self, request: Request) -> Response:
        """Train for some steps, or some time, and return the state."""
        given = await _body(request)
        steps, seconds = given.get("steps", 1), given.get("seconds", 1.0)
        if type(steps) is not int or steps < 0:
            raise ArgumentError("steps: expected an integer >= 0.")
        if not isinstance(seconds, int | float) or not seconds > 0:
            raise ArgumentError("seconds: expected a number > 0.")
        name = request.path_params["session"]

        def train() -> dict[str, Any]:
            session = self._session
            if session is None or session.name != name:
                raise HTTPException(
                    410, "Another page took the playground; begin again here."
                )
            return session.train(min(steps, MOST_STEPS), min(seconds, MOST_SECONDS))

        return answer(request, await self._in_thread(train))

    async def _in_thread(self, work: Callable[[], Any]) -> Any:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, work)


async def _body(request: Request) -> dict[str, Any]:
    """Return the mapping that was sent."""
    body = b""
    try:
        async for piece in request.stream():
            body += piece
            if len(body) > LARGEST_BODY:
                raise HTTPException(413, f"Expected at most {LARGEST_BODY} bytes.")
    except ClientDisconnect:
        raise HTTPException(400, "Expected the whole of a body.") from None
    try:
        value = from_json(body)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise ArgumentError("expected a mapping in JSON.")
    return value
