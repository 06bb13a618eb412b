"""What looking at a training costs: records, logs, the live display, the pictures.

Trains the same config in turn, in one process: bare (steps and evaluations alone), with
a run directory (rows, checkpoints), with records.jsonl too, and with train.log and the
live display of a terminal too. Prints medians, and by how much of the bare time each is
longer (median of the ratios within a round). Then what each part takes of a training
that has all of them, by a clock around each: what the machine does beside cancels out.

    python benchmarks/overhead.py [--configs spiral digits digits_cnn] [--rounds 7]

On a machine that does other work, ``--cpu`` compares seconds of the processor instead.
"""

from __future__ import annotations

import argparse
import io
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

CONFIGS = Path(__file__).parents[1] / "configs"


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--configs", nargs="+", default=["spiral", "digits", "digits_cnn"]
    )
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--epochs", type=int, help="instead of the config's")
    parser.add_argument("--cpu", action="store_true", help="not seconds of the clock")
    return parser.parse_args()


class Terminal(io.TextIOWrapper):
    """A terminal that shows nothing."""

    def isatty(self) -> bool:
        """Be one."""
        return True


@contextmanager
def terminal() -> Iterator[None]:
    """Let stderr be a terminal."""
    before = sys.stderr
    with Path(os.devnull).open("wb") as file, Terminal(file) as sys.stderr:
        try:
            yield
        finally:
            sys.stderr = before


Clock = Callable[[], float]


def train(
    config: str,
    epochs: int | None,
    clock: Clock,
    *,
    run: bool,
    record: bool,
    look: bool,
    draw: bool = True,
) -> tuple[float, float]:
    """Train; return the seconds of the loop and the seconds of the pictures."""
    from nncli.cli.onlookers import Onlookers
    from nncli.cli.views import LiveView, LogWriter
    from nncli.config.load import load_config
    from nncli.experiment.build import build
    from nncli.training.session import create_run
    from nncli.training.trainer import Trainer

    changes = [] if record else ["training.record=null"]
    if epochs is not None:
        changes.append(f"training.epochs={epochs}")
    loaded = load_config(CONFIGS / f"{config}.yaml", changes)
    experiment = build(loaded)
    with tempfile.TemporaryDirectory() as folder, terminal():
        made = create_run(experiment, loaded, Path(folder), []) if run else None
        views = [Onlookers([LiveView(), LogWriter(made)])] if look and made else []
        trainer = Trainer(experiment, made, views)
        began = clock()
        trainer.fit()
        seconds = clock() - began
        drawing = 0.0
        if look and draw and find_spec("matplotlib"):
            began = clock()
            import_module("nncli.report.plots").pictures_of(made, svg=False)
            drawing = clock() - began
    return seconds, drawing


TRIES = 10_000

PARTS = {
    "rows and records written": [
        ("nncli.runs.directory", "RunDirectory", "append_row"),
        ("nncli.runs.directory", "RunDirectory", "append_record"),
        ("nncli.runs.directory", "RunDirectory", "sync_rows"),
    ],
    "recorded steps": [("nncli.training.recorder", "Recorder", "run")],
    "checkpoints": [
        ("nncli.training.trainer", "Trainer", "_judge"),
        ("nncli.training.trainer", "Trainer", "save"),
    ],
    "train.log, live display": [
        ("nncli.cli.onlookers", "Onlookers", event)
        for event in ("on_start", "on_step", "on_row", "on_record", "on_end")
    ],
    "steps": [("nncli.training.step", "TrainingStep", "run")],
}
"""Functions in which a training spends its time; each without those inside it, but a
recorded step beside the others."""


@contextmanager
def clocks(clock: Clock) -> Iterator[dict[str, float]]:
    """Measure what the parts take while the block runs."""
    spent, counts = dict.fromkeys(PARTS, 0.0), dict.fromkeys(PARTS, 0)
    under_way: list[float] = []

    def clocked(
        part: str, function: Callable[..., Any], own: float = 0.0
    ) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            if part == "steps" and under_way:
                return function(*arguments, **named)
            counts[part] += 1
            under_way.append(0.0)
            began = clock()
            try:
                return function(*arguments, **named)
            finally:
                whole = clock() - began
                spent[part] += whole - under_way.pop() - own
                if under_way:
                    under_way[-1] += whole

        return call

    # What the clock itself takes of what it measures.
    part, nothing = next(iter(PARTS)), lambda: None
    for _ in range(TRIES):
        clocked(part, nothing)()
    own, spent[part] = spent[part] / TRIES, 0.0

    with ExitStack() as stack:
        for part, functions in PARTS.items():
            for module, owner, name in functions:
                where = getattr(import_module(module), owner)
                stack.callback(setattr, where, name, getattr(where, name))
                setattr(where, name, clocked(part, getattr(where, name), own))
        counts = dict.fromkeys(PARTS, 0)
        yield spent
    # What a recorded step takes more than another one.
    each = spent["steps"] / max(counts["steps"], 1)
    spent["recorded steps"] -= counts["recorded steps"] * each


KINDS: dict[str, dict[str, bool]] = {
    "bare": {"run": False, "record": False, "look": False},
    "with a run": {"run": True, "record": False, "look": False},
    "and records": {"run": True, "record": True, "look": False},
    "and log, live display": {"run": True, "record": True, "look": True},
}


def measure(name: str, job: Callable[..., tuple[float, float]], rounds: int) -> None:
    """Run all kinds in turn and print a table."""
    times: dict[str, list[float]] = {kind: [] for kind in KINDS}
    pictures: list[float] = []
    for number in range(rounds + 1):
        for kind, settings in KINDS.items():
            seconds, drawing = job(**settings, draw=number == rounds)
            # The first round warms caches.
            if number:
                times[kind].append(seconds)
                pictures.append(drawing)
    print(f"nncli {name}, {rounds} rounds")
    for kind, values in times.items():
        ratios = [v / b for v, b in zip(values, times["bare"], strict=True)]
        more = statistics.median(ratios) - 1
        low, high = min(ratios) - 1, max(ratios) - 1
        print(
            f"  {kind:<22} {statistics.median(values) * 1e3:8.1f} ms  "
            f"{more:+6.1%} ({low:+.1%} to {high:+.1%})"
        )
    if max(pictures):
        print(f"  pictures at the end    {max(pictures) * 1e3:8.1f} ms")


def measure_parts(
    job: Callable[..., tuple[float, float]], rounds: int, clock: Clock
) -> None:
    """Print what each part takes of a training that has all of them."""
    found: dict[str, list[float]] = {part: [] for part in PARTS}
    for _ in range(rounds):
        with clocks(clock) as spent:
            whole, _ = job(**KINDS["and log, live display"], draw=False)
        # A run that can be resumed is another matter than one that is looked at.
        looking = sum(spent.values()) - spent["steps"] - spent["checkpoints"]
        for part, seconds in spent.items():
            found[part].append(seconds / (whole - looking))
        found["steps"][-1] = looking / (whole - looking)
    found["all but checkpoints"] = found.pop("steps")
    print("  of the time without them")
    for part, shares in found.items():
        print(
            f"    {part:<26} {statistics.median(shares):6.1%}"
            f" ({min(shares):.1%} to {max(shares):.1%})"
        )


def main() -> None:
    """Measure every config."""
    options = arguments()
    clock: Clock = time.process_time if options.cpu else time.perf_counter
    for config in options.configs:

        def job(config: str = config, **settings: bool) -> tuple[float, float]:
            return train(config, options.epochs, clock, **settings)

        measure(config, job, options.rounds)
        measure_parts(job, options.rounds, clock)


if __name__ == "__main__":
    main()
