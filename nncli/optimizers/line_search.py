"""Line search: how far to go in one direction."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from nncli.core.arrays import Array

ARMIJO = 1e-4
CURVATURE = 0.9


@dataclass(frozen=True, eq=False)
class Point:
    """A place t along the direction d from x.

    Attributes:
        t: How many times d it is away from x.
        loss: f(x + t·d).
        slope: The derivative of f along d, there.
        grads: The gradient of f, there.
    """

    t: float
    loss: float
    slope: float
    grads: Array


def strong_wolfe(
    evaluate: Callable[[float], Point],
    start: Point,
    t: float,
    length: float,
    tolerance: float,
    most: int,
) -> tuple[Point, int]:
    """Find a t with f ≤ f₀ + c₁·t·f₀' and |f'| ≤ c₂·|f₀'|, c₁ = 1e-4, c₂ = 0.9.

    First longer and longer steps, until two enclose such a place; then cubic
    interpolation between both. Bounds and safeguards are PyTorch's, so that both
    visit the same places.

    Source: Nocedal and Wright 2006, algorithms 3.5 and 3.6.

    Args:
        evaluate: Returns the point at some t.
        start: The point at t = 0.
        t: The first step to try.
        length: The direction's largest element.
        tolerance: An interval that moves no parameter farther is not searched.
        most: After the first evaluation, do at most so many.

    Returns:
        The point, the lowest one seen if none fulfils both, and the evaluations.
    """
    before, here = start, evaluate(t)
    tries = 0
    bracket = [start, here]
    while tries < most:
        if _too_high(here, start) or (tries > 1 and here.loss >= before.loss):
            bracket = [before, here]
            break
        if _flat_enough(here, start):
            return here, tries + 1
        if here.slope >= 0:
            bracket = [before, here]
            break
        bounds = here.t + 0.01 * (here.t - before.t), 10 * here.t
        t = _cubic_minimum(before, here, *bounds)
        before, here = here, evaluate(t)
        tries += 1
        bracket = [start, here]
    return _zoom(evaluate, start, bracket, length, tolerance, most, tries)


def _zoom(
    evaluate: Callable[[float], Point],
    start: Point,
    bracket: list[Point],
    length: float,
    tolerance: float,
    most: int,
    tries: int,
) -> tuple[Point, int]:
    """Shrink an interval that holds a fitting place until one is found."""
    low = 0 if bracket[0].loss <= bracket[1].loss else 1
    stalled = False
    while tries < most:
        left, right = sorted(point.t for point in bracket)
        if (right - left) * length < tolerance:
            break
        t = _cubic_minimum(bracket[0], bracket[1], left, right)
        t, stalled = _inside(t, left, right, stalled)
        here = evaluate(t)
        tries += 1
        if _too_high(here, start) or here.loss >= bracket[low].loss:
            bracket[1 - low] = here
            low = 0 if bracket[0].loss <= bracket[1].loss else 1
            continue
        done = _flat_enough(here, start)
        if not done and here.slope * (bracket[1 - low].t - bracket[low].t) >= 0:
            bracket[1 - low] = bracket[low]
        bracket[low] = here
        if done:
            break
    return bracket[low], tries + 1


def _too_high(here: Point, start: Point) -> bool:
    return here.loss > start.loss + ARMIJO * here.t * start.slope


def _flat_enough(here: Point, start: Point) -> bool:
    return abs(here.slope) <= -CURVATURE * start.slope


def _inside(t: float, left: float, right: float, stalled: bool) -> tuple[float, bool]:
    """Keep a tenth of the interval away from its ends, the second time in a row."""
    margin = 0.1 * (right - left)
    if min(right - t, t - left) >= margin:
        return t, False
    if stalled or not left < t < right:
        nearer_right = abs(t - right) < abs(t - left)
        return (right - margin if nearer_right else left + margin), False
    return t, True


def _cubic_minimum(a: Point, b: Point, least: float, most: float) -> float:
    """Return where the cubic through both points, with their slopes, is lowest.

    Source: Nocedal and Wright 2006, equation 3.59.
    """
    if a.t > b.t:
        a, b = b, a
    d1 = a.slope + b.slope - 3 * (a.loss - b.loss) / (a.t - b.t)
    square = d1 * d1 - a.slope * b.slope
    middle = (least + most) / 2
    if not square >= 0:
        return middle
    d2 = math.sqrt(square)
    bottom = b.slope - a.slope + 2 * d2
    if not bottom:
        return middle
    t = b.t - (b.t - a.t) * ((b.slope + d2 - d1) / bottom)
    return min(max(t, least), most)
