"""Figure: panels drawn by matplotlib, without a display, as PNG, SVG or PDF."""

from __future__ import annotations

import io
import logging
import math
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from nncli.core.errors import MissingExtra
from nncli.report.plots.looks import in_lines
from nncli.report.plots.panels import Lines, Panel, Regions

WIDTH, DOTS = 8.0, 150
"""Inches, and dots of each: 1,200 pixels."""

SETTINGS: dict[str, Any] = {
    "font.size": 11,
    "axes.titlesize": 11,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.6,
    "legend.frameon": False,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    # Text stays text in SVG: escaped, and not repeated in comments.
    "svg.fonttype": "none",
}

FONT = "DejaVu Sans"
"""Comes with matplotlib."""

OTHERS = (
    "Noto Sans CJK JP",
    "WenQuanYi Zen Hei",
    "Droid Sans Fallback",
    "Hiragino Sans",
    "Apple SD Gothic Neo",
    "Arial Unicode MS",
)
"""Have letters that it has not, Chinese, Japanese and Korean ones first."""

_ALONE = threading.Lock()
"""Settings and warnings belong to the whole process."""


def has_matplotlib() -> bool:
    """Whether pictures can be drawn here, without loading what draws them."""
    from importlib.util import find_spec

    return find_spec("matplotlib") is not None


def check_matplotlib() -> None:
    """Make sure that pictures can be drawn.

    Raises:
        MissingExtra: Matplotlib is not installed.
    """
    if not has_matplotlib():
        raise MissingExtra("pictures", "matplotlib", "plot")


def drawn(title: str, panels: Sequence[Panel], *formats: str) -> list[bytes]:
    """Draw panels under a title.

    Args:
        title: Text of any kind.
        panels: One at least.
        formats: ``png``, ``svg``, ``pdf``.

    Raises:
        MissingExtra: Matplotlib is not installed.
    """
    check_matplotlib()
    with _settings():
        figure = _figure(title, panels)
        return [_saved(figure, each) for each in formats]


@contextmanager
def _settings() -> Iterator[None]:
    """Draw with settings of our own, whatever the user's are, and without a word."""
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    with _ALONE, warnings.catch_warnings():
        # Letters that no font here has are boxes.
        warnings.simplefilter("ignore")
        import matplotlib as mpl
        from matplotlib.font_manager import fontManager

        known = set(fontManager.get_font_names())
        fonts = [FONT, *(name for name in OTHERS if name in known)]

        defaults = {
            name: value
            for name, value in mpl.rcParamsDefault.items()
            if not name.startswith("backend")
        }
        with mpl.rc_context(defaults | SETTINGS | {"font.family": fonts}):
            yield


def _figure(title: str, panels: Sequence[Panel]) -> Any:
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    from nncli.report.plots.drawing import draw_panel, height_of

    columns = 1 if len(panels) == 1 else 2
    lines = math.ceil(len(panels) / columns)
    heights = [
        max(height_of(each, WIDTH / columns) for each in panels[i : i + columns])
        for i in range(0, len(panels), columns)
    ]
    layout = ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.08)
    figure = Figure((WIDTH, sum(heights) + 0.7), dpi=DOTS, layout=layout)
    grid = figure.add_gridspec(lines, columns, height_ratios=heights)
    for i, panel in enumerate(panels):
        axes = figure.add_subplot(grid[divmod(i, columns)])
        draw_panel(panel, figure, axes)
    figure.suptitle(in_lines(title, 66), fontsize=13, fontweight="bold")
    _legend(figure, panels)
    return figure


def _legend(figure: Any, panels: Sequence[Panel]) -> None:
    """Explain all lines once, below all panels: never over data."""
    if not any(isinstance(panel, Lines | Regions) for panel in panels):
        return
    known: dict[str, Any] = {}
    for axes in figure.axes:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            known.setdefault(label, handle)
    if len(known) < 2 and not any(isinstance(panel, Regions) for panel in panels):
        return
    longest = max(map(len, known), default=1)
    figure.legend(
        list(known.values()),
        list(known),
        loc="outside lower center",
        ncols=max(1, min(len(known), 6, int(92 / (longest + 10)))),
    )


def _saved(figure: Any, kind: str) -> bytes:
    room = io.BytesIO()
    if kind == "png":
        # Other ways lay the figure out and draw it twice.
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from PIL import Image

        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        picture = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
        picture.save(room, "PNG", compress_level=6, dpi=(DOTS, DOTS))
    else:
        metadata = {"svg": {"Date": None, "Creator": None}}
        figure.savefig(room, format=kind, metadata=metadata.get(kind))
    return room.getvalue()
