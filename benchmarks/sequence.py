"""Training steps of networks for sequences, side by side with PyTorch.

A step is forward, backward and Adam's update (AdamW's for gpt) of a character model
(65 characters) on one batch: an embedding, the network and a dense layer with the cross
entropy at every step. gpt is 4 transformer blocks with 4 heads, 128 wide, on 12 rows of
64 steps. With --memory NAME, one side of one net runs alone and its peak is printed.
Steps alternate between both in one process with equal threads; printed are the
medians of CPU time, and the median and the quartiles of the pairs' ratios.

    python benchmarks/sequence.py [--nets lstm gru gpt] [--steps 60] [--threads 1]
    python benchmarks/sequence.py --nets gpt --memory nncli
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import time
from collections.abc import Callable
from typing import Any

Step = Callable[[], object]

VOCABULARY, BATCH, STEPS, EMBEDDING, HIDDEN = 65, 32, 64, 64, 128
ROWS, WIDTH, HEADS, BLOCKS = 12, 128, 4, 4


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nets", nargs="+", default=list(NETS), choices=list(NETS))
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--memory", choices=("nncli", "torch"))
    return parser.parse_args()


def nncli_step(
    layers: list[Any], batch: int, steps: int, optimizer: str = "Adam"
) -> Step:
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
    rule = getattr(nn, optimizer)(lr=1e-3).over(network.flat)
    step = TrainingStep(network, SoftmaxCrossEntropy().live(), rule)
    return lambda: step.run(rows, 1e-3, 1)


def torch_step(net: Any, batch: int, steps: int, optimizer: str = "Adam") -> Step:
    """Return a training step of a module of PyTorch's with the same job."""
    import torch

    x, y = torch.randint(VOCABULARY, (2, batch, steps))
    rule = getattr(torch.optim, optimizer)(net.parameters(), lr=1e-3, fused=True)
    loss_of = torch.nn.CrossEntropyLoss()

    def step() -> None:
        rule.zero_grad()
        loss = loss_of(net(x).flatten(0, 1), y.flatten())
        loss.backward()
        rule.step()
        loss.item()

    return step


def own_recurrent(name: str) -> Step:
    """Return nncli's side of one recurrent layer (batch 32, 64 steps, 128 wide)."""
    import nncli as nn

    own = {"lstm": nn.layers.Lstm, "gru": nn.layers.Gru}[name](HIDDEN)
    layers = [nn.layers.Embedding(EMBEDDING), own, nn.Dense(VOCABULARY)]
    return nncli_step(layers, BATCH, STEPS)


def torch_recurrent(name: str) -> Step:
    """Return PyTorch's side."""
    return torch_step(torch_module(name), BATCH, STEPS)


def torch_module(name: str) -> Any:
    """Return the network as PyTorch has it."""
    import torch

    if name == "gpt":
        return torch_gpt_module()

    cell = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU}[name]
    net = torch.nn.Sequential(
        torch.nn.Embedding(VOCABULARY, EMBEDDING),
        cell(EMBEDDING, HIDDEN, batch_first=True),
        torch.nn.Linear(HIDDEN, VOCABULARY),
    )
    # The cell gives its outputs and its last states.
    net[1].register_forward_hook(lambda *given: given[2][0])
    return net


def own_gpt(_: str) -> Step:
    """Return nncli's side of a small GPT."""
    return nncli_step(own_gpt_layers(), ROWS, STEPS, "AdamW")


def own_gpt_layers() -> list[Any]:
    """Return the layers of a small GPT."""
    import nncli as nn

    return [
        nn.layers.Embedding(WIDTH),
        nn.layers.Positions(),
        nn.Sequential([nn.layers.TransformerBlock(HEADS, causal=True)], repeat=BLOCKS),
        nn.layers.LayerNorm(),
        nn.Dense(VOCABULARY),
    ]


def torch_gpt(_: str) -> Step:
    """Return PyTorch's side, with its fused attention."""
    return torch_step(torch_gpt_module(), ROWS, STEPS, "AdamW")


def torch_gpt_module() -> Any:
    """Return the GPT as PyTorch has it."""
    import torch
    from torch import nn

    class Block(nn.Module):  # type: ignore[misc] # torch is not typed here
        def __init__(self) -> None:
            super().__init__()
            self.norm1, self.norm2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
            self.qkv = nn.Linear(WIDTH, 3 * WIDTH)
            self.out = nn.Linear(WIDTH, WIDTH)
            self.feed = nn.Sequential(
                nn.Linear(WIDTH, 4 * WIDTH), nn.GELU(), nn.Linear(4 * WIDTH, WIDTH)
            )

        def forward(self, x: Any) -> Any:
            rows, steps, width = x.shape
            parts = self.qkv(self.norm1(x)).split(width, dim=2)
            q, k, v = (
                part.view(rows, steps, HEADS, -1).transpose(1, 2) for part in parts
            )
            y = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + self.out(y.transpose(1, 2).reshape(rows, steps, width))
            return x + self.feed(self.norm2(x))

    class Gpt(nn.Module):  # type: ignore[misc] # as above
        def __init__(self) -> None:
            super().__init__()
            self.tokens = nn.Embedding(VOCABULARY, WIDTH)
            self.positions = nn.Embedding(STEPS, WIDTH)
            self.blocks = nn.Sequential(*(Block() for _ in range(BLOCKS)))
            self.head = nn.Sequential(nn.LayerNorm(WIDTH), nn.Linear(WIDTH, VOCABULARY))

        def forward(self, x: Any) -> Any:
            x = self.tokens(x) + self.positions(torch.arange(STEPS))
            return self.head(self.blocks(x))

    return Gpt()


NETS: dict[str, tuple[Callable[[str], Step], Callable[[str], Step]]] = {
    "lstm": (own_recurrent, torch_recurrent),
    "gru": (own_recurrent, torch_recurrent),
    "gpt": (own_gpt, torch_gpt),
}
"""What makes the side of nncli, and that of PyTorch, of each net."""


def peak(make: Callable[[str], Step], name: str, steps: int) -> None:
    """Print the peak of this process, in which one side has run alone."""
    step = make(name)
    for _ in range(steps):
        step()
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{name}: {most:.0f} MiB")


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
    if asked.memory == "nncli":
        peak(NETS[asked.nets[0]][0], asked.nets[0], asked.steps)
        return
    import numpy as np
    import torch

    torch.set_num_threads(asked.threads)
    torch.manual_seed(0)
    if asked.memory == "torch":
        peak(NETS[asked.nets[0]][1], asked.nets[0], asked.steps)
        return
    print(f"{asked.steps} steps, {asked.threads} thread(s)")
    for name in asked.nets:
        sides = [make(name) for make in NETS[name]]
        ours, theirs = paired(sides[0], sides[1], asked.steps)
        ratios = [t / o for o, t in zip(ours, theirs, strict=True)]
        low, ratio, high = np.quantile(ratios, (0.25, 0.5, 0.75))
        print(
            f"{name:<8} nncli {statistics.median(ours) * 1e3:.1f} ms   PyTorch "
            f"{statistics.median(theirs) * 1e3:.1f} ms   {ratio:.2f} x "
            f"({low:.2f} to {high:.2f})"
        )


if __name__ == "__main__":
    main()
