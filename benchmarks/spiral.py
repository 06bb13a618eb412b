"""One training step of configs/spiral.yaml, side by side with PyTorch.

Runs the same job (2-64-3 ReLU network on 300 points, L2 on the first weight, Adam with
inverse-time decay, evaluation every 100 steps) in nncli and in PyTorch, in turn, in one
process with the same number of threads, and prints medians and ratios per step.

    python benchmarks/spiral.py [--steps 2000] [--rounds 7] [--threads 1]
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


def nncli_round(steps: int) -> float:
    """Train as the command does, files included; return seconds a step."""
    from nncli.config.load import load_config
    from nncli.experiment.build import build
    from nncli.training.session import create_run
    from nncli.training.trainer import Trainer

    config = Path(__file__).parents[1] / "configs" / "spiral.yaml"
    loaded = load_config(config, [f"training.epochs={steps}"])
    experiment = build(loaded)
    with tempfile.TemporaryDirectory() as folder:
        run = create_run(experiment, loaded, Path(folder), [])
        trainer = Trainer(experiment, run)
        began = time.perf_counter()
        trainer.fit()
        return (time.perf_counter() - began) / steps


def torch_round(steps: int, fused: bool) -> float:
    """Train the same network eagerly in PyTorch; return seconds a step."""
    import torch

    from nncli.core.randomness import stream
    from nncli.data.synthetic import Spiral

    table = Spiral().load(stream(0, "data"))
    x = torch.tensor(table.x, dtype=torch.float32)
    y = torch.tensor(table.y)
    model = torch.nn.Sequential(
        torch.nn.Linear(2, 64), torch.nn.ReLU(), torch.nn.Linear(64, 3)
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05, fused=fused)
    group = optimizer.param_groups[0]
    weight = next(model.parameters())
    began = time.perf_counter()
    for step in range(steps):
        group["lr"] = 0.05 / (1 + 5e-5 * step)
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(x), y)
        loss = loss + 5e-4 * (weight * weight).sum()
        loss.backward()
        optimizer.step()
        if (step + 1) % 100 == 0:
            with torch.no_grad():
                logits = model(x)
                torch.nn.functional.cross_entropy(logits, y).item()
                (logits.argmax(1) == y).float().mean().item()
    return (time.perf_counter() - began) / steps


def main() -> None:
    """Run all in turn and print a table."""
    options = arguments()
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(options.threads)
    try:
        import torch
    except ImportError:
        sys.exit("PyTorch is missing: pip install torch==2.13.0")
    torch.set_num_threads(options.threads)
    jobs: dict[str, Callable[[], float]] = {
        "nncli": lambda: nncli_round(options.steps),
        "torch, fused Adam": lambda: torch_round(options.steps, fused=True),
        "torch, plain Adam": lambda: torch_round(options.steps, fused=False),
    }
    for job in jobs.values():
        job()
    times: dict[str, list[float]] = {name: [] for name in jobs}
    for _ in range(options.rounds):
        for name, job in jobs.items():
            times[name].append(job() * 1e6)
    own = times["nncli"]
    print(
        f"{options.steps} steps, {options.rounds} rounds, {options.threads} thread(s)"
    )
    for name, values in times.items():
        ratio = statistics.median(v / o for v, o in zip(values, own, strict=True))
        low, middle, high = min(values), statistics.median(values), max(values)
        print(
            f"{name:<18} {middle:7.1f} us a step ({low:.1f} to {high:.1f})  "
            f"{ratio:5.2f} x nncli"
        )


if __name__ == "__main__":
    main()
