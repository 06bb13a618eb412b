"""Words: how messages show a value, describe what is accepted, and guess a name."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any


def show(value: Any) -> str:
    """Quote a value for an error message, shortened to one line."""
    kinds: dict[type, str] = {dict: "a mapping", list: "a list"}
    if value is None:
        return "nothing (null)"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and not math.isfinite(value):
        return f"{value}, which is not finite"
    text = repr(value)
    if len(text) > 48:
        text = text[:45] + "..."
    kind = kinds.get(type(value))
    return f"{kind} {text}" if kind else text


def nearest(name: str, names: list[str]) -> str:
    """Suggest the nearest valid name, two where they are as near, or list all."""
    return suggestion(name, names) or f"Expected one of: {', '.join(names)}."


def suggestion(name: str, names: list[str]) -> str:
    """Suggest the nearest of many names, two where they are as near; "" if none is."""
    near = [(_likeness(name.casefold(), each.casefold()), each) for each in names]
    best = max((ratio for ratio, _ in near), default=0.0)
    close = [repr(each) for ratio, each in near if ratio > best - 0.05]
    return f"Did you mean {' or '.join(close[:3])}?" if best >= 0.6 else ""


def _likeness(given: str, name: str) -> float:
    """Return how alike two words are, from 0 to 1; swapped letters count little."""
    if sorted(given) == sorted(name):
        return 0.99
    return difflib.SequenceMatcher(None, given, name).ratio()


def with_article(noun: str) -> str:
    """Put ``a`` or ``an`` in front."""
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def count(number: int, noun: str) -> str:
    """Write how many there are: ``1 epoch``, ``10,000 epochs``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {plural(noun)}"


def plural(noun: str) -> str:
    """Return the plural of a noun: ``epochs``, ``classes``."""
    return noun + ("es" if noun.endswith("s") else "s")


def number(value: float | None) -> str:
    """Write a number with four significant digits, or a dash for none."""
    if value is None:
        return "-"
    size = abs(value)
    if size and (size < 1e-3 or size >= 1e5):
        return f"{value:.3e}"
    return f"{value:.4f}" if size < 10 else f"{value:.2f}"


def duration(seconds: float) -> str:
    """Write a duration as 0.42 s, 12.3 s, 4:05 or 1:02:03."""
    if seconds < 60:
        return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def describe(schema: Mapping[str, Any]) -> str:
    """Say in words what a JSON Schema accepts."""
    if "x-kind" in schema:
        return with_article(schema["x-kind"])
    if "anyOf" in schema:
        texts = [describe(choice) for choice in schema["anyOf"]]
        return " or ".join(dict.fromkeys(texts))
    if "const" in schema:
        return repr(schema["const"])
    if "enum" in schema:
        return "one of " + ", ".join(repr(choice) for choice in schema["enum"])
    if schema.get("type") == "array":
        return _describe_array(schema)
    names = {
        "integer": "an integer",
        "number": "a number",
        "string": "a text",
        "boolean": "true or false",
        "object": "a mapping",
        "null": "null",
    }
    text = names.get(schema.get("type", ""), "any value")
    return text + _bounds(schema)


def _describe_array(schema: Mapping[str, Any]) -> str:
    described = describe(schema.get("items", {}))
    item = re.sub(r"\ban? (\w+)", lambda match: plural(match[1]), described)
    least = schema.get("minItems")
    text = f"a list of {item}" if item != "any value" else "a list"
    return f"{text} (at least {least})" if least else text


def _bounds(schema: Mapping[str, Any]) -> str:
    bounds = [
        f"{sign} {schema[key]}"
        for key, sign in (
            ("minimum", ">="),
            ("exclusiveMinimum", ">"),
            ("maximum", "<="),
            ("exclusiveMaximum", "<"),
        )
        if key in schema
    ]
    return f" {' and '.join(bounds)}" if bounds else ""


def wrapped(text: str, width: int, hang: int = 0) -> list[str]:
    """Break a text between words, and nowhere else.

    Args:
        text: One line.
        width: How long a line may be.
        hang: By how much all lines but the first are indented.
    """
    lines = [""]
    for piece in re.findall(r"\s*\S+", text):
        if lines[-1].strip() and len(lines[-1] + piece) > width:
            lines.append(" " * hang + piece.lstrip())
        else:
            lines[-1] += piece
    return lines


def table(
    rows: Sequence[Sequence[str]],
    numbers: Collection[int] = (),
    spare: Sequence[int] = (),
    width: int = 80,
) -> str:
    """Write rows, the first of them the head, as columns of text.

    Args:
        rows: Cells.
        numbers: Indices of columns that are aligned at the right.
        spare: Indices of columns that are left out where there is no room, in order.
        width: How long a line may be.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    kept = list(range(len(widths)))
    for column in spare:
        if _total([widths[i] for i in kept]) > width:
            kept.remove(column)
    lines = [
        "  ".join(
            row[i].rjust(widths[i]) if i in numbers else row[i].ljust(widths[i])
            for i in kept
        ).rstrip()
        for row in rows
    ]
    lines.insert(1, "─" * _total([widths[i] for i in kept]))
    return "\n".join(lines)


def _total(widths: list[int]) -> int:
    return sum(widths) + 2 * (len(widths) - 1)
