"""Untrusted: what a file says, where it is of the kind that it should be."""

from __future__ import annotations

import math
from typing import Any

MOST_COUNTED = 10**15


def mapping(value: Any) -> dict[str, Any]:
    """Return a mapping, an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def text(value: Any) -> str | None:
    """Return a text; None for anything else."""
    return value if isinstance(value, str) else None


def texts(value: Any) -> list[str]:
    """Return the texts in a list."""
    return [v for v in value if isinstance(v, str)] if isinstance(value, list) else []


def count(value: Any) -> int | None:
    """Return a number of things; None for anything else."""
    return value if type(value) is int and 0 <= value <= MOST_COUNTED else None


def number(value: Any) -> float | None:
    """Return a finite number; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if math.isfinite(found) else None


def scores(value: Any) -> dict[str, float | None]:
    """Return what is a number, or undefined, in a mapping."""
    return {
        name: number(score)
        for name, score in mapping(value).items()
        if score is None or number(score) is not None
    }
