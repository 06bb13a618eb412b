"""What looking at a training costs: records, logs, the live display, the pictures.

Trains the same config in turn, in one process: bare (steps and evaluations alone), with
a run directory (rows, checkpoints), with records.jsonl too, and with train.log and the
live display of a terminal too. Prints medians, and by how much of the bare time each is
longer (median of the ratios within a round).

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
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

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
        views = [Onlookers([LiveView(), LogWriter()])] if look else []
        trainer = Trainer(experiment, made, views)
        began = clock()
        trainer.fit()
        seconds = clock() - began
        drawing = 0.0
        if look and find_spec("nncli.report.plots"):
            began = clock()
            import_module("nncli.report.plots").pictures_of(made)
            drawing = clock() - began
    return seconds, drawing


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
            seconds, drawing = job(**settings)
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


def main() -> None:
    """Measure every config."""
    options = arguments()
    clock: Clock = time.process_time if options.cpu else time.perf_counter
    for config in options.configs:

        def job(config: str = config, **settings: bool) -> tuple[float, float]:
            return train(config, options.epochs, clock, **settings)

        measure(config, job, options.rounds)


if __name__ == "__main__":
    main()
