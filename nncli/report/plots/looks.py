"""Looks: colours, marks and words of what matplotlib draws."""

from __future__ import annotations

from typing import Any

import numpy as np

from nncli.core.arrays import Array
from nncli.core.text import printable, shortened

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
LONGEST = 40
"""Letters of a text."""


def plain(text: str, longest: int = LONGEST) -> str:
    """Return a text that matplotlib draws letter by letter.

    Line breaks become escapes, dollars are no formulas, and a legend does not leave out
    what begins with an underscore.
    """
    text = shortened(printable(text), longest).replace("$", r"\$")
    return f" {text}" if text.startswith("_") else text


def label(axes: Any, title: str, x: str, y: str) -> None:
    """Write title and names of the axes."""
    axes.set_title(plain(title, 70))
    axes.set_xlabel(plain(x))
    axes.set_ylabel(plain(y))


def value_range(values: Array, *, signed: bool) -> tuple[float, float]:
    """Return what becomes the first and the last colour."""
    known = values[np.isfinite(values)]
    if not known.size:
        return 0.0, 1.0
    if signed:
        largest = float(abs(known).max()) or 1.0
        return -largest, largest
    return float(known.min()), float(known.max())


def rgb(colour: str) -> tuple[float, ...]:
    """Return red, green and blue from 0 to 1."""
    return tuple(int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
