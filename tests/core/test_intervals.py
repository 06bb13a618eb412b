"""Student's interval, by a printed table and by SciPy."""

from __future__ import annotations

import math

import pytest

from nncli.core.intervals import spread_of, student_quantile


@pytest.mark.parametrize(
    ("freedom", "quantile"),
    [(1, 12.706), (2, 4.303), (3, 3.182), (4, 2.776), (9, 2.262), (120, 1.980)],
)
def test_quantile_is_that_of_the_tables(freedom: int, quantile: float) -> None:
    assert student_quantile(0.95, freedom) == pytest.approx(quantile, abs=5e-4)


@pytest.mark.parity
@pytest.mark.parametrize("count", [2, 3, 6, 11, 50])
def test_interval_is_that_of_scipy(count: int) -> None:
    stats = pytest.importorskip("scipy.stats")
    values = [math.sin(3 * i) for i in range(count)]
    spread = spread_of(values, 0.9)
    wanted = stats.t.interval(0.9, count - 1, spread.mean, stats.sem(values))
    assert (spread.low, spread.high) == pytest.approx(wanted, rel=1e-10)


def test_one_number_has_no_interval() -> None:
    spread = spread_of([0.5])
    assert (spread.mean, spread.deviation, spread.low, spread.high) == (
        0.5, None, None, None,
    )  # fmt: skip
