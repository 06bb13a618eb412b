"""Training steps of networks for images, paired with PyTorch's in one process.

Batches of 64 images of 28 × 28 (drawn numbers), Adam, softmax cross-entropy: mlp
(784-256-128-10), lenet (8 and 16 filters of 5 × 5, each before max pooling, then 120,
84 and 10 units) and cnn (32 and 64 filters of 3 × 3, max pooling, 128 and 10 units).
Both sides make a step in turn, on as many threads; printed are medians of the times and
of the pairs' ratios.

    python benchmarks/vision.py [--steps 60] [--threads 1] [--nets mlp lenet cnn]
    python benchmarks/vision.py --epochs 3     whole epochs, with evaluation, instead

An epoch is 8,000 images of MNIST's test part (``../shared/data/mnist``; drawn numbers
where that is not there), then loss and accuracy of 2,000 others and of as many of the
first.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

BATCH = 64
NETS = ("mlp", "lenet", "cnn")
MNIST = Path(__file__).parents[2] / "shared" / "data" / "mnist"


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--nets", nargs="+", choices=NETS, default=NETS)
    parser.add_argument("--epochs", type=int, default=0)
    parser.add_argument("--rows", type=int, default=10_000, help="of --epochs")
    return parser.parse_args()


def machine() -> str:
    """Return the processor's name, and how many of it there are."""
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = info.read_text(encoding="utf-8").splitlines()
        models = [line.partition(":")[2] for line in lines if "model name" in line]
        name = models[0].strip() if models else name
    return f"{name}, {os.cpu_count()} processors"


def nncli_layers(net: str) -> list[Any]:
    """Return a network as nncli has it."""
    import nncli as nn

    if net == "mlp":
        dense = [nn.Dense(256), nn.Relu(), nn.Dense(128), nn.Relu(), nn.Dense(10)]
        return [nn.Flatten(), *dense]
    if net == "lenet":
        return [
            *(nn.Conv2d(8, 5), nn.Relu(), nn.MaxPool2d(2)),
            *(nn.Conv2d(16, 5), nn.Relu(), nn.MaxPool2d(2)),
            nn.Flatten(),
            *(nn.Dense(120), nn.Relu(), nn.Dense(84), nn.Relu(), nn.Dense(10)),
        ]
    return [
        *(nn.Conv2d(32, 3), nn.Relu(), nn.Conv2d(64, 3), nn.Relu(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Dense(128), nn.Relu(), nn.Dense(10)),
    ]


def torch_layers(net: str) -> list[Any]:
    """Return the same as PyTorch has it."""
    from torch import nn

    if net == "mlp":
        first = [nn.Flatten(), nn.Linear(784, 256), nn.ReLU()]
        return [*first, nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, 10)]
    if net == "lenet":
        return [
            *(nn.Conv2d(1, 8, 5), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(8, 16, 5), nn.ReLU(), nn.MaxPool2d(2)),
            nn.Flatten(),
            *(nn.Linear(256, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU()),
            nn.Linear(84, 10),
        ]
    return [
        *(nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU()),
        *(nn.MaxPool2d(2), nn.Flatten(), nn.Linear(9216, 128), nn.ReLU()),
        nn.Linear(128, 10),
    ]


def nncli_step(net: str, x: Any, y: Any) -> Callable[[], float]:
    """Return one training step by nncli; it gives the loss."""
    import numpy as np

    import nncli as nn
    from nncli.autograd.tensor import Tensor
    from nncli.core.randomness import Streams
    from nncli.data.batches import Batch
    from nncli.losses.classification import SoftmaxCrossEntropy
    from nncli.network.network import Network
    from nncli.training.step import TrainingStep

    layers = nncli_layers(net)
    network = Network(layers, x.shape[1:], Streams(0), np.dtype(np.float32))
    optimizer = nn.Adam(lr=0.001).over(network.flat)
    step = TrainingStep(network, SoftmaxCrossEntropy(), optimizer)
    batch = Batch(Tensor(x), Tensor(y), len(x))
    return lambda: step.run(batch, 0.001, 0)


class TorchJob:
    """A network of PyTorch's: steps, and evaluations."""

    def __init__(self, net: str, threads: int) -> None:
        import torch

        self.torch = torch
        torch.set_num_threads(threads)
        torch.manual_seed(0)
        self.network = torch.nn.Sequential(*torch_layers(net))
        parameters = self.network.parameters()
        self.optimizer = torch.optim.Adam(parameters, lr=0.001, fused=True)
        self.loss_of = torch.nn.CrossEntropyLoss()

    def step(self, x: Any, y: Any) -> float:
        """Make one training step; return the loss."""
        self.optimizer.zero_grad()
        loss = self.loss_of(self.network(x), y)
        loss.backward()
        self.optimizer.step()
        return float(loss.item())

    def evaluate(self, x: Any, y: Any) -> tuple[float, float]:
        """Return loss and accuracy."""
        total = right = 0.0
        with self.torch.no_grad():
            for start in range(0, len(x), BATCH):
                inputs, targets = x[start : start + BATCH], y[start : start + BATCH]
                outputs = self.network(inputs)
                total += self.loss_of(outputs, targets).item() * len(targets)
                right += (outputs.argmax(1) == targets).sum().item()
        return total / len(x), right / len(x)

    def epoch(self, x: Any, y: Any, held: tuple[Any, Any]) -> None:
        """Train on shuffled rows, then evaluate twice."""
        order = self.torch.randperm(len(x))
        for start in range(0, len(x), BATCH):
            index = order[start : start + BATCH]
            self.step(x[index], y[index])
        self.evaluate(*held)
        self.evaluate(x[: len(held[0])], y[: len(held[0])])


def torch_step(net: str, x: Any, y: Any, threads: int) -> Callable[[], float]:
    """Return the same by PyTorch."""
    import torch

    job = TorchJob(net, threads)
    inputs, targets = torch.from_numpy(x), torch.from_numpy(y)
    return lambda: job.step(inputs, targets)


def nncli_model(net: str) -> Any:
    """Return a compiled model."""
    import nncli as nn

    model = nn.Model(nncli_layers(net), seed=0)
    loss = "softmax_cross_entropy"
    return model.compile(nn.Adam(lr=0.001), loss, metrics=["accuracy"])


def images(rows: int) -> tuple[Any, Any]:
    """Return so many digits of MNIST, or drawn numbers."""
    import numpy as np

    if MNIST.exists():
        from nncli.data.idx import read_idx

        x = read_idx(MNIST / "t10k-images-idx3-ubyte.gz")[:rows, None]
        y = read_idx(MNIST / "t10k-labels-idx1-ubyte.gz")[:rows]
        return x.astype(np.float32) / 255, y.astype(np.int64)
    rng = np.random.default_rng(0)
    return rng.random((rows, 1, 28, 28), np.float32), rng.integers(0, 10, rows)


def measure_epochs(asked: argparse.Namespace) -> None:
    """Train epoch by epoch, in turn, and print a line for each network."""
    import torch

    x, y = images(asked.rows)
    cut = len(x) * 4 // 5
    arrays = x[:cut], y[:cut], x[cut:], y[cut:]
    tensors = [torch.from_numpy(array) for array in arrays]
    for net in asked.nets:
        model, job = nncli_model(net), TorchJob(net, asked.threads)
        pairs = []
        # The first epoch records, allocates and warms up.
        for _ in range(asked.epochs + 1):
            begin = time.perf_counter()
            held = arrays[2], arrays[3]
            model.fit(*arrays[:2], validation_data=held, epochs=1, batch_size=BATCH)
            between = time.perf_counter()
            job.epoch(tensors[0], tensors[1], (tensors[2], tensors[3]))
            pairs.append((between - begin, time.perf_counter() - between))
        report(net, pairs[1:], "s an epoch")


def report(net: str, pairs: list[tuple[float, float]], unit: str) -> None:
    """Print medians, and the median of the pairs' ratios."""
    mine, other = (statistics.median(each) for each in zip(*pairs, strict=True))
    ratio = statistics.median(b / a for a, b in pairs)
    print(
        f"{net:<6} nncli {mine:7.2f}, PyTorch {other:7.2f} {unit}: "
        f"{ratio:.2f} x as fast",
        flush=True,
    )


def main() -> None:
    """Measure every network and print a line for each."""
    asked = arguments()
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(asked.threads)
    import numpy as np
    import torch

    print(f"nncli beside PyTorch {torch.__version__}, {machine()}")
    print(f"{asked.threads} thread(s), batches of {BATCH}")
    if asked.epochs:
        measure_epochs(asked)
        return
    rng = np.random.default_rng(0)
    x = rng.random((BATCH, 1, 28, 28), np.float32)
    y = rng.integers(0, 10, BATCH)
    for net in asked.nets:
        ours, theirs = nncli_step(net, x, y), torch_step(net, x, y, asked.threads)
        pairs = []
        for number in range(asked.steps + 3):
            times = {}
            for side in (ours, theirs) if number % 2 else (theirs, ours):
                begin = time.perf_counter()
                side()
                times[side] = (time.perf_counter() - begin) * 1e3
            # The first steps record, allocate and warm up.
            if number >= 3:
                pairs.append((times[ours], times[theirs]))
        report(net, pairs, "ms a step")


if __name__ == "__main__":
    main()
