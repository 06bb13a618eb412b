"""Pages: what the browser loads first; scripts fill it with what they ask for."""

from __future__ import annotations

from html import escape
from importlib import resources

from nncli.report.page import document, heading

TITLES = {
    "runs": "Runs",
    "run": "Run",
    "compare": "Compare runs",
    "playground": "Playground",
}
"""The pages by name; each has its body and its script in ``static``."""

LINKS = {"runs": ("/", "Runs"), "playground": ("/playground", "Playground")}


HEAD = (
    '<link rel="icon" href="/static/icon.svg" type="image/svg+xml">\n'
    '<link rel="stylesheet" href="/page.css">\n'
    '<link rel="stylesheet" href="/static/ui.css">\n'
)


def page(name: str) -> str:
    """Return a page.

    Args:
        name: One of ``TITLES``.
    """
    scripts = (
        '<script defer src="/library/chart.js"></script>\n'
        '<script defer src="/library/charts.js"></script>\n'
        f'<script type="module" src="/static/{name}.js"></script>\n'
    )
    body = (resources.files("nncli.ui") / "static" / f"{name}.html").read_text("utf-8")
    return _whole(TITLES[name], scripts, body, name)


def refused(reason: str) -> str:
    """Return the page for what there is none, or what cannot be had.

    Args:
        reason: A sentence.
    """
    return _whole(reason, "", f"{heading(1, reason)}\n")


def _whole(title: str, scripts: str, body: str, name: str = "") -> str:
    """Return a page with links to the others."""
    links = "".join(
        f'<a href="{place}"{" aria-current=page" * (key == name)}>{escape(text)}</a>\n'
        for key, (place, text) in LINKS.items()
    )
    return document(
        f"{title} - nncli",
        HEAD + scripts,
        '<a class="skip" href="#main">Skip to the content</a>\n'
        '<header><nav aria-label="Pages"><strong>nncli</strong>\n'
        f"{links}</nav></header>\n"
        f'<main id="main" tabindex="-1">\n{body}</main>\n'
        '<p id="told" role="status" class="told"></p>\n',
    )
