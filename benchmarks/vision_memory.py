"""Peak memory of training steps, and of an evaluation, beside PyTorch's.

The networks of vision.py, batches of 64. Each side has a process of its own; told is
how far its peak lies above what it took with its library and the data.

    python -m benchmarks.vision_memory [--nets cnn]
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
from pathlib import Path

from benchmarks import vision


def main() -> None:
    """Print a line for each network and side."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nets", nargs="+", choices=vision.NETS, default=["cnn"])
    parser.add_argument("--side", choices=("nncli", "torch"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.side:
        take_memory(asked.nets[0], asked.side, 1)
        return
    for net in asked.nets:
        for side in ("nncli", "torch"):
            command = [
                sys.executable,
                "-m",
                "benchmarks.vision_memory",
                "--nets",
                net,
                "--side",
                side,
            ]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            print(f"{net:<6} {side:<6} {done.stdout.strip()}", flush=True)


def take_memory(net: str, side: str, threads: int) -> None:
    """Make steps, then evaluate; print how far the peak was above the beginning."""
    x, y = vision.images(10 * vision.BATCH)
    if side == "nncli":
        model = vision.nncli_model(net)
        begin = resident()
        for _ in range(3):
            model.train_on_batch(x[: vision.BATCH], y[: vision.BATCH])
        stepped = resident(peak=True)
        model.evaluate(x, y)
    else:
        import torch

        inputs, targets = torch.from_numpy(x), torch.from_numpy(y)
        job = vision.TorchJob(net, threads)
        begin = resident()
        for _ in range(3):
            job.step(inputs[: vision.BATCH], targets[: vision.BATCH])
        stepped = resident(peak=True)
        job.evaluate(inputs, targets)
    after = resident(peak=True)
    print(f"step {stepped - begin:.0f} MiB, and evaluation {after - begin:.0f} MiB")


def resident(*, peak: bool = False) -> float:
    """Return the MiB of memory that this process takes, or took at most."""
    if peak:
        unit = 2**20 if sys.platform == "darwin" else 2**10
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most * unit / 2**20
    status = Path("/proc/self/statm")
    if not status.exists():
        return resident(peak=True)
    pages = int(status.read_text(encoding="utf-8").split()[1])
    return pages * resource.getpagesize() / 2**20


if __name__ == "__main__":
    main()
