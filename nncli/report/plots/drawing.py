"""Drawing: each panel on the axes of matplotlib."""

from __future__ import annotations

from functools import singledispatch
from typing import Any

import numpy as np

from nncli.core.arrays import Array
from nncli.report.plots.figure import plain
from nncli.report.plots.panels import (
    Bars,
    Images,
    Lines,
    Matrix,
    Panel,
    Regions,
    Series,
)

COLOURS = (
    "#0072b2",
    "#d55e00",
    "#009e73",
    "#cc79a7",
    "#e69f00",
    "#56b4e9",
    "#000000",
    "#8c6d31",
)
"""Told apart by those who are colour-blind (Okabe and Ito 2008), and by lightness."""

MARKERS = "os^Dv*PXhd<>"
GREY = "#888888"
SEQUENTIAL, DIVERGING = "Blues", "RdBu_r"
ACROSS = 6
"""Images side by side."""

TINY = 5.5
"""Points of the smallest letters."""

FEW = 20
"""Points of a line that are drawn as such."""

MOST_WRITTEN = 20
"""Rows and columns up to which numbers are written into cells."""


def height_of(panel: Panel, width: float) -> float:
    """Return how high a panel is, in inches."""
    if isinstance(panel, Matrix):
        rows, columns = panel.values.shape
        longest = max((min(len(name), 30) for name in panel.columns), default=0)
        cells = (width - 1.8) * rows / max(columns, 1)
        turned = 0.07 * longest if columns > 6 else 0.3
        return float(np.clip(cells, 1.5, 7.5)) + 0.6 + turned
    if isinstance(panel, Images):
        across = min(ACROSS if panel.captions else 8, len(panel.images))
        height, wide = panel.images.shape[-2:]
        lines = -(-len(panel.images) // across)
        caption = 0.45 if panel.captions else 0.05
        return lines * (width / across * 0.85 * height / wide + caption) + 0.4
    square = isinstance(panel, Regions) or (isinstance(panel, Lines) and panel.diagonal)
    return 0.85 * width if square and width > 5 else max(3.2, 0.5 * width)


@singledispatch
def draw_panel(panel: Panel, figure: Any, axes: Any) -> None:
    """Draw a panel.

    Args:
        panel: What is drawn.
        figure: The whole picture.
        axes: Its place there.
    """
    raise TypeError(type(panel))


@draw_panel.register
def _lines(panel: Lines, figure: Any, axes: Any) -> None:
    for each in panel.series:
        _series(axes, each, panel.marked)
    if panel.log:
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(_sparse_numbers)
        axes.yaxis.set_minor_formatter(_sparse_numbers)
    if panel.unit:
        axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
    if panel.diagonal:
        axes.axline((0, 0), slope=1, color=GREY, linewidth=1, linestyle=":", zorder=0)
        axes.set_aspect("equal")
    _label(axes, panel.title, panel.x_label, panel.y_label)


def _series(axes: Any, series: Series, marked: str) -> None:
    named = bool(series.name)
    colour = COLOURS[series.colour % len(COLOURS)] if named else GREY
    if series.style == "dots":
        axes.plot(series.x, series.y, ".", color=COLOURS[0], alpha=0.5, markersize=5)
        return
    style = {"dashed": (0, (4, 2))}.get(series.style, "-")
    # Lines of more runs than there are colours differ by their marks.
    again = series.colour // len(COLOURS)
    few = len(series.x) <= FEW
    axes.plot(
        series.x,
        series.y,
        color=colour,
        linestyle=style,
        linewidth=0.8 if series.style == "thin" else None,
        marker=MARKERS[again - 1] if again else "." if few else None,
        markevery=max(1, len(series.x) // 12) if again else None,
        markersize=4,
        label=plain(series.name) if named else None,
    )
    if series.marked is not None:
        axes.plot(
            series.x[series.marked],
            series.y[series.marked],
            linestyle="",
            marker="*",
            markersize=13,
            color=colour,
            markeredgecolor="white",
            label=plain(marked),
            zorder=5,
        )


def _sparse_numbers(value: float, _place: int) -> str:
    """Write 1, 2 and 5 times a power of ten on an axis of logarithms."""
    power = np.floor(np.log10(value) + 1e-9)
    return f"{value:g}" if round(value / 10**power) in (1, 2, 5) else ""


@draw_panel.register
def _bars(panel: Bars, figure: Any, axes: Any) -> None:
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
    _label(axes, panel.title, panel.x_label, "rows")


@draw_panel.register
def _matrix(panel: Matrix, figure: Any, axes: Any) -> None:
    values = panel.values.astype(np.float64)
    shares = values / np.maximum(values.sum(axis=1, keepdims=True), 1)
    shown = shares if panel.written else values
    low, high = (0.0, 1.0) if panel.written else _range(shown, signed=panel.signed)
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
    turned = columns > 6 and longest > 2 or columns * longest > 60
    size = float(np.clip(260 / max(rows, columns), TINY, 10))
    _ticks(axes.xaxis, panel.columns, size, most=48)
    _ticks(axes.yaxis, panel.rows, size, most=48)
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
                color="white" if light else "black" if value else GREY,
            )
    else:
        figure.colorbar(image, ax=axes, pad=0.02, fraction=0.05)
    _label(axes, panel.title, panel.x_label, panel.y_label)


def _ticks(axis: Any, names: tuple[str, ...], size: float, most: int) -> None:
    places = np.arange(0, len(names), -(-len(names) // most))
    texts = [plain(names[i], 30) for i in places]
    axis.set_ticks(places, texts, fontsize=size)
    axis.set_tick_params(length=0)


@draw_panel.register
def _regions(panel: Regions, figure: Any, axes: Any) -> None:
    corners = panel.x[0], panel.x[-1], panel.y[0], panel.y[-1]
    if panel.classes is None:
        shown = axes.imshow(
            panel.values, origin="lower", extent=corners, aspect="auto", cmap="cividis"
        )
        figure.colorbar(shown, ax=axes, pad=0.02)
        limits = shown.get_clim()
        axes.scatter(
            *panel.points.T,
            c=panel.targets,
            cmap="cividis",
            vmin=limits[0],
            vmax=limits[1],
            s=20,
            edgecolors="white",
            linewidths=0.6,
        )
    else:
        _class_regions(panel, axes, corners)
    axes.grid(visible=False)
    axes.set(xlim=corners[:2], ylim=corners[2:])
    _label(axes, panel.title, panel.x_label, panel.y_label)


def _class_regions(panel: Regions, axes: Any, corners: tuple[float, ...]) -> None:
    names = panel.classes or ()
    colours = np.array([_rgb(COLOURS[k % len(COLOURS)]) for k in range(len(names))])
    sure = np.ones(panel.values.shape) if panel.sure is None else panel.sure
    # From chance, which is nearly white, to certainty, which is pale enough for points.
    chance = 1 / len(names)
    strength = 0.08 + 0.34 * np.clip((sure - chance) / (1 - chance), 0, 1)[..., None]
    picture = 1 - strength * (1 - colours[panel.values.astype(int)])
    axes.imshow(picture, origin="lower", extent=corners, aspect="auto")
    size = float(np.clip(6_000 / max(1, len(panel.points)), 8, 36))
    for k, name in enumerate(names):
        axes.scatter(
            *panel.points[panel.targets == k].T,
            color=COLOURS[k % len(COLOURS)],
            marker=MARKERS[k % len(MARKERS)],
            s=size,
            edgecolors="white",
            linewidths=0.5,
            label=plain(name),
        )


def _rgb(colour: str) -> tuple[float, ...]:
    return tuple(int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))


@draw_panel.register
def _images(panel: Images, figure: Any, axes: Any) -> None:
    axes.axis("off")
    axes.set_title(plain(panel.title, 90))
    across = min(ACROSS if panel.captions else 8, len(panel.images))
    down = -(-len(panel.images) // across)
    grid = axes.get_subplotspec().subgridspec(down, across)
    for i, image in enumerate(panel.images):
        place = figure.add_subplot(grid[divmod(i, across)])
        place.axis("off")
        if len(image) == 1:
            low, high = _range(image, signed=panel.signed)
            colours = DIVERGING if panel.signed else "gray"
            place.imshow(image[0], cmap=colours, vmin=low, vmax=high)
        else:
            place.imshow(_colours(image, signed=panel.signed))
        if panel.captions:
            lines = [plain(line, 14) for line in panel.captions[i].split("\n")]
            place.set_title("\n".join(lines), fontsize=9, y=-0.02, va="top")


def _range(values: Array, *, signed: bool) -> tuple[float, float]:
    """Return what becomes the first and the last colour."""
    known = values[np.isfinite(values)]
    if not known.size:
        return 0.0, 1.0
    if signed:
        largest = float(abs(known).max()) or 1.0
        return -largest, largest
    return float(known.min()), float(known.max())


def _colours(image: Array, *, signed: bool) -> Array:
    """Return (H, W, 3) from 0 to 1."""
    low, high = _range(image, signed=signed)
    return np.moveaxis(np.clip((image - low) / ((high - low) or 1.0), 0, 1), 0, -1)


def _label(axes: Any, title: str, x: str, y: str) -> None:
    axes.set_title(plain(title, 70))
    axes.set_xlabel(plain(x))
    axes.set_ylabel(plain(y))
