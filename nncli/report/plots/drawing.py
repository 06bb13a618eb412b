"""Drawing: each panel on the axes of matplotlib."""

from __future__ import annotations

from typing import Any

import numpy as np

from nncli.report.plots.drawing_planes import (
    CAPTION,
    across_of,
    draw_images,
    draw_regions,
)
from nncli.report.plots.looks import (
    COLOURS,
    DIVERGING,
    GREY,
    MARKERS,
    SEQUENTIAL,
    label,
    legend_name,
    number_format,
    plain,
    short,
    value_range,
)
from nncli.report.plots.panels import (
    Bars,
    Images,
    Lines,
    Matrix,
    Panel,
    Regions,
    Series,
)

TINY = 5.5
"""Points of the smallest letters."""

FEW = 20
"""Points of a line that are drawn as such."""

DASHES: dict[str, Any] = {
    "dashed": (0, (4, 2)),
    "dashdotted": (0, (5, 1.5, 1, 1.5)),
    "dotted": (0, (1, 1.2)),
}

MOST_NAMES, LONGEST_NAME = 48, 36
"""Names along an axis, and letters of each."""

MOST_WRITTEN = 20
"""Rows and columns up to which numbers are written into cells."""


def height_of(panel: Panel, width: float) -> float:
    """Return how high a panel is, in inches."""
    if isinstance(panel, Matrix):
        rows, columns = panel.values.shape
        longest = min(max(map(len, panel.columns), default=0), LONGEST_NAME)
        cells = (width - 1.8) * rows / max(columns, 1)
        turned = 0.07 * longest if columns > 6 else 0.3
        drawn: float = min(max(cells, 1.5), 7.5) + 0.6 + turned
        return drawn
    if isinstance(panel, Images):
        across = across_of(panel)
        height, wide = panel.images.shape[-2:]
        lines = -(-len(panel.images) // across)
        each = (height + 0.12 * max(height, wide)) / (1.12 * wide) / across
        shown: float = lines * (each + CAPTION * bool(panel.captions)) * width
        return 0.96 * shown + 0.2
    square = isinstance(panel, Regions) or (isinstance(panel, Lines) and panel.unit)
    return 0.8 * width if square and width > 5 else max(3.4, 0.5 * width)


def draw_panel(panel: Panel, figure: Any, axes: Any) -> None:
    """Draw a panel.

    Args:
        panel: What is drawn.
        figure: The whole picture.
        axes: Its place there.
    """
    match panel:
        case Lines():
            _lines(panel, axes)
        case Bars():
            _bars(panel, axes)
        case Matrix():
            _matrix(panel, figure, axes)
        case Regions():
            draw_regions(panel, figure, axes)
        case Images():
            draw_images(panel, axes)


def _lines(panel: Lines, axes: Any) -> None:
    for each in panel.series:
        points = each.style == "joined" or (len(each.x) <= FEW and not panel.unit)
        _series(axes, each, points=points)
    for each in panel.series:
        _star(axes, each, panel.marked)
    if panel.log:
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(_sparse_numbers)
        axes.yaxis.set_minor_formatter(_sparse_numbers)
    if panel.unit:
        axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
    if panel.diagonal:
        ends = (
            [0.0, 1.0]
            if panel.unit
            else [*value_range(panel.series[0].x, signed=False)]
        )
        axes.plot(ends, ends, color=GREY, linewidth=1, linestyle=":", zorder=0)
        axes.set_aspect("equal")
    if panel.x_label in ("epoch", "step"):
        from matplotlib.ticker import MaxNLocator

        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    label(axes, panel.title, panel.x_label, panel.y_label)


def _series(axes: Any, series: Series, *, points: bool) -> None:
    named = bool(series.name)
    colour = COLOURS[series.colour % len(COLOURS)] if named else GREY
    if series.style == "dots":
        axes.plot(series.x, series.y, ".", color=COLOURS[0], alpha=0.5, markersize=5)
        return
    style = DASHES.get(series.style, "-")
    # Lines of more runs than there are colours differ by their marks.
    again = series.colour // len(COLOURS)
    axes.plot(
        series.x,
        series.y,
        color=colour,
        linestyle=style,
        linewidth=0.8 if series.style == "thin" else None,
        marker=MARKERS[again - 1] if again else "o" if points else None,
        markevery=max(1, len(series.x) // 12) if again else None,
        markersize=3.5,
        label=legend_name(series.name) if named else None,
    )


def _star(axes: Any, series: Series, marked: str) -> None:
    """Mark a point, if one is."""
    if series.marked is None:
        return
    axes.plot(
        series.x[series.marked],
        series.y[series.marked],
        linestyle="",
        marker="*",
        markersize=13,
        color=COLOURS[series.colour % len(COLOURS)],
        markeredgecolor="white",
        label=plain(marked),
        zorder=5,
    )


def _sparse_numbers(value: float, _place: int) -> str:
    """Write 1, 2 and 5 times a power of ten on an axis of logarithms."""
    power = np.floor(np.log10(value) + 1e-9)
    return short(value) if round(value / 10**power) in (1, 2, 5) else ""


def _bars(panel: Bars, axes: Any) -> None:
    widths = np.diff(panel.edges)
    axes.bar(
        panel.edges[:-1],
        panel.counts,
        widths,
        align="edge",
        color=COLOURS[0],
        edgecolor="white",
        linewidth=0.5,
    )
    axes.grid(axis="x", visible=False)
    label(axes, panel.title, panel.x_label, "rows")


def _matrix(panel: Matrix, figure: Any, axes: Any) -> None:
    values = panel.values.astype(np.float64)
    shares = values / np.maximum(values.sum(axis=1, keepdims=True), 1)
    shown = shares if panel.written else values
    low, high = (0.0, 1.0) if panel.written else value_range(shown, signed=panel.signed)
    image = axes.imshow(
        shown,
        cmap=DIVERGING if panel.signed else SEQUENTIAL,
        vmin=low,
        vmax=high,
        aspect="auto",
        interpolation="nearest",
    )
    rows, columns = values.shape
    longest = max(map(len, panel.columns), default=0)
    turned = (columns > 6 and longest > 2) or columns * longest > 60
    _ticks(axes.xaxis, panel.columns)
    _ticks(axes.yaxis, panel.rows)
    size = _letters(max(rows, columns))
    if turned:
        axes.tick_params(axis="x", rotation=90)
    axes.grid(visible=False)
    if panel.written and max(rows, columns) <= MOST_WRITTEN:
        for (i, j), value in np.ndenumerate(panel.values):
            light = shown[i, j] > 0.55
            axes.text(
                j,
                i,
                f"{value}" if value else "·",
                ha="center",
                va="center",
                fontsize=size,
                fontweight="normal" if i == j else "bold",
                color="white" if light else "black" if value else GREY,
            )
    else:
        form = number_format(*image.get_clim())
        figure.colorbar(image, ax=axes, pad=0.02, fraction=0.05, format=form)
    label(axes, panel.title, panel.x_label, panel.y_label)


def _ticks(axis: Any, names: tuple[str, ...]) -> None:
    places = np.arange(0, len(names), -(-len(names) // MOST_NAMES))
    texts = [plain(names[i], LONGEST_NAME) for i in places]
    axis.set_ticks(places, texts, fontsize=_letters(len(texts)))
    axis.set_tick_params(length=0)


def _letters(count: int) -> float:
    """Return the size of so many names, one beside the other."""
    return float(np.clip(260 / max(count, 1), TINY, 10))
