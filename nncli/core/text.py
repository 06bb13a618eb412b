"""Words: how messages show a value, describe what is accepted, and guess a name."""

from __future__ import annotations

import difflib
import json
import math
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from nncli.core.aliases import meant, remark

MAX_NAME = 64
"""Letters of a name that are looked at."""

MANY = 40
"""More names than that are not listed in a message."""


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


def json_text(value: Any) -> str:
    """Write JSON for people and programs.

    A path need not be UTF-8: its odd bytes are written as escapes, which any reader of
    JSON gives back as Python has them.
    """
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    return text.encode(errors="backslashreplace").decode()


def nearest(name: str, names: list[str]) -> str:
    """Suggest the valid name that was probably meant, or list what there is.

    A name of another library leads to the one here; else the nearest name is
    suggested, two where they are as near; else all are listed, of many the nearest.
    """
    close = meant(name, names)
    if not close and remark(name):
        return remark(name)
    # Nobody mistypes more than that, and likeness takes the product of the lengths.
    given = name[:MAX_NAME].casefold()
    near = [(_likeness(given, each.casefold()), each) for each in names]
    best = max((ratio for ratio, _ in near), default=0.0)
    if not close and best > 0.6:
        close = [each for ratio, each in near if ratio > best - 0.05]
    if close:
        return f"Did you mean {' or '.join(map(repr, close))}?"
    if len(names) <= MANY:
        return f"Expected one of: {', '.join(names)}."
    part = [each for each in names if name and name.casefold() in each.casefold()]
    ranked = sorted(near, key=lambda pair: (pair[1] not in part, -pair[0]))
    found = dict.fromkeys(each for _, each in ranked)
    return f"The nearest of {len(set(names))}: {', '.join(list(found)[:6])}."


def _likeness(given: str, name: str) -> float:
    """Return how alike two words are, from 0 to 1; swapped letters count little."""
    if sorted(given) == sorted(name):
        return 0.99
    return difflib.SequenceMatcher(None, given, name).ratio()


def with_article(noun: str) -> str:
    """Put ``a`` or ``an`` in front."""
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


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
    item = re.sub(r"\ban? (\w+)", _plural, describe(schema.get("items", {})))
    least = schema.get("minItems")
    text = f"a list of {item}" if item != "any value" else "a list"
    return f"{text} (at least {least})" if least else text


def _plural(match: re.Match[str]) -> str:
    return match[1] + ("es" if match[1].endswith("s") else "s")


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


def table(rows: Sequence[Sequence[str]], numbers: Collection[int] = ()) -> str:
    """Write rows, the first of them the head, as columns of text.

    Args:
        rows: Cells.
        numbers: Indices of columns that are aligned at the right.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(
            cell.rjust(width) if i in numbers else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    lines.insert(1, "─" * (sum(widths) + 2 * (len(widths) - 1)))
    return "\n".join(lines)
