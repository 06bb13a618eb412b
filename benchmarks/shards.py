"""Training steps cut into shards over two workers, paired with PyTorch's two threads.

Networks are those of vision.py (mlp, lenet, cnn: batches of 64 images) and sequence.py
(lstm: 32 rows of 64 characters; gpt: 12 of them, 4 blocks). Three sides, each in a
process of its own, make a few steps in turn, rows of a shuffled epoch included: nncli
with two workers, nncli in one process with one thread, and PyTorch with two threads.
Printed are medians of the time of a step, and of the ratios of what was timed in turn.

    python -m benchmarks.shards [--nets mlp lenet cnn lstm gpt] [--rounds 40]
    python -m benchmarks.shards --load       with one core kept busy by another process
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

IMAGES = ("mlp", "lenet", "cnn")
NETS = (*IMAGES, "lstm", "gpt")
SIDES = ("workers", "alone", "torch")
TURN = 6
"""Steps of one side's turn, the first of which are not counted."""

IDLE = 2


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nets", nargs="+", choices=NETS, default=NETS)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--load", action="store_true")
    parser.add_argument("--shards", type=int, default=2)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    return parser.parse_args()


def rows(net: str) -> tuple[Any, Any, int]:
    """Return inputs and targets of an epoch, and the size of a batch."""
    import numpy as np

    rng = np.random.default_rng(0)
    if net in IMAGES:
        x = rng.random((2048, 1, 28, 28), np.float32)
        return x, rng.integers(0, 10, len(x)), 64
    tokens = rng.integers(0, 65, (2048, 65))
    return tokens[:, :-1], tokens[:, 1:], 12 if net == "gpt" else 32


def own_layers(net: str) -> list[Any]:
    """Return the network as nncli has it."""
    import nncli as nn
    from benchmarks import sequence, vision

    if net in IMAGES:
        return vision.nncli_layers(net)
    if net == "lstm":
        return [
            nn.layers.Embedding(sequence.EMBEDDING),
            nn.layers.Lstm(sequence.HIDDEN),
            nn.Dense(sequence.VOCABULARY),
        ]
    return sequence.own_gpt_layers()


def experiment_of(net: str, shards: int) -> Any:
    """Return a network with its rows, loss and optimizer."""
    import nncli as nn
    from nncli.config.schema import Config, Training
    from nncli.data.labels import Labels
    from nncli.data.table import Table
    from nncli.experiment.build import assemble
    from nncli.layers.base import InputSpec
    from nncli.losses.classification import SoftmaxCrossEntropy

    x, y, batch = rows(net)
    below = None if net in IMAGES else 65
    rule = nn.AdamW(lr=1e-3) if net == "gpt" else nn.Adam(lr=1e-3)
    training = Training(epochs=1, batch_size=batch, shards=shards)
    config = Config(None, own_layers(net), SoftmaxCrossEntropy(), rule, training)
    labels = Labels.of(y.ravel())
    experiment = assemble(config, InputSpec(x.shape[1:], below), labels)
    table = Table(x, y=y, classes=tuple(labels.values.tolist()))
    experiment.parts["train"] = experiment.prepare(table)
    return experiment


def own_steps(net: str, shards: int, workers: int) -> Iterator[Callable[[], object]]:
    """Yield a training step of nncli's."""
    from nncli.training.shards.sharded import Sharded
    from nncli.training.step import TrainingStep
    from nncli.training.threads import using

    experiment = experiment_of(net, shards)
    with contextlib.ExitStack() as stack:
        stack.enter_context(using(1))
        batches: Any
        step: Any
        if shards == 1:
            batches = experiment.batches()
            step = TrainingStep(
                experiment.network, experiment.loss, experiment.optimizer
            )
        else:
            sharded = stack.enter_context(Sharded(experiment, shards, workers))
            batches, step = sharded.batches, sharded.step
        coming = endless(batches)
        numbers = iter(range(1, 2**60))
        yield lambda: step.run(next(coming), 1e-3, next(numbers))


def endless(batches: Any) -> Iterator[Any]:
    """Yield the batches of epoch after epoch."""
    epoch = 0
    while True:
        yield from batches.epoch(epoch)
        epoch += 1


def torch_steps(net: str) -> Iterator[Callable[[], object]]:
    """Yield a training step of PyTorch's."""
    import torch

    from benchmarks import sequence, vision

    torch.set_num_threads(2)
    inputs, labels, batch = rows(net)
    x, y = torch.from_numpy(inputs.copy()), torch.from_numpy(labels.copy())
    if net in IMAGES:
        module = torch.nn.Sequential(*vision.torch_layers(net))
    else:
        module = sequence.torch_module(net)
    rule = torch.optim.AdamW if net == "gpt" else torch.optim.Adam
    optimizer = rule(module.parameters(), lr=1e-3, fused=True)
    loss_of = torch.nn.CrossEntropyLoss()

    def indices() -> Iterator[Any]:
        while True:
            order = torch.randperm(len(x))
            yield from order[: len(x) // batch * batch].split(batch)

    coming = indices()

    def step() -> float:
        index = next(coming)
        optimizer.zero_grad()
        outputs, targets = module(x[index]), y[index]
        loss = loss_of(outputs.flatten(0, -2), targets.flatten())
        loss.backward()
        optimizer.step()
        return float(loss.item())

    yield step


def serve(asked: argparse.Namespace) -> None:
    """Be one side: make as many steps as each line says, and print their times."""
    net = asked.nets[0]
    if asked.side == "torch":
        steps = torch_steps(net)
    elif asked.side == "alone":
        steps = own_steps(net, 1, 1)
    else:
        steps = own_steps(net, asked.shards, asked.workers)
    for step in steps:
        for _ in range(4):
            step()
        print("ready", flush=True)
        for line in sys.stdin:
            times = []
            for _ in range(int(line)):
                begin = time.perf_counter()
                step()
                times.append(time.perf_counter() - begin)
            print(json.dumps(times), flush=True)


class Side:
    """A process that makes steps when it is asked."""

    def __init__(self, name: str, net: str, asked: argparse.Namespace) -> None:
        threads = "2" if name == "torch" else "1"
        variables = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
        command = [sys.executable, "-m", "benchmarks.shards", "--side", name]
        command += ["--nets", net, "--shards", str(asked.shards)]
        command += ["--workers", str(asked.workers)]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | dict.fromkeys(variables, threads),
        )
        self._in: Any = self.process.stdin
        self._out: Any = self.process.stdout
        self._read()

    def run(self, steps: int) -> list[float]:
        """Make some steps; return the seconds of each."""
        self._in.write(f"{steps}\n")
        self._in.flush()
        times: list[float] = json.loads(self._read())
        return times

    def _read(self) -> str:
        line: str = self._out.readline()
        if not line:
            raise SystemExit("a side has ended: see above")
        return line

    def close(self) -> None:
        """End the process."""
        self.process.communicate()


@contextlib.contextmanager
def load(wanted: bool) -> Iterator[None]:
    """Keep one core busy inside the block."""
    if not wanted:
        yield
        return
    busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        busy.kill()
        busy.wait()


def measure(net: str, asked: argparse.Namespace) -> None:
    """Let all sides take turns; print medians and ratios."""
    sides = {name: Side(name, net, asked) for name in SIDES}
    medians: dict[str, list[float]] = {name: [] for name in SIDES}
    for number in range(asked.rounds):
        for name in SIDES if number % 2 else SIDES[::-1]:
            # Threads of the side before may still be spinning at first.
            times = sides[name].run(TURN)[IDLE:]
            medians[name].append(statistics.median(times))
    for side in sides.values():
        side.close()
    told = [f"{name} {statistics.median(medians[name]) * 1e3:8.3f}" for name in SIDES]

    def ratio(other: str) -> str:
        pairs = zip(medians[other], medians["workers"], strict=True)
        low, middle, high = statistics.quantiles((a / b for a, b in pairs), n=4)
        return f"{middle:.2f} ({low:.2f} to {high:.2f})"

    print(
        f"{net:<6} ms a step: {', '.join(told)}; beside PyTorch {ratio('torch')}, "
        f"beside one process {ratio('alone')}",
        flush=True,
    )


def main() -> None:
    """Measure every network and print a line for each."""
    asked = arguments()
    if asked.side:
        serve(asked)
        return
    print(f"nncli with {asked.workers} workers beside PyTorch with two threads")
    with load(asked.load):
        for net in asked.nets:
            measure(net, asked)


if __name__ == "__main__":
    main()
