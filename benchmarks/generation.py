"""Text that networks make, token by token, with what they remember and without it.

lstm and gpt are the networks of configs/shakespeare_lstm.yaml and shakespeare_gpt.yaml,
untrained. Cached, a token is one step behind the state, or the keys and values, of
those before; uncached, the whole window of 64 characters goes through the network once
more. Both alternate in one process; printed are the medians of CPU time and of the
pairs' ratios, then what all of ``nncli generate`` but its start makes in a second.

    python benchmarks/generation.py [--nets lstm gpt] [--rounds 30] [--tokens 1000]
"""

from __future__ import annotations

import argparse
import itertools
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

CONFIGS = Path(__file__).parents[1] / "configs"

BLOCK, BEHIND = 64, 32
"""Characters of a window, and how many of them are there before time is taken."""


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nets", nargs="+", default=["lstm", "gpt"])
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--tokens", type=int, default=1000)
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


def made(name: str) -> Any:
    """Return the experiment of a shipped config."""
    from nncli.config.load import load_config
    from nncli.experiment.build import build

    return build(load_config(CONFIGS / f"shakespeare_{name}.yaml", []))


def seconds(call: Callable[[], object]) -> float:
    """Return the CPU time of a call."""
    begin = time.process_time()
    call()
    return time.process_time() - begin


def paired(network: Any, rounds: int) -> tuple[list[float], list[float]]:
    """Return the seconds a token takes with what is remembered, and without."""
    import numpy as np

    from nncli.autograd.tape import no_grad
    from nncli.autograd.tensor import Tensor

    network.set_training(False)
    window = np.random.default_rng(0).integers(0, network.shapes[-1][1], (1, BLOCK))
    _, start = network.advance(Tensor(window[:, :BEHIND]))

    def cached() -> None:
        state = start
        for step in range(BEHIND, BLOCK):
            _, state = network.advance(Tensor(window[:, step : step + 1]), state)

    def uncached() -> None:
        with no_grad():
            network(Tensor(window))

    cached()
    pairs = [
        (seconds(cached) / (BLOCK - BEHIND), seconds(uncached)) for _ in range(rounds)
    ]
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]


def whole(experiment: Any, count: int) -> tuple[float, float]:
    """Return CPU and wall seconds of so many tokens, drawn ones."""
    from nncli.core.randomness import stream
    from nncli.experiment.generate import Generator, Sampling

    generator = Generator(experiment, Sampling(0.8), stream(0, "generation"))
    next(generator.tokens())
    begin, wall = time.process_time(), time.perf_counter()
    for _ in itertools.islice(generator.tokens(), count):
        pass
    return time.process_time() - begin, time.perf_counter() - wall


def main() -> None:
    """Print two lines for each net."""
    asked = arguments()
    # Before NumPy is there, whose BLAS reads it once.
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(asked.threads)
    for name in asked.nets:
        experiment = made(name)
        one, again = paired(experiment.network, asked.rounds)
        ratio = statistics.median(b / a for a, b in zip(one, again, strict=True))
        print(
            f"{name:<5} nncli: {1 / statistics.median(one):,.0f} characters/s cached, "
            f"{1 / statistics.median(again):,.0f} uncached   {ratio:.1f} x"
        )
        cpu, wall = whole(experiment, asked.tokens)
        print(f"      {asked.tokens:,} drawn: {cpu:.2f} s of CPU time, {wall:.2f} s")


if __name__ == "__main__":
    main()
