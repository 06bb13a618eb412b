"""Scores: what ``eval`` found of a part, as tables that fit the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nncli.cli.console import columns, say, say_wrapped
from nncli.cli.tables import Table
from nncli.core.text import count, number, shortened

MOST = 20
"""Labels or columns up to which each is shown."""


def show_scores(result: dict[str, Any], saved: Path | None, unit: str) -> None:
    """Print what ``eval`` found.

    Args:
        result: What ``--json`` gives.
        saved: Where predictions were written to.
        unit: What tells how long was trained: ``epoch`` or ``step``.
    """
    say_wrapped(f"{result['checkpoint']} (after\xa0{unit}\xa0{result[unit]:,})")
    tokens = f", {count(result['tokens'], 'token')}" if "tokens" in result else ""
    say(f"{result['split']}: {count(result['rows'], 'row')}{tokens}")
    if "baseline" in result:
        say_wrapped(f"baseline: {_baseline(result['baseline'])} of the training part")
    for table in _tables(result):
        say("")
        table.print()
    for noun in ("label", "column"):
        every = result.get(f"{noun}s", ())
        if len(every) > MOST:
            say(f"{count(len(every), noun)}: --json has each.")
    if saved is not None:
        say("")
        say_wrapped(f"predictions: {saved}")


def _baseline(baseline: dict[str, Any]) -> str:
    name = baseline.get("class", baseline.get("token"))
    named = "" if name is None else f" ({name})"
    return f"{baseline['predicts']}{named}"


def _tables(result: dict[str, Any]) -> Iterator[Table]:
    yield _scores(result)
    if "classes" in result:
        yield _classes(result["classes"])
        confusion = _confusion([line["class"] for line in result["classes"]], result)
        if confusion is not None:
            yield confusion
    if result.get("mistakes"):
        yield _mistakes(result["mistakes"])
    if "most_frequent" in result:
        yield _tokens(result["most_frequent"])
    if len(result.get("labels", ())) in range(1, MOST + 1):
        yield _labels(result["labels"])
    if len(result.get("columns", ())) in range(1, MOST + 1):
        yield _columns(result["columns"])


def _scores(result: dict[str, Any]) -> Table:
    """Return a table of each score beside the baseline's."""
    baseline = result.get("baseline")
    if baseline is None:
        table = Table("score", ">model")
        table.add_row("loss", number(result["loss"]))
        return table
    table = Table("score", ">model", ">baseline")
    table.add_row("loss", number(result["loss"]))
    for name, guessed in baseline["scores"].items():
        table.add_row(name, number(result[name]), number(guessed))
    table.add_row("beats baseline", f"{result['better_than_baseline']:.1%}")
    return table


def _classes(lines: list[dict[str, Any]]) -> Table:
    table = Table("class", "?>rows", ">precision", ">recall", "??>f1")
    for line in lines:
        numbers = (number(line[key]) for key in ("precision", "recall", "f1"))
        table.add_row(line["class"], f"{line['rows']:,}", *numbers)
    return table


def _mistakes(lines: list[dict[str, Any]]) -> Table:
    """Return the worst mistakes; rows that have names are called by them."""
    named = "name" in lines[0]
    table = Table(
        "worst mistakes" if named else ">worst mistakes: row",
        "class",
        "taken for",
        "?>probability",
        "??>of class",
    )
    for line in lines:
        table.add_row(
            _ending(line["name"]) if named else str(line["row"]),
            line["class"],
            line["taken_for"],
            number(line["probability"]),
            number(line["probability_of_class"]),
        )
    return table


def _ending(path: str) -> str:
    """Return as much of the end of a path as half the terminal has room for."""
    room = max(columns() // 2, len("worst mistakes"))
    return path if len(path) <= room else "…" + path[1 - room :]


def _tokens(lines: list[dict[str, Any]]) -> Table:
    """Return a table of the most frequent tokens."""
    table = Table("token", ">count", ">recall", ">log_loss")
    for line in lines:
        scores = number(line["recall"]), number(line["log_loss"])
        table.add_row(line["token"], f"{line['count']:,}", *scores)
    return table


def _labels(lines: list[dict[str, Any]]) -> Table:
    table = Table("label", "?>rows", ">precision", ">recall", "??>f1", "???>roc_auc")
    for line in lines:
        keys = ("precision", "recall", "f1", "roc_auc")
        numbers = (number(line[key]) for key in keys)
        table.add_row(line["label"], f"{line['rows']:,}", *numbers)
    return table


def _columns(lines: list[dict[str, Any]]) -> Table:
    table = Table("column", ">rmse", "??>of mean", "???>mae", ">r2", "?>beats mean")
    for line in lines:
        scores = (line["rmse"], line["baseline"]["rmse"], line["mae"], line["r2"])
        better = f"{line['better_than_baseline']:.1%}"
        table.add_row(line["column"], *map(number, scores), better)
    return table


def _confusion(names: list[str], result: dict[str, Any]) -> Table | None:
    """Draw which class (row) was taken for which (column); None if too wide."""
    # What is zero is left out, so that mistakes stand out.
    cells = [[f"{n:,}" if n else "·" for n in row] for row in result["confusion"]]
    heads = [shortened(name, 5) for name in names]
    widths = [max(map(len, column)) for column in zip(heads, *cells, strict=True)]
    corner = "class, taken for"
    if len(corner) + sum(width + 3 for width in widths) > columns():
        return None
    shown = Table(corner, *(f">{head}" for head in heads))
    for name, counts in zip(names, cells, strict=True):
        shown.add_row(shortened(name, len(corner)), *counts)
    return shown
