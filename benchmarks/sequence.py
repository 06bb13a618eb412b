"""Training steps of networks for sequences, side by side with PyTorch.

A step is forward, backward and Adam's update of a character model (65 characters) on
one batch: an embedding, the network and a dense layer with the cross entropy at every
step. Steps alternate between both in one process with equal threads; printed are the
medians of CPU time and the median of the pairs' ratios.

    python benchmarks/sequence.py [--nets lstm gru] [--steps 60] [--threads 1]
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

Step = Callable[[], object]

VOCABULARY, BATCH, STEPS, EMBEDDING, HIDDEN = 65, 32, 64, 64, 128


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nets", nargs="+", default=list(NETS), choices=list(NETS))
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


def nncli_step(layers: list[Any], batch: int, steps: int) -> Step:
    """Return a training step of layers that take characters and score the next ones."""
    import numpy as np

    import nncli as nn
    from nncli.autograd.tensor import Tensor
    from nncli.core.randomness import Streams
    from nncli.data.batches import Batch
    from nncli.layers.base import InputSpec
    from nncli.losses.classification import SoftmaxCrossEntropy
    from nncli.network.network import Network
    from nncli.training.step import TrainingStep

    spec = InputSpec((steps,), VOCABULARY)
    network = Network(layers, spec, Streams(0), np.dtype(np.float32), batch)
    x, y = np.random.default_rng(0).integers(0, VOCABULARY, (2, batch, steps))
    rows = Batch(Tensor(x), Tensor(y), batch)
    optimizer = nn.Adam(lr=1e-3).over(network.flat)
    step = TrainingStep(network, SoftmaxCrossEntropy().live(), optimizer)
    return lambda: step.run(rows, 1e-3, 1)


def torch_step(net: Any, batch: int, steps: int) -> Step:
    """Return a training step of a module of PyTorch's with the same job."""
    import torch

    x, y = torch.randint(VOCABULARY, (2, batch, steps))
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3, fused=True)
    loss_of = torch.nn.CrossEntropyLoss()

    def step() -> None:
        optimizer.zero_grad()
        loss = loss_of(net(x).flatten(0, 1), y.flatten())
        loss.backward()
        optimizer.step()
        loss.item()

    return step


def recurrent(name: str) -> tuple[Step, Step]:
    """Return both sides of one recurrent layer (batch 32, 64 steps, 128 wide)."""
    import torch

    import nncli as nn

    cell = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU}[name]

    net = torch.nn.Sequential(
        torch.nn.Embedding(VOCABULARY, EMBEDDING),
        cell(EMBEDDING, HIDDEN, batch_first=True),
        torch.nn.Linear(HIDDEN, VOCABULARY),
    )
    # The cell gives its outputs and its last states.
    net[1].register_forward_hook(lambda *given: given[2][0])
    own = {"lstm": nn.layers.Lstm, "gru": nn.layers.Gru}[name](HIDDEN)
    layers = [nn.layers.Embedding(EMBEDDING), own, nn.Dense(VOCABULARY)]
    return nncli_step(layers, BATCH, STEPS), torch_step(net, BATCH, STEPS)


NETS: dict[str, Callable[[str], tuple[Step, Step]]] = {
    "lstm": recurrent,
    "gru": recurrent,
}
"""What makes both sides of each net."""


def paired(ours: Step, theirs: Step, steps: int) -> tuple[list[float], list[float]]:
    """Run both in turn; return the seconds of CPU time of each step."""
    times: tuple[list[float], list[float]] = ([], [])
    for number in range(steps + 5):
        sides = [(ours, times[0]), (theirs, times[1])]
        for step, taken in sides if number % 2 else sides[::-1]:
            begin = time.process_time()
            step()
            # The first ones record and warm up.
            if number >= 5:
                taken.append(time.process_time() - begin)
    return times


def main() -> None:
    """Print a line for each net."""
    asked = arguments()
    # Before NumPy is there, whose BLAS reads it once.
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(asked.threads)
    import torch

    torch.set_num_threads(asked.threads)
    torch.manual_seed(0)
    print(f"{asked.steps} steps, {asked.threads} thread(s)")
    for name in asked.nets:
        ours, theirs = paired(*NETS[name](name), asked.steps)
        ratio = statistics.median(t / o for o, t in zip(ours, theirs, strict=True))
        print(
            f"{name:<8} nncli {statistics.median(ours) * 1e3:.1f} ms   PyTorch "
            f"{statistics.median(theirs) * 1e3:.1f} ms   {ratio:.2f} x"
        )


if __name__ == "__main__":
    main()
