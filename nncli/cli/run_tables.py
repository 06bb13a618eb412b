"""Tables of runs: what a list and a comparison show on a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nncli.cli.console import columns, say, say_wrapped
from nncli.cli.tables import Table
from nncli.core.text import count, duration, number, printable, shortened
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
LONGEST_OVERRIDE = 24


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
    problems += [f"{folder / name}: no run: {why}" for name, why in others_of(listing)]
    for problem in problems[:MOST_TOLD]:
        say_wrapped(f"! {printable(problem)}", hang=2)
    if len(problems) > MOST_TOLD:
        say(f"! and {len(problems) - MOST_TOLD:,} more: --json has each")


def others_of(listing: Listing) -> list[tuple[str, str]]:
    """Return what is no run: its name, and why."""
    return list(listing.others.items())


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
    judged = "validation" if any(run.validation for run in runs) else "train"
    # How readily each is left out on a narrow terminal.
    spare = {"train": "????", "validation": "????", "test": "?"} | {judged: ""}
    cells: dict[str, list[str]] = {}
    for part in PARTS:
        cells[f"{spare[part]}>{part}"] = [score_text(run, part, name) for run in runs]
    cells["?????>time"] = [
        "" if r.seconds is None else duration(r.seconds) for r in runs
    ]
    cells["??????>epochs"] = ["" if r.epochs is None else f"{r.epochs:,}" for r in runs]
    if name is None:
        cells["??score"] = [printable(run.monitor or "") for run in runs]
    cells["??tags"] = [_words(run.tags) for run in runs]
    cells["???overrides"] = [_words(run.overrides) for run in runs]
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
