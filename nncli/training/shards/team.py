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
        facts: (k, 3) objective, amount and rows of each shard.
        squares: Σ g² of each block of parameters.
        faults: (k, WORDS) what was found where a shard was examined.
    """

    def __init__(self, experiment: Experiment, shards: int, workers: int = 1) -> None:
        self.experiment = experiment
        self.shards = shards
        self.group = Group(min(workers, shards))
        self._before: dict[str, Array] = {}
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
        shared = Shared(numbers | self._rows() | dict.fromkeys(moved, ((size,), dtype)))
        self.facts, self.squares = shared["facts"], shared["squares"]
        self.faults, self.words = shared["faults"], shared["words"]
        self._command = shared["command"]
        if moved:
            self._before = relocate(experiment, {name: shared[name] for name in moved})
        self._keep(shared)

    def _rows(self) -> dict[str, tuple[Shape, Any]]:
        """Return what else is shared: gradients beside the first, the network's own."""
        values = self.experiment.network.flat.values
        return {
            f"grads.{i}": (values.shape, values.dtype) for i in range(1, self.shards)
        }

    def _keep(self, shared: Shared) -> None:
        rows = [shared[f"grads.{i}"] for i in range(1, self.shards)]
        self._grads = [self.experiment.network.flat.grads, *rows]

    def start(self, follow: Callable[[], None]) -> None:
        """Make the other workers, which call ``follow``."""
        if self.group.size > 1:
            self.group.fork(follow, self.words)

    def close(self) -> None:
        """End the other workers, and move everything back to where it was."""
        self.group.close()
        if self._before:
            relocate(self.experiment, self._before)
            self._before = {}
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
        cut = self._shards(self.number, self.number + 1)
        return range(cut.start, cut.stop)

    def part_of_worker(self) -> slice:
        """Return the parameters of this worker: whole blocks, but for the last."""
        return self._part(self.number, self.number + 1)

    def _shards(self, first: int, end: int) -> slice:
        """Return the shards of the workers from one to before another."""
        return _cut(self.shards, first, end, self.workers)

    def _blocks(self, first: int, end: int) -> slice:
        """Return the blocks of parameters of those workers."""
        size = self.experiment.network.flat.values.size
        return _cut(-(-size // BLOCK), first, end, self.workers)

    def _part(self, first: int, end: int) -> slice:
        """Return the parameters of those workers."""
        size, blocks = (
            self.experiment.network.flat.values.size,
            self._blocks(first, end),
        )
        return slice(min(blocks.start * BLOCK, size), min(blocks.stop * BLOCK, size))

    def gradient_of(self, shard: int) -> Array:
        """Return where one of this worker's shards writes its gradient, (P,)."""
        return self._grads[shard]

    def gradients_of(self, part: slice) -> list[Array]:
        """Return a part of the gradients of all shards; see ``gradients_there``."""
        return [row[part] for row in self._grads]

    def order(self, command: Command) -> None:
        """Tell the other workers what to do."""
        command.write(self._command)
        for other in self.group.others:
            self.group.tell(other)

    def next_command(self) -> Command:
        """Wait for the first worker's next command."""
        self.group.hear(0)
        return Command.read(self._command)

    def over(self) -> None:
        """Note, as the first worker, that all have done what was ordered."""

    def gradients_there(self) -> None:
        """Wait until every shard's gradient can be read, and the facts."""
        self.group.meet()

    def squares_there(self) -> None:
        """Wait until the squares of all blocks can be read."""
        self.group.meet()

    def faults_there(self) -> None:
        """Wait until the first worker can read what was found in every shard."""
        self.group.meet()

    def rooms_free(self) -> None:
        """Wait until the first worker has read the rooms of an evaluation."""
        self.group.meet()

    def rooms_there(self, rooms: Shared) -> None:
        """Wait until the first worker can read every worker's room."""
        self.group.meet()

    def sum_there(self) -> None:
        """Let the first worker have the whole sum of gradients."""

    def values_there(self) -> None:
        """Let the first worker go on when all have the parameters as they are now."""
        self._done()

    def collect(self) -> None:
        """Let the first worker have all that the optimizer and the average remember."""

    def gathered(self) -> None:
        """Let the first worker go on when all have kept their gradients."""
        self._done()

    def evaluated(self) -> None:
        """Go back to the parameters of before the evaluation."""

    def _done(self) -> None:
        """Let the first worker go on when all have come here; they need not wait."""
        if self.group.index == 0:
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


def _cut(count: int, first: int, end: int, workers: int) -> slice:
    """Return which of so many things those workers have, all sharing them evenly."""
    return slice(count * first // workers, count * end // workers)
