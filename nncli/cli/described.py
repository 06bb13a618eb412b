"""Described: what ``data describe`` found, as tables that fit the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nncli.cli.console import say, say_wrapped
from nncli.cli.tables import Table
from nncli.core.text import count, shortened

MOST = 12
"""Classes up to which each is shown."""

LONGEST = 30
"""Letters of a value that are shown."""


def show_description(facts: dict[str, Any]) -> None:
    """Print what was found.

    Args:
        facts: What ``--json`` gives.
    """
    say_wrapped(f"{facts['dataset']}: {_size(facts)}")
    for line in _form(facts):
        say_wrapped(line, 2)
    say("")
    if "columns" in facts:
        _columns(facts["columns"]).print()
        say("")
    for table in _parts(facts):
        table.print()
        say("")
    warnings = [*_warnings(facts)]
    for line in warnings:
        say_wrapped(f"! {line}", 2)
    if not warnings:
        say_wrapped("no shared or repeated rows, nothing that tells the target")


def _size(facts: dict[str, Any]) -> str:
    rows = count(facts["rows"], "row")
    if "columns" in facts:
        total = len(facts["columns"]) + len(facts["left_out"])
        return f"{rows}, {count(total, 'column')}"
    return rows


def _form(facts: dict[str, Any]) -> Iterator[str]:
    """Yield how a file is written, or the arrays' shapes; and what is left out."""
    form = facts.get("format", {})
    if "delimiter" in form:
        names = "" if form.get("header", True) else ", no names of columns"
        comma = ", decimal commas" if form.get("decimal") == "," else ""
        layout = f"{form['delimiter']!r} between cells, {form['encoding']}"
        yield f"text: {layout}{comma}{names}"
    elif "format" in form:
        yield f"format: {form['format']}"
    if "inputs" in facts:
        yield _inputs(facts["inputs"])
    if "targets" in facts:
        classes = facts["classes"]
        what = f"{classes:,} classes" if classes else _shape(facts["targets"])
        yield f"targets: {what}"
    if facts.get("target"):
        last = " (the last column; --target names another)"
        said = last if facts.get("last_is_target") else ""
        yield f"target: {', '.join(facts['target'])}{said}"
    for name, note in form.get("notes", {}).items():
        yield f"{name}: {note}"
    for name, why in facts.get("left_out", {}).items():
        yield f"left out: {name}: {why}"


def _inputs(inputs: dict[str, Any]) -> str:
    told = [f"inputs: {_shape(inputs)}"]
    if inputs["low"] is not None:
        low, high, mean = (f"{inputs[name]:.6g}" for name in ("low", "high", "mean"))
        told.append(f"from {low} to {high}, mean {mean}")
    return ", ".join(told)


def _shape(facts: dict[str, Any]) -> str:
    sizes = ", ".join(["N", *map(str, facts["shape"])])
    return f"({sizes}) {facts['type']}"


def _columns(columns: list[dict[str, Any]]) -> Table:
    roles = {each["role"] for each in columns}
    table = Table("column", "??type", "?>missing", "?>different", "what it holds")
    for each in columns:
        role = (
            "" if each["role"] == "input" or len(roles) == 1 else f" ({each['role']})"
        )
        missing = f"{each['missing']:,}" if each["missing"] else ""
        distinct = each["distinct"]
        different = "many" if distinct is None else f"{distinct:,}"
        kind = f"{each['kind']}{role}"
        table.add_row(each["name"], kind, missing, different, _holds(each))
    return table


def _holds(column: dict[str, Any]) -> str:
    """Return a range, or the most frequent values."""
    if "low" in column:
        low, high = column["low"], column["high"]
        dated = isinstance(low, str)
        ends = f"{low} to {high}" if dated else f"{low:.6g} to {high:.6g}"
        return ends if dated else f"{ends}, mean {column['mean']:.4g}"
    told = [
        f"{shortened(text, LONGEST)} {times:,}"
        for text, times in column["most_frequent"]
    ]
    more = (column["distinct"] or 0) > len(told)
    return ", ".join(told) + (", ..." if more else "") or "nothing"


def _parts(facts: dict[str, Any]) -> Iterator[Table]:
    parts = facts["parts"]
    sizes = Table("part", ">rows", "?>mean", "??>low", "??>high")
    for part in parts:
        ends = [part.get(name) for name in ("mean", "low", "high")]
        texts = ["" if value is None else f"{value:.6g}" for value in ends]
        sizes.add_row(part["name"], f"{part['rows']:,}", *texts)
    if any("mean" in part for part in parts):
        if len(parts) > 1:
            yield sizes
        return
    plain = Table("part", ">rows")
    for part in parts:
        plain.add_row(part["name"], f"{part['rows']:,}")
    if len(parts) > 1:
        yield plain
    if any("classes" in part for part in parts):
        yield _balance(parts)


def _balance(parts: list[dict[str, Any]]) -> Table:
    """Return how many rows of each class each part has."""
    total: dict[str, int] = {}
    for part in parts:
        for name, rows in part["classes"].items():
            total[name] = total.get(name, 0) + rows
    table = Table("class", ">share", *(f"?>{part['name']}" for part in parts))
    every = sum(total.values())
    shown = sorted(total, key=lambda name: -total[name])
    if len(shown) > MOST:
        shown = [*shown[: MOST - 2], *shown[-2:]]
    for name in shown:
        cells = (f"{part['classes'].get(name, 0):,}" for part in parts)
        share = f"{100 * total[name] / max(every, 1):.1f}%"
        table.add_row(shortened(name, LONGEST), share, *cells)
    if len(total) > len(shown):
        table.add_row(f"and {len(total) - len(shown):,} more between")
    return table


def _warnings(facts: dict[str, Any]) -> Iterator[str]:
    for each in facts.get("tell_the_target", ()):
        score = f"{each['score']:.4f}"
        yield f"{each['column']} tells the target by itself: {each['how']}: {score}"
    for each in facts["shared"]:
        if each["rows"]:
            first, second = each["parts"]
            rows = count(each["rows"], "row")
            yield f"{rows} of {second} have the inputs of a row of {first}"
    for name, rows in facts["repeated"].items():
        if rows:
            yield f"{count(rows, 'row')} of {name} repeat the inputs of another"
    for each in facts.get("columns", ()):
        if each["constant"]:
            yield f"{each['name']} never varies"
    inputs = facts.get("inputs", {})
    if inputs.get("constant"):
        yield f"{count(inputs['constant'], 'input')} never vary"
    if inputs.get("not_finite"):
        yield f"{count(inputs['not_finite'], 'input')} NaN or infinite"
