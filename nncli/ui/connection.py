"""Connection: one of a browser, of which there are no more than the server can have."""

from __future__ import annotations

import asyncio
import logging
import time

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

MOST = 128
"""Connections at once; a process may have 256 open files, or more."""


class Connection(H11Protocol):
    """A connection that makes room for newer ones, and holds up no end of the server.

    A browser opens another one when it needs it.
    """

    def connection_made(  # type: ignore[override]
        self, transport: asyncio.Transport
    ) -> None:
        """Begin; of too many connections the oldest one ends."""
        super().connection_made(transport)
        self.made = time.monotonic()
        if len(self.connections) > MOST:
            every = [each for each in self.connections if isinstance(each, Connection)]
            min(every, key=lambda each: each.made).drop()

    def shutdown(self) -> None:
        """End when the answer is sent, at once where the question is not."""
        # What is cut off now is no news.
        self.logger.setLevel(logging.CRITICAL)
        super().shutdown()
        if self.conn.their_state is h11.SEND_BODY:
            self.drop()

    def drop(self) -> None:
        """End at once."""
        self.connections.discard(self)
        self.transport.abort()
