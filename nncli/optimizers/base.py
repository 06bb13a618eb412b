"""Optimizer: the abstract class and the registry of how parameters move."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

from nncli.backend import Array, xp
from nncli.registry import Component

# Six arrays of 16,384 float32 numbers take 384 KiB: they stay in a core's cache
# between the operations of one update.
CHUNK = 16_384


class Optimizer(Component, family="optimizer"):
    """Moves parameters against their gradient, in place, over one flat array.

    Class attributes:
        slots: Names of the arrays, as long as the parameters, that are remembered
            from step to step; zero at first; part of a checkpoint.
        works: How many arrays of scratch space ``update`` wants.

    Attributes:
        lr: The learning rate before the schedule changes it.
        steps: How many steps were made.
        state: The remembered arrays by name.
    """

    slots: ClassVar[tuple[str, ...]] = ()
    works: ClassVar[int] = 1

    lr: float
    steps: int = 0
    state: dict[str, Array]

    def start(self, values: Array, grads: Array) -> None:
        """Bind to the flat parameters (P,) and their flat gradients (P,)."""
        self.steps = 0
        self.state = {name: xp.zeros_like(values) for name in self.slots}
        scratch = xp.empty((self.works, min(CHUNK, values.size)), values.dtype)
        arrays = [values, grads, *self.state.values()]
        self._chunks = []
        for begin in range(0, values.size, CHUNK):
            parts = [array[begin : begin + CHUNK] for array in arrays]
            works = [row[: parts[0].size] for row in scratch]
            self._chunks.append((*parts, *works))

    def step(self, lr: float) -> None:
        """Make one step with a learning rate."""
        self.steps += 1
        self.prepare(lr)
        for arrays in self._chunks:
            self.update(*arrays)

    @abstractmethod
    def prepare(self, lr: float) -> None:
        """Compute what is the same for all parameters of this step."""

    @abstractmethod
    def update(self, *arrays: Array) -> None:
        """Move one chunk: called as (values, grads, *slots, *works)."""
