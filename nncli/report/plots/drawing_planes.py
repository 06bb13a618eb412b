"""Planes: decision regions and images on the axes of matplotlib."""

from __future__ import annotations

from typing import Any

import numpy as np

from nncli.core.arrays import Array
from nncli.report.plots.looks import (
    COLOURS,
    DIVERGING,
    MARKERS,
    entitle,
    label,
    legend_name,
    number_format,
    plain,
    rgb,
    value_range,
)
from nncli.report.plots.panels import Images, Regions

CAPTION = 0.07
"""Height of three lines of text, of a picture's width."""


def draw_regions(panel: Regions, figure: Any, axes: Any) -> None:
    """Draw the plane and the points."""
    corners = panel.x[0], panel.x[-1], panel.y[0], panel.y[-1]
    if panel.classes is None:
        shown = axes.imshow(
            panel.values, origin="lower", extent=corners, aspect="auto", cmap="cividis"
        )
        limits = shown.get_clim()
        figure.colorbar(shown, ax=axes, pad=0.02, format=number_format(*limits))
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
    label(axes, panel.title, panel.x_label, panel.y_label)


def _class_regions(panel: Regions, axes: Any, corners: tuple[float, ...]) -> None:
    names = panel.classes or ()
    colours = np.array([rgb(COLOURS[k % len(COLOURS)]) for k in range(len(names))])
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
            label=legend_name(name),
        )


def draw_images(panel: Images, axes: Any) -> None:
    """Draw images side by side, each with its caption."""
    axes.axis("off")
    count, _, height, width = panel.images.shape
    across = across_of(panel)
    down = -(-count // across)
    gap = max(height, width) * 0.12
    below = gap + (CAPTION * width * across if panel.captions else 0)
    axes.set(
        xlim=(-gap / 2, across * (width + gap)),
        ylim=(down * (height + below), -gap / 2),
        aspect="equal",
    )
    for i, image in enumerate(panel.images):
        row, column = divmod(i, across)
        left, top = column * (width + gap), row * (height + below)
        corners = left, left + width, top + height, top
        axes.imshow(image_colours(image, signed=panel.signed), extent=corners)
        if panel.captions:
            lines = [plain(line, 16) for line in panel.captions[i].split("\n")]
            middle, text = left + width / 2, "\n".join(lines)
            place = {"ha": "center", "va": "top", "fontsize": 9, "linespacing": 1.1}
            axes.text(middle, top + height + gap / 4, text, **place)
    axes.set(xlim=(-gap / 2, across * (width + gap)))
    axes.set_ylim(down * (height + below), -gap / 2)
    entitle(axes, panel.title)


def across_of(panel: Images) -> int:
    """Return how many images are side by side."""
    return min(6 if panel.captions else 8, len(panel.images))


def image_colours(image: Array, *, signed: bool) -> Array:
    """Return (H, W, 3) from 0 to 1."""
    import matplotlib as mpl

    low, high = value_range(image, signed=signed)
    scaled = np.clip((image - low) / ((high - low) or 1.0), 0, 1)
    if len(scaled) == 3:
        return np.moveaxis(scaled, 0, -1)
    name = DIVERGING if signed else "gray"
    colours: Array = mpl.colormaps[name](scaled[0])[..., :3]
    return colours
