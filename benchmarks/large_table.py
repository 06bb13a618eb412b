"""A CSV of millions of rows: time and memory of its first and its second training.

    python benchmarks/large_table.py [--rows 5000000] [--keep FILE]

Makes the file (20 columns: numbers, some missing, and categories), trains a small
network for some steps twice, each in a process of its own, and prints seconds and the
largest resident memory; the second run reads what the first one kept.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

CONFIG = """
name: large
dataset: {{type: csv, path: {path}, target: y}}
split: {{validation: 0.01}}
layers: [{{type: dense, units: 32}}, relu, {{type: dense, units: 1}}]
loss: mse
optimizer: adam
metrics: [r2]
training: {{steps: {steps}, batch_size: 256, evaluate_steps: {steps}}}
"""


def write(path: Path, rows: int) -> None:
    """Write a table of 20 columns in blocks."""
    rng = np.random.default_rng(0)
    names = [*(f"n{i}" for i in range(16)), "c0", "c1", "c2", "y"]
    words = np.array(["red", "green", "blue", "yellow"])
    with path.open("w", encoding="ascii") as file:
        file.write(",".join(names) + "\n")
        for begin in range(0, rows, 50_000):
            size = min(50_000, rows - begin)
            x = rng.normal(size=(size, 16)).round(4)
            y = (x[:, 0] - 2 * x[:, 1] + rng.normal(size=size) * 0.1).round(4)
            cells = x.astype(str)
            cells[rng.random(x.shape) < 0.01] = ""
            more = words[rng.integers(0, 4, (size, 3))]
            block = np.concatenate([cells, more, y.astype(str)[:, None]], axis=1)
            file.write("\n".join(map(",".join, block.tolist())) + "\n")


def measured(arguments: list[str], environment: dict[str, str]) -> tuple[float, float]:
    """Run nncli; return seconds and the largest resident memory in MB."""
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "nncli", *arguments],
        env=environment,
        stdout=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"nncli {' '.join(arguments)}: status {status}")
    return time.perf_counter() - began, usage.ru_maxrss / 1024


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--keep", type=Path, help="where the file lies, or shall lie")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        path = options.keep or home / "large.csv"
        if not path.exists():
            write(path, options.rows)
        environment = dict(os.environ) | {"NNCLI_CACHE": str(home / "cache")}
        print(
            f"nncli train: {path.stat().st_size / 1e6:,.0f} MB, {options.rows:,} rows"
        )
        for name, steps in (("first run", 1), ("second run", 1), ("2,000 steps", 2000)):
            config = home / "large.yaml"
            config.write_text(CONFIG.format(path=path, steps=steps), encoding="utf-8")
            arguments = ["train", str(config), "--runs-dir", str(home / "runs")]
            seconds, memory = measured(arguments, environment)
            print(f"{name:12} {seconds:7.2f} s  {memory:6.0f} MB at most")


if __name__ == "__main__":
    main()
