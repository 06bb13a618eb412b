"""Tables of runs: what a list and a comparison show on a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nncli.cli.console import columns, say, say_wrapped
from nncli.cli.tables import Table
from nncli.core.text import count, duration, number, printable, shortened
from nncli.runs.comparison import Parting
from nncli.runs.entry import PARTS, Entry
from nncli.runs.listing import Listing

if TYPE_CHECKING:
    from rich.text import Text

COLOURS = {
    "running": "cyan",
    "done": "green",
    "stopped": "yellow",
    "crashed": "red",
    "diverged": "red",
    "damaged": "red",
}
MOST_TOLD = 10
NARROWEST = 6
LONGEST_OVERRIDE, LONGEST_VALUE = 24, 120


def show_runs(
    runs: Sequence[Entry], listing: Listing, folder: Path, score: str | None
) -> None:
    """Print a list of runs, and what is wrong with some of them.

    Args:
        runs: Those to be shown, in order.
        listing: All that lies in the directory.
        folder: The directory.
        score: Which score is shown; None for the one that each run monitors.
    """
    place = printable(str(folder))
    if not listing.runs and not listing.others:
        say_wrapped(f"{place}: no runs yet. Start with: nncli train spiral")
        return
    if runs:
        _table(runs, score).print()
        say("")
    states = Counter(run.state for run in runs)
    told = ", ".join(f"{n} {state}" for state, n in states.items())
    of = "" if len(runs) == len(listing.runs) else f" of {len(listing.runs):,}"
    say_wrapped(f"{count(len(runs), 'run')}{of} in {place}" + (told and f": {told}"))
    if runs:
        say_wrapped(_explained(runs, score))
    problems = [problem for run in runs for problem in run.problems]
    others = listing.others.items()
    problems += [f"{folder / name}: not a run: {why}" for name, why in others]
    for problem in problems[:MOST_TOLD]:
        say_wrapped(f"! {printable(problem)}", hang=2)
    if len(problems) > MOST_TOLD:
        say(f"! and {len(problems) - MOST_TOLD:,} more: --json has each")


def score_name(runs: Sequence[Entry], score: str | None) -> str | None:
    """Return the one score that is shown of all runs; None where they differ."""
    monitors = {run.monitor for run in runs if run.monitor}
    if score is None and len(monitors) < 2:
        return next(iter(monitors), "loss")
    return score


def score_text(run: Entry, part: str, name: str | None) -> str:
    """Write a run's score of a part; ``*`` marks that of another checkpoint."""
    scores = getattr(run, part)
    found = scores.get(name or run.monitor)
    mark = "*" if part == "test" and scores and not run.test_is_of_best else ""
    return "" if found is None else f"{number(found)}{mark}"


def state_text(run: Entry) -> Text:
    """Return a state in its colour."""
    from rich.text import Text

    return Text(run.state, style=COLOURS[run.state])


def run_name(name: str) -> str:
    """Write a name so that it takes at most a third of the terminal.

    What is left out is left out in the middle: names differ at their ends.
    """
    name, room = printable(name), max(columns() // 3, 12)
    if len(name) <= room:
        return name
    tail = room // 2
    return f"{name[: room - tail - 1]}…{name[-tail:]}"


def _table(runs: Sequence[Entry], score: str | None) -> Table:
    """Return a table of runs, without the columns that would be empty."""
    name = score_name(runs, score)
    judged = {"validation" if run.validation else "train" for run in runs if run.train}
    # How readily each is left out on a narrow terminal: last what decides.
    spare = {"train": "?????", "validation": "?????", "test": "??"}
    spare |= dict.fromkeys(judged, "?")
    cells: dict[str, list[str]] = {}
    for part in PARTS:
        cells[f"{spare[part]}>{part}"] = [score_text(run, part, name) for run in runs]
    times = [run.seconds for run in runs]
    cells["??????>time"] = ["" if t is None else duration(t) for t in times]
    epochs = [run.epochs for run in runs]
    cells["???????>epochs"] = ["" if n is None else f"{n:,}" for n in epochs]
    if name is None:
        cells["???score"] = [printable(run.monitor or "") for run in runs]
    cells["???tags"] = [_words(run.tags) for run in runs]
    cells["????overrides"] = [_words(run.overrides) for run in runs]
    heads = [head for head, texts in cells.items() if any(texts)]
    table = Table("run", "state", *heads)
    for place, run in enumerate(runs):
        shown = (cells[head][place] for head in heads)
        table.add_row(run_name(run.name), state_text(run), *shown)
    return table


def _words(words: Sequence[str]) -> str:
    return " ".join(shortened(printable(word), LONGEST_OVERRIDE) for word in words)


def _explained(runs: Sequence[Entry], score: str | None) -> str:
    """Say what the scores are."""
    name = score_name(runs, score)
    which = "each run's monitored score" if name is None else printable(name)
    text = f"scores: {which}, at the best checkpoint"
    if any(score_text(run, "test", name).endswith("*") for run in runs):
        text += "; * of another checkpoint, by an earlier nncli eval"
    return text


def show_comparison(
    runs: Sequence[Entry],
    configs: dict[str, dict[str, Any]],
    environments: dict[str, dict[str, Any]],
    partings: Sequence[Parting],
) -> None:
    """Print in what runs differ.

    Args:
        runs: What is compared.
        configs: The places of the config where they differ; see ``differences``.
        environments: What they were made with where that differs.
        partings: From where on each but the first differs from the first.
    """
    _show_facts(runs)
    for head, places in (("config", configs), ("made with", environments)):
        say("")
        if not places:
            say(f"{head}: the same")
            continue
        _show_places(head, runs, places)
    first, *others = runs
    for other, found in zip(others, partings, strict=True):
        say("")
        _tell_parting(first, other, found)


def _facts(runs: Sequence[Entry]) -> list[tuple[str, list[str]]]:
    """Return what is known of runs, by name, with the values of each."""
    times = (run.seconds for run in runs)
    epochs, steps = ([getattr(r, key) for r in runs] for key in ("epochs", "best_step"))
    rows = [
        ("state", [run.state for run in runs]),
        ("epochs", ["-" if n is None else f"{n:,}" for n in epochs]),
        ("time", ["-" if t is None else duration(t) for t in times]),
        ("best step", ["-" if n is None else f"{n:,}" for n in steps]),
    ]
    for part in PARTS:
        names = dict.fromkeys(name for run in runs for name in getattr(run, part))
        for name in names:
            scores = [score_text(run, part, name) or "-" for run in runs]
            rows.append((f"{part} {printable(name)}", scores))
    return rows


def _show_facts(runs: Sequence[Entry]) -> None:
    """Print what is known of runs, as many beside each other as there is room for."""
    rows, start = _facts(runs), 0
    while start < len(runs):
        for size in range(max(columns() // NARROWEST, 1), 0, -1):
            chosen = slice(start, start + size)
            table = Table("")
            for run in runs[chosen]:
                table.add_column(run_name(run.name), number=True)
            for name, values in rows:
                table.add_row(name, *values[chosen])
            if table.fits(columns()):
                break
        if start:
            say("")
        table.print()
        start += size


def _show_places(
    head: str, runs: Sequence[Entry], places: dict[str, dict[str, Any]]
) -> None:
    """Print what stands at each place: as a table, or else one below the other."""
    table = Table(head)
    for run in runs:
        table.add_column(run_name(run.name))
    rows = [
        (printable(place), [_value(place, values, run.path) for run in runs])
        for place, values in places.items()
    ]
    for place, values in rows:
        table.add_row(place, *values)
    if table.fits(columns()):
        table.print()
        return
    for place, values in rows:
        say_wrapped(f"{head}: {place}", hang=2)
        for run, value in zip(runs, values, strict=True):
            say_wrapped(f"  {run_name(run.name)}: {value}", hang=4)


def _value(place: str, values: dict[str, Any], run: str) -> str:
    """Write what stands at a place of a run's config as YAML has it."""
    from nncli.config.terse import terse
    from nncli.config.write import to_flow

    if run not in values:
        return "-"
    # The whole of a digest says no more.
    longest = 12 if place.endswith("sha256") else LONGEST_VALUE
    return printable(shortened(to_flow(terse(values[run])), longest))


def _tell_parting(first: Entry, other: Entry, found: Parting) -> None:
    names = f"{printable(first.name)} and {printable(other.name)}"
    if not found.rows and found.step is None:
        say_wrapped(f"{names} have no evaluations after the same steps.")
    elif found.step is None:
        text = f"{names} are the same up to the last step of both, {found.same:,}"
        if found.longer is not None:
            longer = (first, other)[found.longer]
            text += f"; {printable(longer.name)} goes on"
        say_wrapped(f"{text}.")
    else:
        text = f"{names} differ from their first evaluation on, step {found.step:,}:"
        if found.same is not None:
            text = (
                f"{names} are the same up to step {found.same:,}, and differ from step "
                f"{found.step:,} on:"
            )
        say_wrapped(text)
        for name, pair in list((found.differs or {}).items())[:MOST_TOLD]:
            ours, theirs = told_apart(*pair)
            say_wrapped(f"  {printable(name)}: {ours} and {theirs}", hang=4)


def told_apart(first: float | None, second: float | None) -> tuple[str, str]:
    """Write two numbers with as many digits as show that they differ."""
    if first is None or second is None:
        return number(first), number(second)
    texts = ("", "")
    for digits in range(4, 18):
        texts = f"{first:.{digits}g}", f"{second:.{digits}g}"
        if texts[0] != texts[1]:
            break
    return texts
