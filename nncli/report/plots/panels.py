"""Panels: what is drawn, as numbers and names, before anything draws it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from nncli.core.arrays import Array

Style = Literal["solid", "dashed", "dashdotted", "dotted", "thin", "joined", "dots"]


@dataclass(frozen=True)
class Series:
    """Points of one colour, joined by a line or not.

    Attributes:
        name: In the legend; "" for none.
        x: (n,) from left to right.
        y: (n,) values; NaN for none.
        style: How they are joined; ``joined`` shows the points too.
        marked: Which point is marked; None for none.
        colour: Which of the colours; those of lines without a name are grey.
    """

    name: str
    x: Array
    y: Array
    style: Style = "solid"
    marked: int | None = None
    colour: int = 0


@dataclass(frozen=True)
class Lines:
    """Series over one axis.

    Attributes:
        title: What is shown.
        x_label: What x is.
        y_label: What y is; "" where the title says it.
        series: One or more.
        log: Whether y is shown by its logarithm; all of it is then above 0.
        diagonal: Whether y = x is drawn for comparison.
        unit: Whether both axes go from 0 to 1.
        marked: What the marked points are: ``best``.
    """

    title: str
    x_label: str
    y_label: str
    series: tuple[Series, ...]
    log: bool = False
    diagonal: bool = False
    unit: bool = False
    marked: str = ""


@dataclass(frozen=True)
class Bars:
    """A histogram.

    Attributes:
        title: What is counted.
        x_label: What x is.
        edges: (n + 1,) of the bins.
        counts: (n,).
    """

    title: str
    x_label: str
    edges: Array
    counts: Array


@dataclass(frozen=True)
class Matrix:
    """Numbers in rows and columns that have names.

    Attributes:
        title: What is shown.
        x_label: What columns are.
        y_label: What rows are.
        values: (R, C).
        rows: R names.
        columns: C names.
        written: Whether the numbers are written into the cells, where there is room.
        signed: Whether values go both ways from 0.
    """

    title: str
    x_label: str
    y_label: str
    values: Array
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    written: bool = False
    signed: bool = False


@dataclass(frozen=True)
class Regions:
    """What a network says at each place of a plane, and the points of the data.

    Attributes:
        title: What is shown.
        x_label: Name of the first input.
        y_label: Name of the second.
        x: (w,) places from left to right.
        y: (h,) places from bottom to top.
        values: (h, w) the class decided for, or the number.
        sure: (h, w) the probability of that class; None for numbers.
        classes: Their names; None for numbers.
        points: (n, 2) of the data.
        targets: (n,) their classes, or numbers.
    """

    title: str
    x_label: str
    y_label: str
    x: Array
    y: Array
    values: Array
    sure: Array | None
    classes: tuple[str, ...] | None
    points: Array
    targets: Array


@dataclass(frozen=True)
class Images:
    """Pictures side by side.

    Attributes:
        title: What they are.
        images: (n, C, H, W) with one channel or three.
        captions: n texts; empty for none.
        signed: Whether values go both ways from 0; else from the least to the most.
    """

    title: str
    images: Array
    captions: tuple[str, ...] = ()
    signed: bool = False


Panel = Lines | Bars | Matrix | Regions | Images


def facts_of(panel: Panel) -> dict[str, Any]:
    """Return a panel as plain values for JSON; what is no number is null."""
    return {"panel": type(panel).__name__.lower(), **_plain(dataclasses.asdict(panel))}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value


def overlaid(panels: list[tuple[str, list[Panel]]]) -> list[Panel]:
    """Return lines of several runs over each other, each run in a colour of its own.

    Args:
        panels: Of each run its name and its panels; only lines can be overlaid.
    """
    found: dict[tuple[str, str], Lines] = {}
    for colour, (name, given) in enumerate(panels):
        for panel in given:
            if not isinstance(panel, Lines):
                continue
            series = tuple(_renamed(each, name, colour) for each in panel.series)
            key = panel.title, panel.x_label
            known = found.get(key)
            if known is None:
                found[key] = replace(panel, series=series)
            else:
                log = panel.log and known.log
                every = (*known.series, *series)
                found[key] = replace(known, series=every, log=log)
    return list(found.values())


def _renamed(series: Series, run: str, colour: int) -> Series:
    name = f"{run}: {series.name}" if series.name else ""
    return replace(series, name=name, colour=colour)
