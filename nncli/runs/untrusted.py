"""Untrusted: what a file says, where it is of the kind that it should be."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any

MOST_COUNTED = 10**15
MOST_LEVELS = 100
"""Twice as many as a config may have: what is written of it may have more."""


def from_json(data: bytes | str) -> Any:
    """Return what JSON says, None for a number that is not finite.

    Raises:
        ValueError: It is no JSON, or has more than ``MOST_LEVELS`` levels.
    """
    if isinstance(data, bytes):
        data = data.decode(json.detect_encoding(data), "surrogatepass")
    try:
        value = _DECODER.decode(data)
    except RecursionError:
        raise ValueError("too many levels") from None
    # Most have too few brackets for so many levels.
    if data.count("[") + data.count("{") > MOST_LEVELS:
        _check_levels(value)
    return value


def _check_levels(value: Any) -> None:
    level: list[Any] = [value]
    for _ in range(MOST_LEVELS):
        level = [
            inside
            for each in level
            for inside in _inside(each)
            if isinstance(inside, dict | list)
        ]
        if not level:
            return
    raise ValueError(f"more than {MOST_LEVELS} levels")


def _inside(value: Any) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value


def _finite(text: str) -> float | None:
    value = float(text)
    return value if math.isfinite(value) else None


_DECODER = json.JSONDecoder(parse_float=_finite, parse_constant=lambda _: None)


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
