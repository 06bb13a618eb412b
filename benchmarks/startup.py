"""How long nncli takes to start, beside an empty Python process.

Runs `python -c pass`, `nncli --help` and `nncli train configs/spiral.yaml --dry-run` in
turn and prints medians and what each takes more than the empty process.

    python benchmarks/startup.py [--rounds 10]
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]


def seconds(command: list[str]) -> float:
    """Run a command and return how long it took."""
    began = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, cwd=ROOT)
    return time.perf_counter() - began


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    rounds = parser.parse_args().rounds
    nncli = str(Path(sys.executable).with_name("nncli"))
    commands = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "nncli --help": [nncli, "--help"],
        "train --dry-run": [nncli, "train", "configs/spiral.yaml", "--dry-run"],
    }
    times: dict[str, list[float]] = {name: [] for name in commands}
    for command in commands.values():
        seconds(command)
    for _ in range(rounds):
        for name, command in commands.items():
            times[name].append(seconds(command))
    empty = statistics.median(times["python -c pass"])
    print(f"median of {rounds}")
    for name, values in times.items():
        middle = statistics.median(values)
        print(f"{name:<18} {middle:6.3f} s  {middle - empty:+.3f} s")


if __name__ == "__main__":
    main()
