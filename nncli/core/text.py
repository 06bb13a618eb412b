"""Words: how messages show a value, describe what is accepted, and guess a name."""

from __future__ import annotations

import difflib
import html
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
    JSON gives back as Python has them. So is what would move a terminal's cursor, or
    turn letters around.
    """
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    return re.sub(r"[^ -~\n]", _in_json, text)


def _in_json(match: re.Match[str]) -> str:
    """Write a letter as JSON does where it cannot be seen."""
    return match[0] if match[0].isprintable() else json.dumps(match[0])[1:-1]


def printable(text: str, keep: str = "") -> str:
    r"""Write what could move a terminal's cursor, or colour it, as escapes: ``\x1b``.

    Args:
        text: Anything, say the name of somebody else's file.
        keep: What stays as it is nevertheless.
    """
    return "".join(
        letter
        if letter.isprintable() or letter in keep
        else letter.encode("unicode_escape").decode()
        for letter in text
    )


def shown(text: str) -> str:
    """Write lines for a terminal, which no name in them can steer."""
    return printable(text, keep="\n\t\xa0")


def nearest(name: str, names: list[str]) -> str:
    """Suggest the valid name that was probably meant, or list what there is.

    A name of another library leads to the one here; else the nearest name is
    suggested, two where they are as near; else all are listed, of many the nearest.
    """
    if guess := suggestion(name, names):
        return guess
    if len(names) <= MANY:
        return f"Expected one of: {', '.join(names)}."
    part = [each for each in names if name and name.casefold() in each.casefold()]
    near = _near(name, names)
    ranked = sorted(near, key=lambda pair: (pair[1] not in part, -pair[0]))
    found = dict.fromkeys(each for _, each in ranked)
    return f"The nearest of {len(set(names))}: {', '.join(list(found)[:6])}."


def advice(name: str, names: list[str]) -> str:
    """Say what to do about a name in a config: as ``nearest``, or why there is none."""
    known = meant(name, names)
    return ("" if known else remark(name)) or nearest(name, names)


def suggestion(name: str, names: list[str]) -> str:
    """Suggest the nearest of many names, two where they are as near; "" if none is."""
    close, near = meant(name, names), _near(name, names)
    best = max((ratio for ratio, _ in near), default=0.0)
    if not close and best > 0.6:
        close = [each for ratio, each in near if ratio > best - 0.05][:3]
    return f"Did you mean {' or '.join(map(repr, close))}?" if close else ""


def _near(name: str, names: list[str]) -> list[tuple[float, str]]:
    # Nobody mistypes more than that, and likeness takes the product of the lengths.
    given = name[:MAX_NAME].casefold()
    return [(_likeness(given, each.casefold()), each) for each in names]


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


def scores_text(scores: dict[str, Any], between: str = " ") -> str:
    """Write scores as ``loss 0.1234, accuracy 0.9800``."""
    pairs = ((name, number(value)) for name, value in scores.items())
    return ", ".join(f"{name}{between}{text}" for name, text in pairs)


def size_text(size: int) -> str:
    """Write how many bytes there are: ``12.3 MiB``."""
    amount = float(size)
    for unit in ("B", "KiB", "MiB"):
        # As it is printed: 1,000 has a fourth digit.
        if amount < 999.5:
            return f"{amount:.3g} {unit}"
        amount /= 1024
    return f"{amount:.3g} GiB"


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
    """Break a text at its spaces, but for those that are no-break spaces.

    Args:
        text: One line.
        width: How long a line may be.
        hang: By how much all lines but the first are indented.
    """
    lines = [""]
    for piece in re.findall(r" *[^ ]+", text):
        if lines[-1].strip() and len(lines[-1] + piece) > width:
            lines.append(" " * hang + piece.lstrip())
        else:
            lines[-1] += piece
    return [line.replace("\xa0", " ") for line in lines]


def unfolded(text: str) -> list[str]:
    """Return a docstring with one line a paragraph; indented lines stay."""
    lines: list[str] = []
    for paragraph in text.split("\n\n"):
        parts = paragraph.splitlines()
        if any(part.startswith(" ") for part in parts):
            lines += parts
        else:
            lines.append(" ".join(parts))
    return lines


SHORTEST = 6


def shortened(text: str, width: int) -> str:
    """Cut a text to a width, an ellipsis at its end."""
    return text if len(text) <= width else f"{text[: width - 1]}…"


def shortened_inside(text: str, width: int) -> str:
    """Cut a text to a width; the last third of that is its end."""
    if len(text) <= width:
        return text
    end = width // 3
    return f"{text[: width - 1 - end]}…{text[len(text) - end :]}"


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
    # What is left over the first column pays: it holds names, the others numbers.
    over = _total([widths[i] for i in kept]) - width
    widths[0] = max(widths[0] - max(over, 0), min(widths[0], SHORTEST))
    rows = [(shortened(row[0], widths[0]), *row[1:]) for row in rows]
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


def spreadsheet_text(text: str) -> str:
    """Write a text so that no spreadsheet that opens the file runs it as a formula.

    One that begins with ``=``, ``+``, ``-``, ``@``, a tab or the end of a line, and is
    no number, gets a ``'`` in front. Source: OWASP, "CSV Injection".
    """
    if not text.startswith(("=", "+", "-", "@", "\t", "\r", "\n")):
        return text
    try:
        float(text)
    except ValueError:
        return f"'{text}"
    return text


def html_table(rows: Sequence[Sequence[str]], note: str = "") -> str:
    """Write rows, the first of them the head, as a table for notebooks, escaped.

    Args:
        rows: Cells.
        note: A line below it.
    """
    head, *body = (tuple(html.escape(cell) for cell in row) for row in rows)
    lines = ["<table>", "<tr>" + "".join(f"<th>{cell}</th>" for cell in head) + "</tr>"]
    for cells in body:
        lines.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    below = f"<p>{html.escape(note)}</p>" if note else ""
    return "".join([*lines, "</table>", below])
