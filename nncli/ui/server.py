"""Server: the pages on a port of this machine, until it is stopped."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from pathlib import Path

from nncli.core.errors import MissingExtra, UsageError

HOST = "127.0.0.1"


def serve(runs_dir: Path, port: int, ready: Callable[[str], None]) -> None:
    """Serve the pages until Ctrl-C.

    Args:
        runs_dir: Where runs lie.
        port: Of this machine; 0 for any that is free.
        ready: Is told the address when it can be opened.

    Raises:
        MissingExtra: starlette, uvicorn or the library of charts is not installed.
        UsageError: The port is taken, or there is no such directory.
    """
    try:
        import uvicorn

        from nncli.ui.app import make_app
        from nncli.ui.connection import Connection
    except ModuleNotFoundError as error:
        name = (error.name or "starlette").partition(".")[0]
        raise MissingExtra("ui", name, "ui") from None
    from nncli.runs.listing import list_runs

    # What cannot be read is told before anything is opened.
    list_runs(runs_dir)
    app = make_app(runs_dir)
    config = uvicorn.Config(
        app,
        http=Connection,
        # So many come in at once. What ends for them is closed two turns of the loop
        # later, and until then they all are open files.
        backlog=16,
        log_config=None,
        access_log=False,
        lifespan="off",
        ws="none",
        server_header=False,
        timeout_graceful_shutdown=1,
    )
    with _listening(port) as opened:
        ready(f"http://{HOST}:{opened.getsockname()[1]}/")
        uvicorn.Server(config).run(sockets=[opened])


def _listening(port: int) -> socket.socket:
    opened = socket.socket()
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        opened.bind((HOST, port))
        opened.listen()
    except OSError as error:
        opened.close()
        if error.errno == errno.EADDRINUSE:
            raise UsageError(
                f"--port {port}: another program has it, perhaps another nncli ui. "
                "Take another one (--port 0 takes any that is free)."
            ) from None
        raise UsageError(
            f"--port {port}: {error.strerror}. Take another one."
        ) from None
    return opened
