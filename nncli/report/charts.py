"""Charts: curves that show their values on hover, drawn by Chart.js in the browser."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from html import escape
from importlib import resources
from typing import Any

from nncli.core.errors import MissingExtra
from nncli.report.page import listing, text_of
from nncli.report.thinned import thinned

MOST_ROWS = 200
"""Points of which the table below a chart shows every one."""

Point = tuple[float, float | None]


@dataclass(frozen=True)
class Curve:
    """One line of a chart.

    Attributes:
        name: What the legend calls it.
        points: x and y, x ascending; y is None where there is no value.
        colour: Which one of the page's, from 0.
        dashed: Whether the line is.
        best: The place among the points that is ringed; None for none.
    """

    name: str
    points: Sequence[Point]
    colour: int = 0
    dashed: bool = False
    best: int | None = None


@dataclass(frozen=True)
class Chart:
    """Curves over one axis.

    Attributes:
        title: What it shows.
        x: What x counts: epoch or step.
        y: What y is.
        curves: At least one.
    """

    title: str
    x: str
    y: str
    curves: Sequence[Curve]

    def spec(self) -> dict[str, Any]:
        """Return what ``charts.js`` draws, as plain JSON values."""
        return asdict(self)


def chart_html(chart: Chart, place: str) -> str:
    """Return a chart and, folded below it, the table of its values.

    Args:
        chart: What is drawn.
        place: The id of its canvas; one of its own on the page.
    """
    names = ", ".join(curve.name for curve in chart.curves)
    label = text_of(f"{chart.title} over {chart.x}: {names}. The values stand below.")
    values = json_script(chart.spec(), f"{place}-data")
    return (
        f'<figure class="chart"><figcaption>{text_of(chart.title)}</figcaption>'
        f'<div class="canvas"><canvas id="{escape(place)}" role="img" '
        f'aria-label="{label}" data-chart="{escape(place)}-data"></canvas></div>'
        f"{values}<details><summary>Values</summary>{_table(chart)}</details></figure>"
    )


def json_script(value: Any, place: str) -> str:
    """Return plain values as an element that a script reads; it runs nothing."""
    # Within a script only these could end it, or begin another.
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    for letter in "<>&":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return f'<script type="application/json" id="{escape(place)}">{text}</script>'


def chart_library() -> str:
    """Return the text of Chart.js, as it is installed.

    Raises:
        MissingExtra: It is not.
    """
    try:
        folder = resources.files("chartkick")
    except ModuleNotFoundError:
        raise MissingExtra("charts", "chartkick", "report") from None
    file = folder / "django" / "static" / "chartkick" / "Chart.bundle.js"
    return file.read_text(encoding="utf-8")


def chart_script() -> str:
    """Return the script that draws the charts of a page with Chart.js."""
    return (resources.files("nncli.report") / "charts.js").read_text(encoding="utf-8")


def _table(chart: Chart) -> str:
    """Return the values of all curves by x; of very many, so many of them evenly."""
    values: dict[float, dict[int, float | None]] = {}
    for place, curve in enumerate(chart.curves):
        for x, y in curve.points:
            values.setdefault(x, {})[place] = y
    every = sorted(values)
    shown = thinned(every, MOST_ROWS)
    rows = [
        [_figure(x), *(_figure(values[x].get(i)) for i in range(len(chart.curves)))]
        for x in shown
    ]
    note = ""
    if len(shown) < len(every):
        note = f'<p class="note">{len(shown):,} of {len(every):,} are shown.</p>'
    return note + listing([chart.x, *(curve.name for curve in chart.curves)], rows)


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:,.6g}" if value % 1 else f"{value:,.0f}"
