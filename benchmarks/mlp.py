"""Whole epochs of a dense network on images, side by side with PyTorch.

784-256-128-10 with ReLU, batches of 64, Adam, MNIST's 10,000 test images as bytes (the
first 8,000 to train on; drawn numbers where the files are not there), as a user runs
them: rows are scaled to [0, 1], each epoch has another order, and after each epoch the
loss and the accuracy of the 2,000 validation rows and of as many training rows are
taken. Epochs alternate between both in one process; printed are medians and the median
of the pairs' ratios.

    python benchmarks/mlp.py [--epochs 12] [--threads 1] [--data ../shared/data/mnist]
"""

from __future__ import annotations

import argparse
import gzip
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from nncli.core.arrays import Array

BATCH = 64
TRAIN, ROWS = 8_000, 10_000


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--data", type=Path, default=Path("../shared/data/mnist"))
    return parser.parse_args()


def rows(folder: Path, count: int) -> tuple[Array, Array, str]:
    """Return images as bytes, labels, and where they are from."""
    images, labels = (sorted(folder.glob(f"*{kind}*")) for kind in ("images", "labels"))
    if not images or not labels:
        rng = np.random.default_rng(0)
        drawn = rng.integers(0, 256, (count, 784), dtype=np.uint8)
        return drawn, rng.integers(0, 10, count), "drawn numbers"
    with gzip.open(images[0]) as file:
        x = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 784)
    with gzip.open(labels[0]) as file:
        y = np.frombuffer(file.read(), np.uint8, offset=8).astype(np.int64)
    return x[:count], y[:count], "MNIST"


def nncli_epochs(x: Array, y: Array, threads: int) -> Callable[[], float]:
    """Return one epoch by nncli, evaluation included; it gives the accuracy."""
    import nncli as nn

    cut = len(x) * TRAIN // ROWS
    model = nn.Model(
        [nn.Dense(256), "relu", nn.Dense(128), "relu", nn.Dense(10)],
        transforms=["scale"],
    )
    model.compile("adam", "softmax_cross_entropy", ["accuracy"])

    def epoch() -> float:
        history = model.fit(
            x[:cut],
            y[:cut],
            validation_data=(x[cut:], y[cut:]),
            batch_size=BATCH,
            threads=threads,
        )
        return float(history.last["validation"]["accuracy"])

    return epoch


def torch_epochs(x: Array, y: Array, threads: int) -> Callable[[], float]:
    """Return the same by PyTorch."""
    import torch
    from torch import nn

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    cut = len(x) * TRAIN // ROWS
    inputs = torch.from_numpy(x.astype(np.float32) / 255)
    targets = torch.from_numpy(np.array(y))
    net = nn.Sequential(
        nn.Linear(784, 256),
        nn.ReLU(),
        nn.Linear(256, 128),
        nn.ReLU(),
        nn.Linear(128, 10),
    )
    optimizer = torch.optim.Adam(net.parameters(), fused=True)
    loss_of = nn.CrossEntropyLoss()
    sample = torch.randperm(cut)[: len(x) - cut].sort().values

    def score(places: torch.Tensor) -> float:
        right = 0
        with torch.no_grad():
            for start in range(0, len(places), 512):
                index = places[start : start + 512]
                outputs = net(inputs[index])
                loss_of(outputs, targets[index]).item()
                right += int((outputs.argmax(1) == targets[index]).sum())
        return right / len(places)

    def epoch() -> float:
        net.train()
        order = torch.randperm(cut)
        for start in range(0, cut, BATCH):
            index = order[start : start + BATCH]
            optimizer.zero_grad()
            loss = loss_of(net(inputs[index]), targets[index])
            loss.backward()
            optimizer.step()
            loss.item()
        net.eval()
        score(sample)
        return score(torch.arange(cut, len(x)))

    return epoch


def main() -> None:
    """Run both in turn and print a table."""
    asked = arguments()
    x, y, source = rows(asked.data, asked.rows)
    sides = {
        "nncli": nncli_epochs(x, y, asked.threads),
        "torch, fused Adam": torch_epochs(x, y, asked.threads),
    }
    times: dict[str, list[float]] = {name: [] for name in sides}
    accuracy = {}
    for number in range(asked.epochs + 1):
        names = list(sides) if number % 2 else list(sides)[::-1]
        for name in names:
            begin = time.perf_counter()
            accuracy[name] = sides[name]()
            # The first epoch builds, records and warms up.
            if number:
                times[name].append(time.perf_counter() - begin)
    print(
        f"{source}, {len(x):,} rows, {asked.epochs} epochs, {asked.threads} thread(s)"
    )
    for name, taken in times.items():
        ratios = [t / n for t, n in zip(taken, times["nncli"], strict=True)]
        print(
            f"{name:<20} {statistics.median(taken):.3f} s an epoch "
            f"({min(taken):.3f} to {max(taken):.3f})  "
            f"{statistics.median(ratios):.2f} x nncli  accuracy {accuracy[name]:.4f}"
        )


if __name__ == "__main__":
    main()
