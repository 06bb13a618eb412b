"""One update of many parameters by Adam, side by side with PyTorch.

Runs nncli's adam and PyTorch's three ways of doing the same (fused: one kernel;
foreach: one operation over all parameters at a time; plain: a loop over parameters),
in turn, in one process, one thread each, on the same number of float32 parameters in
one array, and prints medians and the median of the rounds' ratios.

Between two updates in one turn nothing else runs, so that with --updates 5 most of the
arrays are still in the processor's caches; with 1, as in a training, they are not.

    python benchmarks/optimizers.py [--sizes 1000000 10000] [--rounds 300] [--updates 1]
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable

import numpy as np

from nncli.core.arrays import Array


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000_000, 10_000])
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--updates", type=int, default=1)
    return parser.parse_args()


def nncli_step(size: int) -> Callable[[], object]:
    """Return one update by nncli."""
    from nncli.autograd.flat import Flat
    from nncli.autograd.tensor import Tensor
    from nncli.optimizers.adam import Adam

    values, grads = numbers(size)
    flat = Flat({"p": Tensor(values, requires_grad=True)})
    flat.grads[:] = grads
    optimizer = Adam().over(flat)
    return lambda: optimizer.step(0.001)


def torch_step(size: int, **kind: bool) -> Callable[[], object]:
    """Return one update by PyTorch."""
    import torch

    values, grads = numbers(size)
    parameter = torch.nn.Parameter(torch.tensor(values))
    parameter.grad = torch.tensor(grads)
    optimizer = torch.optim.Adam([parameter], lr=0.001, **kind)
    return lambda: optimizer.step()


def numbers(size: int) -> tuple[Array, Array]:
    """Return parameters and gradients."""
    rng = np.random.default_rng(0)
    values, grads = rng.normal(size=(2, size)).astype(np.float32)
    return values, grads


def measure(size: int, rounds: int, updates: int) -> None:
    """Run all in turn and print a table."""
    jobs = {
        "nncli": nncli_step(size),
        "torch, fused": torch_step(size, fused=True),
        "torch, foreach": torch_step(size, foreach=True),
        "torch, plain": torch_step(size, foreach=False),
    }
    times: dict[str, list[float]] = {name: [] for name in jobs}
    for _ in range(rounds + 10):
        for name, job in jobs.items():
            began = time.perf_counter()
            for _ in range(updates):
                job()
            times[name].append((time.perf_counter() - began) * 1e6 / updates)
    times = {name: values[10:] for name, values in times.items()}
    own = times["nncli"]
    print(f"{size:,} float32 parameters, {rounds} rounds, 1 thread")
    for name, values in times.items():
        ratio = statistics.median(o / v for v, o in zip(values, own, strict=True))
        low, middle = min(values), statistics.median(values)
        print(
            f"{name:<15} {middle:9.1f} us an update (best {low:.1f})  "
            f"nncli takes {ratio:5.2f} x"
        )


def main() -> None:
    """Measure each size."""
    options = arguments()
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"
    try:
        import torch
    except ImportError:
        sys.exit("PyTorch is missing: pip install torch==2.13.0")
    torch.set_num_threads(1)
    for size in options.sizes:
        measure(size, options.rounds, options.updates)


if __name__ == "__main__":
    main()
