"""Intervals: the mean of a few numbers, and how sure it is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev


@dataclass(frozen=True)
class Spread:
    """Mean and spread of a few numbers.

    Attributes:
        mean: Their mean.
        deviation: Their standard deviation, over n − 1; None for one number.
        low: Begin of the confidence interval of the mean; None for one number.
        high: Its end.
        count: How many numbers there are.
    """

    mean: float
    deviation: float | None
    low: float | None
    high: float | None
    count: int


def spread_of(values: Sequence[float], level: float = 0.95) -> Spread:
    """Return mean, standard deviation and mean ± t·deviation/√n.

    Student's interval: numbers that are drawn from one normal distribution, each for
    itself, have the true mean in it with the probability ``level``.

    Args:
        values: At least one number.
        level: The probability.
    """
    mean, count = fmean(values), len(values)
    if count < 2:
        return Spread(mean, None, None, None, count)
    deviation = stdev(values, mean)
    half = student_quantile(level, count - 1) * deviation / math.sqrt(count)
    return Spread(mean, deviation, mean - half, mean + half, count)


def student_quantile(level: float, freedom: int) -> float:
    """Return t with P(|T| < t) = level for Student's T.

    Args:
        level: Between 0 and 1.
        freedom: Degrees of freedom, an integer above 0.
    """
    # t = √freedom·tan θ grows with θ, and so does the probability: halve the range.
    low, high = 0.0, math.pi / 2
    while (middle := (low + high) / 2) not in (low, high):
        if _within(middle, freedom) < level:
            low = middle
        else:
            high = middle
    return math.sqrt(freedom) * math.tan(middle)


def _within(angle: float, freedom: int) -> float:
    """Return P(|T| < √freedom·tan angle), a finite sum for whole degrees of freedom.

    Abramowitz and Stegun 1964, 26.7.3 and 26.7.4.
    """
    sine, cosine = math.sin(angle), math.cos(angle)
    odd = freedom % 2
    term = cosine if odd else 1.0
    total = 0.0
    for k in range(2 + odd, freedom + 1, 2):
        total += term
        term *= (k - 1) / k * cosine**2
    return 2 / math.pi * (angle + sine * total) if odd else sine * total
