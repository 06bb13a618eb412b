"""Looks: colours, marks and words of what matplotlib draws."""

from __future__ import annotations

from typing import Any

import numpy as np

from nncli.core.arrays import Array
from nncli.core.text import printable, shortened, shortened_inside, wrapped

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
SMALL, LARGE = 1e-3, 1e5
"""Between these, the numbers of an axis are written as they are."""

MINUS = "\N{MINUS SIGN}"

LONGEST, LEGEND = 40, 56
"""Letters of a text, and of a name in a legend, which may have a line of its own."""

ACROSS = {1: 64, 2: 42}
"""Letters of a line of a title, where so many panels are side by side."""


def plain(text: str, longest: int = LONGEST) -> str:
    """Return a text that matplotlib draws letter by letter.

    Line breaks become escapes, dollars are no formulas, and a legend does not leave out
    what begins with an underscore.
    """
    text = shortened(printable(text), longest).replace("$", r"\$")
    return f" {text}" if text.startswith("_") else text


def legend_name(text: str) -> str:
    """Return a name as ``plain`` does, with its end: a score, the number of a run."""
    return plain(shortened_inside(printable(text), LEGEND), LEGEND)


def in_lines(text: str, width: int, most: int = 3) -> str:
    """Return a text as ``plain`` does, in lines that are cut where they are too many.

    Args:
        text: Anything.
        width: Letters of a line.
        most: Lines.
    """
    lines = wrapped(printable(text), width)
    lines[most - 1 :] = [" ".join(lines[most - 1 :])] if len(lines) >= most else []
    return "\n".join(plain(line, width) for line in lines)


def entitle(axes: Any, title: str) -> None:
    """Write a title that is no wider than its panel."""
    axes.set_title(in_lines(title, ACROSS[axes.get_gridspec().ncols]))


def label(axes: Any, title: str, x: str, y: str) -> None:
    """Write title and names of the axes."""
    entitle(axes, title)
    axes.set_xlabel(plain(x))
    axes.set_ylabel(plain(y))
    from matplotlib.ticker import AutoLocator, ScalarFormatter

    for axis in (axes.xaxis, axes.yaxis):
        if isinstance(axis.get_major_formatter(), ScalarFormatter):
            axis.set_major_formatter(number_format(*axis.get_view_interval()))
    form, locator = axes.xaxis.get_major_formatter(), axes.xaxis.get_major_locator()
    if isinstance(locator, AutoLocator) and not isinstance(form, ScalarFormatter):
        # So many numbers of seven letters have room beside each other.
        locator.set_params(nbins=5)


def number_format(low: float, high: float) -> Any:
    """Return what writes each number of an axis out: none leaves a power elsewhere."""
    from matplotlib.ticker import FuncFormatter, ScalarFormatter

    largest = max(abs(low), abs(high))
    if SMALL <= largest < LARGE:
        return ScalarFormatter(useOffset=False)
    # What ought to be 0 may have a rounding error.
    known = largest or 1.0
    return FuncFormatter(lambda value, _: short(round(value / known, 12) * known))


def short(value: float) -> str:
    """Write a number in few letters: 0.25, 1.5M, 2e-7."""
    value = float(f"{value:.8g}")
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if size <= abs(value) < 1e3 * size:
            return f"{value / size:.8g}{letter}".replace("-", MINUS)
    mantissa, _, power = f"{value:g}".partition("e")
    text = f"{mantissa}e{int(power)}" if power else mantissa
    return text.replace("-", MINUS)


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
