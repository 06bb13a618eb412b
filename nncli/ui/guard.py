"""Guard: what every request must be like, and what every answer says."""

from __future__ import annotations

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HOSTS = ("127.0.0.1", "localhost")
LONGEST_QUERY = 8192
LARGEST_BODY = 2**14

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


class Guard:
    """Refuses what no page of ours asks for.

    A site of the internet cannot reach this server by a name of its own (the Host
    header is checked), nor read what it says (no CORS), nor make it do anything (POST
    from our own pages only).

    Args:
        app: What answers the rest.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        status, reason = _fault(scope)
        app = PlainTextResponse(f"{reason}\n", status) if status else self._app
        await app(scope, receive, send_with_headers)


def _fault(scope: Scope) -> tuple[int, str]:
    """Return the status and the reason of a refusal; 0 for none."""
    headers = Headers(scope=scope)
    hosts = headers.getlist("host")
    if len(hosts) != 1 or not _is_here(hosts[0]):
        return 400, "Host: expected 127.0.0.1 or localhost."
    if scope["method"] not in ("GET", "HEAD", "POST"):
        return 405, "Expected GET, or POST of the playground."
    if len(scope.get("query_string", b"")) > LONGEST_QUERY:
        return 414, f"Expected a query of at most {LONGEST_QUERY} bytes."
    if scope["method"] == "POST":
        return _fault_of_post(headers, hosts[0])
    return 0, ""


def _fault_of_post(headers: Headers, host: str) -> tuple[int, str]:
    if headers.getlist("origin") != [f"http://{host}"]:
        return 403, "Origin: expected a page of this server."
    if headers.get("content-type") != "application/json":
        return 415, "Content-Type: expected application/json."
    length = headers.get("content-length", "")
    if not length.isdecimal() or len(length) > 9 or int(length) > LARGEST_BODY:
        return 413, f"Expected a body of at most {LARGEST_BODY} bytes."
    return 0, ""


def _is_here(host: str) -> bool:
    """Whether a Host header names this machine, with any port: it may be forwarded."""
    name, _, port = host.partition(":")
    return name.lower() in HOSTS and (port.isdecimal() or not port)
