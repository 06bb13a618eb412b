"""Terminal: panels drawn by characters, which colours make easier to read."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from rich.text import Text

from nncli.core.arrays import Array
from nncli.core.text import printable, shortened, shortened_inside, wrapped
from nncli.report.plots.canvas import Canvas
from nncli.report.plots.panels import (
    Bars,
    Images,
    Lines,
    Matrix,
    Panel,
    Regions,
    Series,
)
from nncli.report.plots.shades import REGIONS, SHADES, SIGNED, shaded

NARROWEST = 16
"""Columns that are drawn at least, however narrow the terminal is."""

MARKS = "*o+x#@%&"
"""One for each series: a file, or a terminal without colours, has nothing else."""

COLOURS = ("blue", "red", "green", "magenta", "cyan", "yellow")
"""The terminal's own, which suit its background."""

BEST = "B"
POINTS = "ABCDEFGHIJKL"
MOST_IMAGES = 6


def text_of(panels: Sequence[Panel], width: int) -> list[Text]:
    """Return the lines of panels, one below the other.

    Args:
        panels: What is drawn.
        width: Of the terminal; no line is longer, from 16 columns on.
    """
    width = max(width, NARROWEST)
    lines: list[Text] = []
    for panel in panels:
        title = shortened(printable(panel.title), width)
        lines += [Text(""), Text(title, style="bold"), *panel_text(panel, width)]
    return lines[1:]


def panel_text(panel: Panel, width: int) -> list[Text]:
    """Return the lines of a panel in so many columns."""
    match panel:
        case Lines():
            return _lines(panel, width)
        case Bars():
            return _bars(panel, width)
        case Matrix():
            return _matrix(panel, width)
        case Regions():
            return _regions(panel, width)
        case Images():
            return _images(panel, width)


def _lines(panel: Lines, width: int) -> list[Text]:
    ys = [np.log10(each.y) if panel.log else each.y for each in panel.series]
    canvas = Canvas(
        (0.0, 1.0) if panel.unit else _range([each.x for each in panel.series]),
        (0.0, 1.0) if panel.unit else _range(ys),
        width,
        log=panel.log,
    )
    if panel.diagonal:
        low = max(canvas.x[0], canvas.y[0])
        high = min(canvas.x[1], canvas.y[1])
        way = np.linspace(low, high, canvas.width)
        canvas.put(way, way, ".", "")
    named = [each.name for each in panel.series if each.name]
    for each, y in zip(panel.series, ys, strict=True):
        mark, style = _look(each, named)
        draw = canvas.put if each.style == "dots" else canvas.join
        draw(each.x, y, mark, style)
    for each, y in zip(panel.series, ys, strict=True):
        if each.marked is not None:
            place = slice(each.marked, each.marked + 1)
            canvas.put(each.x[place], y[place], BEST, "bold")
    pieces = [(*_look(each, named), each.name) for each in panel.series if each.name]
    if any(each.marked is not None for each in panel.series):
        pieces.append((BEST, "bold", panel.marked))
    axis = f"{panel.x_label}, up: {panel.y_label}" if panel.y_label else panel.x_label
    return canvas.lines(axis) + _legend(pieces, width)


def _look(series: Series, named: list[str]) -> tuple[str, str]:
    """Return mark and style of a series; each of a legend has its own."""
    if not series.name:
        return ("*", COLOURS[0]) if series.style == "dots" else (":", "")
    place = named.index(series.name)
    return MARKS[place % len(MARKS)], COLOURS[place % len(COLOURS)]


def _legend(pieces: list[tuple[str, str, str]], width: int) -> list[Text]:
    """Return marks and names, as many a line as fit."""
    lines = [Text("")]
    for mark, style, name in pieces:
        piece = Text("  ").append(mark, style)
        room = max(width - len(mark) - 3, 1)
        piece.append(f" {shortened_inside(printable(name), room)}")
        if lines[-1] and len(lines[-1]) + len(piece) > width:
            lines.append(Text(""))
        lines[-1].append_text(piece)
    return [line for line in lines if line]


def _bars(panel: Bars, width: int) -> list[Text]:
    labels = [f"{edge:.3g}" for edge in panel.edges[:-1]]
    counts = [f"{int(count)}" for count in panel.counts]
    left, right = max(map(len, labels)), max(map(len, counts))
    room = max(width - left - right - 3, 4)
    largest = max(panel.counts.max(initial=0), 1)
    found = [Text(f"{shortened(printable(panel.x_label), width - 8)}, rows")]
    for label, text, count in zip(labels, counts, panel.counts, strict=True):
        line = Text(f"{label:>{left}} │")
        line.append("#" * round(room * count / largest), COLOURS[0])
        found.append(line.append(f" {text}"))
    return found


def _matrix(panel: Matrix, width: int) -> list[Text]:
    if panel.written:
        found = _numbers(panel, width)
        if found:
            return found
    return _shades(panel, width)


def _numbers(panel: Matrix, width: int) -> list[Text]:
    """Return the numbers under heads; nothing where there is no room."""
    count = len(panel.columns)
    cell = max(len(f"{value}") for value in panel.values.ravel())
    cell = max(cell, len(str(count)))
    left = width - count * (cell + 1)
    if left < 6:
        return []
    names = [printable(name) for name in panel.columns]
    if max(map(len, names)) > cell:
        names = [str(k) for k in range(count)]
        rows = [f"{k} {printable(name)}" for k, name in enumerate(panel.rows)]
    else:
        rows = [printable(name) for name in panel.rows]
    left = min(left, max(*map(len, rows), 6))
    head = " ".join(name.rjust(cell) for name in names)
    found = [Text(f"{'':<{left}} {head}")]
    for i, row in enumerate(rows):
        line = Text(shortened(row, left).ljust(left))
        for j, value in enumerate(panel.values[i]):
            wrong = i != j and value
            line.append(f" {value if value else '.':>{cell}}", "red" if wrong else None)
        found.append(line)
    return found + _told(f"down: {panel.y_label}, across: {panel.x_label}", width)


def _shades(panel: Matrix, width: int) -> list[Text]:
    """Return a character for each number, and what stands at the rows."""
    names = [printable(name) for name in panel.rows]
    left = min(max(map(len, names)), width // 2)
    wide = 2 if 2 * len(panel.columns) + left + 1 <= width else 1
    shown = panel.values[:, : (width - left - 1) // wide]
    cells = shaded(shown, signed=panel.signed)
    found = []
    for name, row in zip(names, cells, strict=True):
        line = "".join(cell * wide for cell in row)
        found.append(Text(f"{shortened(name, left):<{left}} {line}".rstrip()))
    cut = panel.values.shape[1] - shown.shape[1]
    more = f"; {cut} more columns have no room" if cut else ""
    told = f"down: {panel.y_label}, across: {panel.x_label}{more}"
    low, high = (f"{f(panel.values):.3g}" for f in (np.nanmin, np.nanmax))
    told += f"; '{(SIGNED if panel.signed else SHADES)}' from {low} to {high}"
    return found + _told(told, width)


def _told(text: str, width: int) -> list[Text]:
    return [
        Text(line[begin : begin + width])
        for line in wrapped(printable(text), width)
        for begin in range(0, max(1, len(line)), width)
    ]


def _regions(panel: Regions, width: int) -> list[Text]:
    canvas = Canvas(
        (float(panel.x[0]), float(panel.x[-1])),
        (float(panel.y[0]), float(panel.y[-1])),
        width,
    )
    rows = np.linspace(len(panel.y) - 1, 0, Canvas.height).astype(int)
    columns = np.linspace(0, len(panel.x) - 1, canvas.width).astype(int)
    values = panel.values[np.ix_(rows, columns)]
    axis = f"{panel.x_label}, up: {panel.y_label}"
    if panel.classes is None:
        canvas.cells[:] = shaded(values)
        low, high = f"{panel.values.min():.3g}", f"{panel.values.max():.3g}"
        return canvas.lines(axis) + _told(f"'{SHADES}' from {low} to {high}", width)
    pieces = []
    for k, name in enumerate(panel.classes):
        ground, point = REGIONS[k % len(REGIONS)], POINTS[k % len(POINTS)]
        colour = COLOURS[k % len(COLOURS)]
        canvas.cells[values == k] = ground
        canvas.styles[values == k] = colour
        pieces.append((f"{point} in '{ground}'", colour, name))
    for k in range(len(panel.classes)):
        x, y = panel.points[panel.targets == k].T
        colour = COLOURS[k % len(COLOURS)]
        canvas.put(x, y, POINTS[k % len(POINTS)], f"bold {colour}")
    return canvas.lines(axis) + _legend(pieces, width)


def _images(panel: Images, width: int) -> list[Text]:
    wide = panel.images.shape[-1]
    stride = max(1, -(-2 * wide // (width - 2)))
    across = max(1, (width + 2) // (2 * -(-wide // stride) + 2))
    found: list[Text] = []
    shown = panel.images[:MOST_IMAGES].mean(axis=1)[:, ::stride, ::stride]
    cell = 2 * shown.shape[-1]
    for begin in range(0, len(shown), across):
        some = [shaded(each, signed=panel.signed) for each in shown[begin:][:across]]
        for row in range(shown.shape[1]):
            line = "  ".join("".join(2 * c for c in each[row]) for each in some)
            found.append(Text(line.rstrip()))
        captions = panel.captions[begin : begin + across]
        for part in zip(*(each.split("\n") for each in captions), strict=False):
            line = "  ".join(shortened(printable(t), cell).ljust(cell) for t in part)
            found.append(Text(line.rstrip()))
        found.append(Text(""))
    rest = len(panel.images) - len(shown)
    told = f"'{SIGNED if panel.signed else SHADES}' from the least to the most"
    return found + _told(f"{told}; {rest} more" if rest else told, width)


def _range(values: Sequence[Array]) -> tuple[float, float]:
    known = np.concatenate([*values, np.empty(0)])
    known = known[np.isfinite(known)]
    return (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
