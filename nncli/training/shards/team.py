"""Team: the workers of a training, what each of them does, and what they share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from nncli.core.arrays import Array, Shape, xp
from nncli.experiment.experiment import Experiment
from nncli.training.shards.group import WORDS, Group
from nncli.training.shards.orders import Command
from nncli.training.shards.shared import Shared

BLOCK = 16_384
"""Elements that are added up, and whose squares are, at once: they stay in a cache.

Sums of squares are those of such blocks whoever computes them, so that their bits do
not depend on the number of workers.
"""


class Team:
    """Cuts shards and parameters among workers, and lets them wait for each other.

    With several workers, parameters, gradients, the average, and what the optimizer
    remembers of each parameter, live in shared memory from ``start`` to ``close``. With
    one worker nothing is moved, and its shards come one after another.

    Args:
        experiment: What is trained.
        shards: Into how many shards each batch is cut.
        workers: How many processes, at most one a shard.

    Attributes:
        grads: The gradient of each shard, (P,); the first is the network's own, where
            all are added up.
        facts: (k, 3) objective, amount and rows of each shard.
        squares: Σ g² of each block of parameters.
        faults: (k, WORDS) what was found where a shard was examined.
    """

    def __init__(self, experiment: Experiment, shards: int, workers: int = 1) -> None:
        self.experiment = experiment
        self.shards = shards
        self.group = Group(min(workers, shards))
        self.before: dict[str, Array] = {}
        flat = experiment.network.flat
        moved = homes(experiment) if self.group.size > 1 else {}
        size, dtype = flat.values.size, flat.values.dtype
        numbers: dict[str, tuple[Shape, Any]] = {
            "facts": ((shards, 3), np.float64),
            "squares": ((-(-size // BLOCK),), np.float64),
            "faults": ((shards, WORDS), np.uint8),
            "command": ((Command.SIZE,), np.float64),
            "words": ((self.group.size, WORDS), np.uint8),
        }
        # The first shard's gradient is the network's.
        rows: dict[str, tuple[Shape, Any]] = {
            f"grads.{i}": ((size,), dtype) for i in range(1, shards)
        }
        shared = Shared({**numbers, **rows, **dict.fromkeys(moved, ((size,), dtype))})
        self.facts, self.squares = shared["facts"], shared["squares"]
        self.faults, self.words = shared["faults"], shared["words"]
        self._command = shared["command"]
        if moved:
            self.before = relocate(experiment, {name: shared[name] for name in moved})
        self.grads = [flat.grads, *(shared[name] for name in rows)]

    def start(self, follow: Callable[[], None]) -> None:
        """Make the other workers, which call ``follow``."""
        if self.group.size > 1:
            self.group.fork(follow, self.words)

    def close(self) -> None:
        """End the other workers, and move everything back to where it was."""
        self.group.close()
        if self.before:
            relocate(self.experiment, self.before)
            self.before = {}
        divide(self.experiment, slice(0, self.experiment.network.flat.values.size))

    @property
    def workers(self) -> int:
        """How many workers there are."""
        return self.group.size

    @property
    def number(self) -> int:
        """Which of them this one is."""
        return self.group.index

    @property
    def leads(self) -> bool:
        """Whether this process is the one that all others follow."""
        return self.number == 0

    def shards_of_worker(self) -> range:
        """Return the shards of this worker."""
        return range(*_share(self.shards, self.number, self.workers))

    def part_of_worker(self) -> slice:
        """Return the parameters of this worker: whole blocks, but for the last."""
        size = self.experiment.network.flat.values.size
        first, last = _share(len(self.squares), self.number, self.workers)
        return slice(first * BLOCK, min(last * BLOCK, size))

    def order(self, command: Command) -> None:
        """Tell the other workers what to do."""
        command.write(self._command)
        for other in self.group.others:
            self.group.tell(other)

    def next_command(self) -> Command:
        """Wait for the first worker's next command."""
        self.group.hear(0)
        return Command.read(self._command)

    def meet(self) -> None:
        """Wait until all workers have come here."""
        self.group.meet()

    def done(self) -> None:
        """Let the first worker go on when all have come here; they need not wait."""
        if self.leads:
            for other in self.group.others:
                self.group.hear(other)
        else:
            self.group.tell(0)


def divide(experiment: Experiment, part: slice) -> None:
    """Let optimizer and average move a part of the parameters, and no others.

    Where one parameter's move depends on others, the first worker moves all of them.
    """
    if not experiment.optimizer.elementwise:
        part = slice(0, experiment.network.flat.values.size)
    experiment.optimizer.move_only(part)
    if experiment.average is not None:
        experiment.average.take_only(part)


def homes(experiment: Experiment) -> dict[str, Array]:
    """Return the arrays that workers share: one number for each of the parameters."""
    flat, optimizer = experiment.network.flat, experiment.optimizer
    arrays = {"values": flat.values, "grads": flat.grads}
    if optimizer.elementwise:
        arrays |= {
            f"state.{name}": optimizer.state[name] for name in optimizer.used_slots()
        }
        if experiment.average is not None:
            arrays["average"] = experiment.average.values
    return arrays


def relocate(experiment: Experiment, arrays: dict[str, Array]) -> dict[str, Array]:
    """Let what ``homes`` returns live in other arrays; return those it lived in."""
    before = homes(experiment)
    experiment.network.flat.move(arrays["values"], arrays["grads"])
    for name in arrays.keys() - {"values", "grads"}:
        xp.copyto(arrays[name], before[name])
        if name == "average" and experiment.average is not None:
            experiment.average.values = arrays[name]
        else:
            experiment.optimizer.state[name.removeprefix("state.")] = arrays[name]
    return before


def _share(count: int, index: int, workers: int) -> tuple[int, int]:
    """Return where a worker's share of some things begins, and where it ends."""
    return count * index // workers, count * (index + 1) // workers
