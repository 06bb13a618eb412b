"""Optimizer: the abstract class and the registry of how parameters move."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable
from typing import Any, ClassVar, Self

from nncli.autograd.flat import Flat
from nncli.autograd.tensor import Tensor
from nncli.backend import Array, xp
from nncli.registry import Component

# Five arrays of 65,536 float32 numbers take 1.25 MiB: they stay in a core's caches
# between the operations of one update, and calls are few (benchmarks/optimizers.py).
CHUNK = 65_536

LINE = 64


class Optimizer(Component, family="optimizer"):
    """Moves parameters against their gradient, in place, over one flat array.

    Weight decay is done here, for all members: coupled, g ← g + weight_decay·p before
    the update; decoupled, p ← p − lr·weight_decay·p (Loshchilov and Hutter 2019).

    Class attributes:
        works: How many arrays of scratch space ``update`` wants.
        full_batch: It only works where every step sees all rows (see ``minimize``).

    Attributes (the first two are set on the class, or where options decide on them, in
    the constructor):
        slots: Names of the arrays, as long as the parameters, that are remembered
            from step to step; zero at first; part of a checkpoint.
        decoupled: Which of both kinds of weight decay it has.
        lr: The learning rate before the schedule changes it.
        weight_decay: The factor of the decay; 0 for none.
        decay_bias_and_norm: Whether parameters with one axis decay as well.
        steps: How many steps were made.
        state: The remembered arrays by name: all, but for ``steps``, that the next step
            depends on. A member may add others to the slots, of the run's dtype.
    """

    works: ClassVar[int] = 1
    full_batch: ClassVar[bool] = False

    slots: tuple[str, ...] = ()
    decoupled: bool = False
    lr: float
    weight_decay: float = 0.0
    decay_bias_and_norm: bool = True
    steps: int = 0
    state: dict[str, Array]

    def start(self, flat: Flat) -> None:
        """Bind to the parameters of a network."""
        self.steps = 0
        self.flat = flat
        size, dtype = flat.values.size, flat.values.dtype
        self.state = {name: aligned(size, dtype) for name in self.slots}
        room = min(CHUNK, size)
        scratch = [aligned(room, dtype) for _ in range(1 + self.works)]
        self._coupled = scratch[0]
        self._chunks: list[tuple[bool, tuple[Array, ...]]] = []
        cut = size if self.decay_bias_and_norm else flat.weights
        for begin, end, decays in ((0, cut, True), (cut, size, False)):
            for start in range(begin, end, CHUNK):
                part = slice(start, min(start + CHUNK, end))
                self._chunks.append(
                    (decays and bool(self.weight_decay), self._views(part, scratch[1:]))
                )

    def _views(self, part: slice, scratch: list[Array]) -> tuple[Array, ...]:
        arrays = (self.flat.values, self.flat.grads, *self.state.values())
        views = [array[part] for array in arrays]
        return (*views, *(row[: views[0].size] for row in scratch))

    def over(self, parameters: Flat | Iterable[Tensor]) -> Self:
        """Bind to parameters for a loop of your own, and return the optimizer.

        Args:
            parameters: Tensors that require a gradient, which are moved into one flat
                array; or the ``flat`` of a model.
        """
        if not isinstance(parameters, Flat):
            parameters = Flat({str(i): t for i, t in enumerate(parameters)})
        self.start(parameters)
        return self

    def zero_grad(self) -> None:
        """Set all gradients to zero."""
        self.flat.grads.fill(0)

    def step(self, lr: float | None = None) -> None:
        """Make one step with a learning rate; by default the optimizer's own."""
        lr = self.lr if lr is None else lr
        self.steps += 1
        self.prepare(lr)
        for decays, arrays in self._chunks:
            if decays:
                arrays = self._decay(lr, arrays)
            self.update(*arrays)

    def _decay(self, lr: float, arrays: tuple[Array, ...]) -> tuple[Array, ...]:
        values, grads, *rest = arrays
        work = self._coupled[: values.size]
        if self.decoupled:
            xp.multiply(values, 1 - lr * self.weight_decay, out=values)
            return arrays
        xp.multiply(values, self.weight_decay, out=work)
        xp.add(work, grads, work)
        return (values, work, *rest)

    def minimize(self, lr: float, objective: Callable[[], float]) -> None:
        """Make one step that may look at several points; for ``full_batch`` members.

        Args:
            lr: The learning rate.
            objective: Computes the loss at the parameters as they are now, and
                their gradients.
        """
        objective()
        self.step(lr)

    @abstractmethod
    def prepare(self, lr: float) -> None:
        """Compute what is the same for all parameters of this step."""

    @abstractmethod
    def update(self, *arrays: Array) -> None:
        """Move one chunk: called as (values, grads, *slots, *works)."""


def aligned(size: int, dtype: Any) -> Array:
    """Return zeros that begin at a cache line: vector loads then never cross one."""
    width = xp.dtype(dtype).itemsize
    room = xp.zeros(size + LINE // width, dtype)
    first = -room.ctypes.data % LINE // width
    return room[first : first + size]
