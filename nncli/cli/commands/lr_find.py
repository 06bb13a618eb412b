"""``nncli lr-find``: which learning rate suits a config."""

from __future__ import annotations

import math
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nncli.cli.console import (
    AllowPlugins,
    Json,
    Overrides,
    RunsDir,
    Source,
    Threads,
    columns,
    say,
    say_json,
    say_wrapped,
)
from nncli.core.errors import UsageError
from nncli.core.text import number

if TYPE_CHECKING:
    from nncli.training.lr_finder import Sweep

EPILOG = """\b
Examples:
  nncli lr-find digits
  nncli lr-find digits optimizer=sgd --low 1e-4 --high 10
  nncli lr-find digits --steps 300 --json
"""

MARGIN, HEIGHT = 14, 14


def lr_find(
    config: Source,
    overrides: Overrides = None,
    low: Annotated[float, typer.Option(help="The first learning rate.")] = 1e-7,
    high: Annotated[float, typer.Option(help="The last learning rate.")] = 10.0,
    steps: Annotated[
        int, typer.Option(min=50, max=100_000, help="Steps from low to high.")
    ] = 200,
    runs_dir: RunsDir = Path("runs"),
    threads: Threads = None,
    allow_plugins: AllowPlugins = False,
    json: Json = False,
) -> None:
    """Suggest a learning rate: raise it, and watch the loss."""
    if not 0 < low < high < math.inf:
        raise UsageError(
            f"lr-find: expected 0 < --low < --high, got {low:g} and {high:g}."
        )
    from nncli.experiment.build import build
    from nncli.runs.sources import load_source
    from nncli.training.lr_finder import sweep_rates
    from nncli.training.threads import threads_of, using

    changes = list(overrides or [])
    experiment = build(
        load_source(config, changes, runs_dir, allow_plugins=allow_plugins)
    )
    with using(threads or threads_of(experiment)):
        sweep = sweep_rates(experiment, low, high, steps)
    if json:
        say_json(_facts(sweep))
        return
    for line in plot(sweep, columns()):
        say(line)
    say("")
    command = shlex.join(["nncli", "train", str(config), *changes])
    _report(sweep, command)


def _facts(sweep: Sweep) -> dict[str, Any]:
    return {
        "suggestion": sweep.suggestion,
        "exploded": sweep.exploded,
        "rates": sweep.rates,
        "losses": sweep.losses,
        "smoothed": sweep.smoothed,
    }


def _report(sweep: Sweep, command: str) -> None:
    if sweep.exploded:
        last = f" at lr {sweep.rates[-1]:.2g}" if sweep.rates else " at once"
        say(f"the loss exploded{last}")
    if sweep.suggestion is None:
        say_wrapped(
            "no suggestion: the loss never falls. Try another --low, --high or --steps."
        )
        return
    lowest = min(sweep.smoothed)
    at = sweep.rates[sweep.smoothed.index(lowest)]
    text = f"suggested  {sweep.suggestion:.2g}, where the loss falls fastest"
    say_wrapped(text, hang=11)
    say_wrapped(f"lowest     loss {number(lowest)} at lr {at:.2g}", hang=11)
    say(f"next: {command} optimizer.lr={sweep.suggestion:.2g}")


def plot(sweep: Sweep, columns: int = 80) -> list[str]:
    """Draw the smoothed loss over the logarithm of the rate, in at most 80 columns."""
    if len(sweep.rates) < 2:
        return []
    from nncli.training.lr_finder import FLAT

    width = max(min(columns, 80) - MARGIN, 10)
    losses = sweep.smoothed
    bottom = min(losses)
    # What explodes at the end would press the rest flat: it leaves the picture.
    top = max(losses[: losses.index(bottom) + 1])
    span = top - bottom
    # A loss that never changes is one line, and not a picture of its rounding.
    top += (span if span > FLAT * abs(top) else abs(top) or 1.0) / 8
    xs = [_place(rate, sweep.rates, width) for rate in sweep.rates]
    rows = [[" "] * width for _ in range(HEIGHT)]
    for x, loss in zip(xs, losses, strict=True):
        if loss <= top:
            y = round((top - loss) / (top - bottom) * (HEIGHT - 1))
            rows[y][x] = "•"
    lines = []
    for y, row in enumerate(rows):
        value = top - (top - bottom) * y / (HEIGHT - 1)
        label = number(value) if y in (0, HEIGHT // 2, HEIGHT - 1) else ""
        lines.append(f"{label:>10} │{''.join(row)}".rstrip())
    return [*lines, *_axis(sweep, width)]


def _axis(sweep: Sweep, width: int) -> list[str]:
    marks, labels = ["─"] * width, [" "] * width
    free = 0
    first, last = (math.log10(sweep.rates[i]) for i in (0, -1))
    for power in range(math.ceil(first - 1e-9), math.floor(last + 1e-9) + 1):
        x = _place(10.0**power, sweep.rates, width)
        text = f"1e{power}"
        if free <= x <= width - len(text):
            marks[x] = "┬"
            labels[x : x + len(text)] = text
            free = x + len(text) + 1
    if sweep.suggestion is not None:
        marks[_place(sweep.suggestion, sweep.rates, width)] = "▲"
    return [
        " " * 11 + "└" + "".join(marks),
        (f"{'lr':>10}  " + "".join(labels)).rstrip(),
    ]


def _place(rate: float, rates: list[float], width: int) -> int:
    span = math.log(rates[-1] / rates[0])
    share = math.log(rate / rates[0]) / span
    return min(max(round(share * (width - 1)), 0), width - 1)
