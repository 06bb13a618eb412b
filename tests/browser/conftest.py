"""A Chromium that Playwright drives; where one of the two is missing, tests skip."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Page

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
AXE = "NNCLI_AXE"
"""The variable that holds the path of axe-core's axe.min.js."""

WIDE, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Start the system's Chromium, once for the tests of a file.

    No longer, for Playwright's loop of events would be in the way of others.
    """
    path = shutil.which("chromium")
    if path is None:
        missing("chromium is not installed: apt-get install chromium")
    try:
        from playwright import sync_api as api
    except ImportError:
        missing("playwright is not installed: pip install playwright")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """Open an empty page; whatever its console calls an error fails the test."""
    context = chromium.new_context(viewport=WIDE)
    page = context.new_page()
    errors: list[str] = []

    def heard(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            errors.append(message.text)

    page.on("console", heard)
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    context.close()
    assert errors == []


def missing(what: str) -> NoReturn:
    """Skip a test; where axe-core is at hand, as in CI, a browser is expected too."""
    if os.environ.get(AXE):
        pytest.fail(what)
    pytest.skip(what)


def violations(page: Page) -> list[str]:
    """Return what axe-core finds that is serious or critical, and where."""
    path = os.environ.get(AXE)
    if not path:
        pytest.skip(f"no axe-core: {AXE} is not set")
    # A page's own policy lets no other script in.
    page.evaluate(Path(path).read_text(encoding="utf-8"))
    found: list[dict[str, Any]] = page.evaluate(
        "axe.run().then(found => found.violations)"
    )
    return [
        f"{each['id']}: {node['target']} {node['failureSummary']}"
        for each in found
        if each["impact"] in ("serious", "critical")
        for node in each["nodes"]
    ]


def overflows(page: Page) -> list[str]:
    """Return what reaches over the right edge of the window."""
    # Charts follow the width of their place a moment later.
    page.wait_for_function(
        """() => !globalThis.Chart || Object.values(Chart.instances).every(chart => {
          const width = chart.canvas.parentElement.clientWidth
          return !width || Math.abs(chart.width - width) <= 1
        })"""
    )
    found: list[str] = page.evaluate(
        """() => {
          const width = document.documentElement.clientWidth
          const scrolls = element => {
            for (; element; element = element.parentElement)
              if (/auto|scroll|hidden/.test(getComputedStyle(element).overflowX))
                return true
            return false
          }
          return [...document.body.querySelectorAll("*")]
            .filter(e => e.getBoundingClientRect().right > width + 1)
            .filter(e => !scrolls(e))
            .map(e => e.outerHTML.slice(0, 100))
            .concat(document.documentElement.scrollWidth > width ? ["page"] : [])
        }"""
    )
    return found
