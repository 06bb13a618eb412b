"""How the time of a convolution grows with image, channels and kernel, by algorithm.

Value and both gradients in float32 on one thread, batches of 32 that lie batch
innermost; processor time per image, the least of several rounds in which all algorithms
take their turn. Each table moves one size and keeps the others; what ``auto`` takes is
marked, and how far it is from the best.

    python benchmarks/convolution_growth.py [--rounds 5] [--plot docs/images/growth.png]
"""

from __future__ import annotations

import argparse
import os
import platform
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"

import numpy as np  # noqa: E402 - the number of threads is read when it is imported

from nncli.core.arrays import Array, batch_innermost  # noqa: E402
from nncli.ops.conv_choice import ALGORITHMS, choose  # noqa: E402
from nncli.ops.conv_geometry import Geometry  # noqa: E402

FLOAT32 = np.dtype(np.float32)


@dataclass(frozen=True)
class Point:
    """Sizes of a convolution: as many filters as channels, square, without padding."""

    size: int
    channels: int
    kernel: int

    @property
    def geometry(self) -> Geometry:
        """What is done to each image."""
        pair = (1, 1)
        return Geometry(
            self.channels,
            self.channels,
            (self.size, self.size),
            (self.kernel, self.kernel),
            pair,
            pair,
            ((0, 0), (0, 0)),
        )


@dataclass(frozen=True)
class Sweep:
    """Points that differ in one size."""

    moved: str
    values: tuple[int, ...]
    start: Point

    def points(self) -> Iterator[Point]:
        """Yield them, the smallest first."""
        for value in self.values:
            yield replace(self.start, **{self.moved: value})

    @property
    def title(self) -> str:
        """What stays."""
        kept = {"size": "image {0}", "channels": "{0} channels", "kernel": "kernel {0}"}
        del kept[self.moved]
        return ", ".join(t.format(getattr(self.start, n)) for n, t in kept.items())


IMAGES = (16, 24, 32, 48, 64, 96, 128)
CHANNELS = (8, 16, 32, 64, 128, 256)
KERNELS = (3, 5, 7, 9, 11, 15, 21, 31)

SWEEPS = (
    Sweep("size", IMAGES, Point(0, 16, 3)),
    Sweep("size", IMAGES, Point(0, 16, 5)),
    Sweep("size", IMAGES, Point(0, 16, 9)),
    Sweep("channels", CHANNELS, Point(16, 0, 3)),
    Sweep("channels", CHANNELS, Point(16, 0, 5)),
    Sweep("kernel", KERNELS, Point(48, 16, 0)),
    Sweep("kernel", KERNELS, Point(32, 64, 0)),
)


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rows", type=int, default=32)
    parser.add_argument("--largest", type=int, default=128, help="largest size")
    parser.add_argument("--plot", type=Path, help="where the plot is written")
    return parser.parse_args()


def runs(point: Point, rows: int) -> dict[str, Callable[[], None]]:
    """Return what runs value and gradients once, for each algorithm that can."""
    rng = np.random.default_rng(0)

    def inward(*shape: int) -> Array:
        array = batch_innermost(shape, FLOAT32)
        array[...] = rng.normal(size=shape)
        return array

    g = point.geometry
    x = inward(rows, g.channels, *g.image)
    weight = rng.normal(size=(g.filters, g.channels, *g.kernel)).astype(FLOAT32)
    bias = np.zeros(g.filters, FLOAT32)
    grad = inward(rows, g.filters, *g.out)
    grads = [np.empty_like(array) for array in (x, weight, bias)]

    def run(function: Any, out: Array) -> Callable[[], None]:
        def once() -> None:
            function.forward(x, weight, bias, out)
            function.backward(grad, *grads)

        return once

    found = {}
    for name, cls in ALGORITHMS.items():
        if not cls.misfit(g):
            function = cls(g.stride, g.borders, g.dilation, g.groups)
            found[name] = run(function, function.allocate(x, weight, bias))
    return found


def measured(point: Point, rows: int, rounds: int) -> dict[str, float]:
    """Return the microseconds that an image takes, by algorithm."""
    calls = runs(point, rows)
    best = dict.fromkeys(calls, float("inf"))
    for number in range(rounds + 1):
        for name, call in calls.items():
            # What is ten times slower than the best need not be known better.
            if number > 1 and best[name] > 10 * min(best.values()):
                continue
            begin = time.process_time()
            call()
            if number:
                best[name] = min(best[name], time.process_time() - begin)
    return {name: taken / rows * 1e6 for name, taken in best.items()}


def table(sweep: Sweep, found: dict[Point, dict[str, float]]) -> str:
    """Write one sweep: a line for each point."""
    lines = [f"{sweep.title}; microseconds an image", ""]
    lines.append(f"{sweep.moved:>8}" + "".join(f"{name:>12}" for name in ALGORITHMS))
    for point, times in found.items():
        chosen = choose(point.geometry).algorithm
        cells = ""
        for name in ALGORITHMS:
            mark = "*" if name == chosen else " "
            text = f"{times[name]:,.0f}{mark}" if name in times else "- "
            cells += f"{text:>12}"
        ratio = times[chosen] / min(times.values())
        lines.append(f"{getattr(point, sweep.moved):>8}{cells}   {ratio:.2f} x best")
    return "\n".join(lines)


def draw(results: dict[Sweep, dict[Point, dict[str, float]]], file: Path) -> None:
    """Draw every sweep, with a ring around what ``auto`` takes."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    columns = 4
    rows = -(-len(results) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(4.2 * columns, 3.6 * rows))
    flat = axes.ravel()
    for axis, (sweep, found) in zip(flat, results.items(), strict=False):
        for number, name in enumerate(ALGORITHMS):
            pairs = [
                (getattr(point, sweep.moved), times[name])
                for point, times in found.items()
                if name in times
            ]
            if pairs:
                axis.loglog(
                    *zip(*pairs, strict=True), ".-", label=name, color=f"C{number}"
                )
        chosen = [
            (
                getattr(point, sweep.moved),
                times[choose(point.geometry).algorithm],
            )
            for point, times in found.items()
        ]
        axis.loglog(
            *zip(*chosen, strict=True),
            "o",
            markersize=11,
            fillstyle="none",
            color="black",
            label="auto",
        )
        axis.set_title(sweep.title, fontsize=10)
        axis.set_xlabel(sweep.moved)
        axis.set_ylabel("µs an image")
        ticks = [getattr(point, sweep.moved) for point in found]
        axis.set_xticks(ticks, [str(tick) for tick in ticks])
        axis.minorticks_off()
    for axis in flat[len(results) :]:
        axis.axis("off")
    handles, labels = flat[0].get_legend_handles_labels()
    flat[-1].legend(handles, labels, loc="center")
    figure.tight_layout()
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=80)


def main() -> None:
    """Measure, print the tables, and draw."""
    asked = arguments()
    print(
        f"nncli, {platform.processor() or platform.machine()}, NumPy {np.__version__}, "
        f"one thread, batches of {asked.rows}, float32"
    )
    results: dict[Sweep, dict[Point, dict[str, float]]] = {}
    for sweep in SWEEPS:
        points = [
            point
            for point in sweep.points()
            if getattr(point, sweep.moved) <= 2 * asked.largest
            and point.size <= asked.largest
        ]
        results[sweep] = {
            point: measured(point, asked.rows, asked.rounds) for point in points
        }
        print(f"\n{table(sweep, results[sweep])}", flush=True)
    if asked.plot:
        draw(results, asked.plot)


if __name__ == "__main__":
    main()
