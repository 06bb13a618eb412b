"""Ridges: histograms as lines, whatever numbers a file gives them."""

from __future__ import annotations

import re
from typing import Any

import pytest

from nncli.report.ridges import HEIGHT, SIDE, WIDTH, ridges


def drawn(low: float, high: float, counts: list[Any]) -> list[tuple[float, float]]:
    """Return the points of the line of one histogram."""
    facts = {"histogram": {"low": low, "high": high, "counts": counts}}
    html = ridges("a: outputs", [(1, facts)])
    found = re.search('points="(.*?)"', html)
    pairs = (pair.split(",") for pair in found[1].split()) if found else ()
    return [(float(x), float(y)) for x, y in pairs]


def test_line_goes_over_the_middle_of_each_bin() -> None:
    left, right, top = SIDE, SIDE + WIDTH, HEIGHT * 0.5
    assert drawn(-1.0, 3.0, [2, 4]) == [
        (left, HEIGHT),
        (left, HEIGHT),
        (SIDE + WIDTH / 4, top),
        (SIDE + WIDTH * 3 / 4, 0),
        (right, HEIGHT),
        (right, HEIGHT),
    ]


@pytest.mark.parametrize("value", [0.0, 1.0, -1e17, 1e17, 1e300])
def test_histogram_of_one_value_stands_in_the_middle(value: float) -> None:
    x, y = drawn(value, value, [5])[2]
    assert x == pytest.approx(SIDE + WIDTH / 2, abs=0.1)
    assert y == 0


def test_ends_that_are_hardly_apart_are_both_sides() -> None:
    for high in (5e-324, 1e-30):
        assert drawn(0.0, high, [5])[-2] == (SIDE + WIDTH, HEIGHT)


def test_what_is_no_histogram_is_not_drawn() -> None:
    assert drawn(-1e308, 1e308, [5]) == []
    assert drawn(1.0, 0.0, [5]) == []
    assert drawn(0.0, 1.0, [0, 0]) == []
    assert drawn(0.0, 1.0, [10**400, 1]) == []
