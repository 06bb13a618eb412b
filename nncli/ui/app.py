"""App: where everything is that the pages load and ask for."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from nncli.core.errors import NncliError
from nncli.report.charts import chart_library, chart_script
from nncli.report.page import STYLE
from nncli.ui.answers import failure, refusal
from nncli.ui.guard import Guard
from nncli.ui.pages import TITLES, page
from nncli.ui.place import RunsFolder
from nncli.ui.playground.endpoints import Playground
from nncli.ui.runs import Runs


def make_app(runs_dir: Path) -> Starlette:
    """Return the server of the pages.

    Args:
        runs_dir: The one directory that it reads.

    Raises:
        MissingExtra: The library of charts is not installed.
    """
    script = "text/javascript"
    fixed = {
        "/page.css": (STYLE, "text/css"),
        "/library/chart.js": (chart_library(), script),
        "/library/charts.js": (chart_script(), script),
    }
    routes = [
        *(_page(name) for name in TITLES),
        *(_fixed(place, *what) for place, what in fixed.items()),
        *Runs(RunsFolder(runs_dir)).routes(),
        *Playground().routes(),
        Mount("/static", StaticFiles(directory=str(_static()))),
    ]
    app = Starlette(
        routes=routes,
        middleware=[Middleware(Guard)],
        exception_handlers={
            HTTPException: refusal,
            NncliError: failure,
            OSError: failure,
        },
    )
    app.router.redirect_slashes = False
    return app


def _page(name: str) -> Route:
    text = page(name)

    async def show(_request: Request) -> Response:
        return HTMLResponse(text, headers={"cache-control": "no-cache"})

    return Route("/" if name == "runs" else f"/{name}", show)


def _fixed(place: str, text: str, kind: str) -> Route:
    headers = {"cache-control": "no-cache"}

    async def show(_request: Request) -> Response:
        return Response(text, headers=headers, media_type=kind)

    return Route(place, show)


def _static() -> Path:
    return Path(str(resources.files("nncli.ui"))) / "static"
