"""What a step costs on 2 to 256 ranks: a model out of parts that are measured here.

A step of a batch of B rows and P parameters on R ranks, a shard each, takes

    T(R) = b·B/R + s₀ + s₁·B/R        rows are taken; forward and backward
         + L·(R − 1) + 4·P·(R − 1)/(R·W)        parts of gradients go to their ranks
         + a·P + m·P/R        each adds R rows of P/R, and moves P/R parameters
         + L·log₂R + 4·P·(R − 1)/(R·W)        parameters go to all
         + 3·L·log₂R        the command, objectives and squares

with a latency L and a bandwidth W. Measured are b, s₀, s₁, a, m, and L and W between
two ranks of this machine (with mpi4py and mpirun); for networks they are assumed. Left
out are ranks that wait for the slowest one, networks that are shared, and evaluations.

    python -m benchmarks.cost_model [--nets lenet cnn gpt] [--rounds 15]
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks.shards import NETS, experiment_of

RANKS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
NETWORKS = {"10 Gb/s Ethernet": (30e-6, 1.1e9), "100 Gb/s": (3e-6, 11e9)}
"""Latency in seconds and bytes a second: what such networks usually reach."""

SMALL, LARGE = 1 << 10, 1 << 22


@dataclass
class Parts:
    """What was measured of a network, in seconds.

    Attributes:
        rows: Of a batch.
        parameters: How many there are.
        take: To take a row.
        fixed: Of a step, however few its rows are.
        row: Of a step for each row.
        add: To add a gradient's element.
        move: To move a parameter.
    """

    rows: int
    parameters: int
    take: float
    fixed: float
    row: float
    add: float
    move: float

    def step(self, ranks: int, latency: float, bandwidth: float) -> float:
        """Return how long a step takes on so many ranks."""
        rows, size = self.rows / ranks, self.parameters
        own = self.take * rows + self.fixed + self.row * rows
        if ranks == 1:
            return own + self.move * size
        message = 4 * size * (ranks - 1) / ranks / bandwidth
        hops = math.log2(ranks)
        return (
            own
            + latency * (ranks - 1)
            + message
            + self.add * size
            + self.move * size / ranks
            + latency * hops
            + message
            + 3 * latency * hops
        )


def median(call: Callable[[], object], rounds: int) -> float:
    """Return the median of how long a call takes."""
    times = []
    for _ in range(rounds + 2):
        begin = time.perf_counter()
        call()
        times.append(time.perf_counter() - begin)
    return statistics.median(times[2:])


def measured(net: str, rounds: int) -> Parts:
    """Measure the parts of one network."""
    import numpy as np

    from nncli.training.gradient import Gradient

    experiment = experiment_of(net, 1)
    network, flat = experiment.network, experiment.network.flat
    part, whole = experiment.parts["train"], experiment.batch_size
    sizes = [size for size in (whole, whole // 2, whole // 4) if size]
    takes, steps = [], []
    for size in sizes:
        batch = part.room(size)
        index = np.random.default_rng(0).permutation(len(part))[:size]
        gradient = Gradient(network, experiment.loss)
        part.fill(index, batch)

        def fill(index: Any = index, batch: Any = batch) -> None:
            part.fill(index, batch)

        def compute(gradient: Any = gradient, batch: Any = batch) -> None:
            gradient.compute(batch)

        takes.append(median(fill, rounds))
        steps.append(median(compute, rounds))
    # A straight line through the sizes: seconds a row, and without any.
    row, fixed = np.polyfit(sizes, steps, 1)
    other = np.ones_like(flat.grads)
    add = median(lambda: np.add(flat.grads, other, out=flat.grads), rounds)
    move = median(lambda: experiment.optimizer.step(1e-6), rounds)
    size = flat.values.size
    return Parts(
        whole,
        size,
        takes[0] / whole,
        max(float(fixed), 0.0),
        float(row),
        add / size,
        move / size,
    )


def ping() -> None:
    """Be one of two ranks, and print how long two sizes of messages take."""
    import numpy as np

    from nncli.core.launched import launched
    from nncli.training.shards.ranks import Ranks

    ranks = Ranks(launched())
    times = []
    for size in (SMALL, LARGE):
        array = np.zeros((2, size // 8))

        def exchange(array: Any = array) -> None:
            ranks.all_to_all_rows(array, [0, 1, 2])

        times.append(median(exchange, 200))
    if not ranks.rank:
        print(json.dumps(times))


def messages() -> tuple[float, float] | None:
    """Return latency and bandwidth between two ranks here; None without MPI."""
    mpirun = shutil.which("mpirun")
    if mpirun is None:
        return None
    command = [mpirun, "-n", "2", sys.executable, "-m", "benchmarks.cost_model"]
    done = subprocess.run(
        [*command, "--ping"], capture_output=True, text=True, check=False
    )
    if done.returncode:
        return None
    small, large = json.loads(done.stdout)
    return small, (LARGE - SMALL) / max(large - small, 1e-9)


def main() -> None:
    """Measure, and print what the model says of each network."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nets", nargs="+", choices=NETS, default=NETS)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--ping", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.ping:
        ping()
        return
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"
    here = messages()
    networks = dict(NETWORKS)
    print("nncli: a step on R ranks, by parts measured on this machine")
    if here is not None:
        networks = {"this machine": here, **networks}
        print(f"two ranks: latency {here[0] * 1e6:.1f} µs, {here[1] / 1e9:.2f} GB/s")
    for net in asked.nets:
        parts = measured(net, asked.rounds)
        alone = parts.step(1, 0, 1)
        print(
            f"\n{net}: {parts.rows} rows, {parts.parameters:,} parameters; a step "
            f"{alone * 1e3:.2f} ms: {parts.fixed * 1e3:.2f} ms and "
            f"{parts.row * 1e6:.1f} µs a row, {parts.take * 1e6:.2f} µs to take one; "
            f"{parts.add * 1e9:.2f} ns to add an element, {parts.move * 1e9:.2f} ns "
            "to move one"
        )
        print(f"{'times as fast on ranks':<24}" + "".join(f"{r:>7}" for r in RANKS[1:]))
        for name, (latency, bandwidth) in networks.items():
            # A rank has a row at least.
            ranks = [r for r in RANKS if r <= parts.rows]
            gains = [alone / parts.step(r, latency, bandwidth) for r in ranks]
            worth = [r for r, gain in zip(ranks, gains, strict=True) if gain >= r / 2]
            shown = "".join(f"{gain:7.2f}" for gain in gains[1:])
            shown += f"{'-':>7}" * (len(RANKS) - len(ranks))
            best = ranks[gains.index(max(gains))]
            print(f"{name:<24}{shown}   half used to {worth[-1]}, fastest {best}")


if __name__ == "__main__":
    main()
