"""Optimizer: the abstract class and the registry of how parameters move."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Self

from nncli.autograd.flat import Flat
from nncli.autograd.tensor import Tensor
from nncli.core.arrays import Array, aligned_zeros, xp
from nncli.core.errors import NncliError
from nncli.core.registry import Component
from nncli.core.signature import NonNegative, PositiveFloat

# Five arrays of 65,536 float32 numbers take 1.25 MiB: they stay in a core's caches
# between the operations of one update, and calls are few (benchmarks/optimizers.py).
CHUNK = 65_536


class Optimizer(Component, family="optimizer"):
    """Moves parameters against their gradient, in place, over one flat array.

    What a user makes is a description; ``over`` returns a live copy that is bound to
    parameters.

    Class attributes:
        slots: Names of the arrays, as long as the parameters, that are remembered
            from step to step; zero at first; part of a checkpoint.
        letters: What the formula calls a slot, where that is not its name.
        works: How many arrays of scratch space ``update`` wants.
        full_batch: It only works where every step sees all rows (see ``minimize``).
        elementwise: How an element moves depends on no other one, so that several
            workers can each move a part of them.

    A live optimizer has these attributes:
        flat: The parameters.
        steps: How many steps were made.
        state: The remembered arrays by name: all, but for ``steps``, that the next step
            depends on. A member may add others to the slots, of the run's dtype.

    Args:
        lr: Learning rate before the schedule changes it.
    """

    lr: PositiveFloat

    slots: ClassVar[tuple[str, ...]] = ()
    letters: ClassVar[Mapping[str, str]] = MappingProxyType({})
    works: ClassVar[int] = 1
    full_batch: ClassVar[bool] = False
    elementwise: ClassVar[bool] = True

    steps = 0
    _bound = False

    def used_slots(self) -> tuple[str, ...]:
        """Return ``slots``, or those that the arguments ask for."""
        return self.slots

    def start(self, flat: Flat) -> None:
        """Bind a live optimizer to the parameters of a network."""
        self.steps = 0
        self.flat = flat
        size, dtype = flat.values.size, flat.values.dtype
        self.state: dict[str, Array] = {
            name: aligned_zeros(size, dtype) for name in self.used_slots()
        }
        self.move_only(slice(0, size))
        self._bound = True

    def move_only(self, part: slice) -> None:
        """Let ``step`` move the elements of a part of the flat arrays, and no others.

        To be called again when the arrays are others. Members that are not elementwise
        are given all of them.
        """
        flat, room = self.flat, min(CHUNK, part.stop - part.start)
        scratch = [
            aligned_zeros(room, flat.values.dtype) for _ in range(1 + self.works)
        ]
        self._decayed = scratch[0]
        self._chunks: list[tuple[bool, tuple[Array, ...]]] = []
        cut = min(max(self.decaying(flat), part.start), part.stop)
        for begin, end, decays in ((part.start, cut, True), (cut, part.stop, False)):
            for first in range(begin, end, CHUNK):
                chunk = slice(first, min(first + CHUNK, end))
                self._chunks.append((decays, self._views(chunk, scratch[1:])))

    def _views(self, part: slice, scratch: list[Array]) -> tuple[Array, ...]:
        slots = (self.state[name] for name in self.used_slots())
        arrays = (self.flat.values, self.flat.grads, *slots)
        views = [array[part] for array in arrays]
        return (*views, *(row[: views[0].size] for row in scratch))

    def remembered(self) -> dict[str, Array]:
        """Return (P,) arrays that the last step was made with, by their names.

        They are shown to people: where the formula has other names and scales than the
        code, those of the formula.
        """
        slots = self.used_slots()
        return {self.letters.get(name, name): self.state[name] for name in slots}

    def numbers(self) -> dict[str, float]:
        """Return what the formula has besides, the same for all parameters, by name.

        It is that of the last step.
        """
        return {}

    def over(self, parameters: Flat | Iterable[Tensor]) -> Self:
        """Return a live optimizer that is bound to parameters, for a loop of your own.

        This description stays as it is and may serve any number of models.

        Args:
            parameters: Tensors that require a gradient, which are moved into one flat
                array; or the ``flat`` of a model.

        Raises:
            NncliError: The tensors cannot share one flat array; see Flat.
        """
        live = self.live()
        live.start(parameters if isinstance(parameters, Flat) else Flat.of(parameters))
        return live

    def zero_grad(self) -> None:
        """Set all gradients to zero."""
        self._check_bound("zero_grad")
        self.flat.grads.fill(0)

    def step(self, lr: float | None = None) -> None:
        """Make one step with a learning rate; by default the optimizer's own."""
        if not self._bound:
            self._check_bound("step")
        lr = self.lr if lr is None else lr
        # Past the guard of Description, which takes as long as a pass over the weights.
        vars(self)["steps"] += 1
        self.flat.version += 1
        self.prepare(lr)
        for decays, arrays in self._chunks:
            if decays:
                arrays = self.decay(lr, arrays)
            self.update(*arrays)

    def minimize(self, lr: float, objective: Callable[[], float]) -> None:
        """Make one step that may look at several points; for ``full_batch`` members.

        Args:
            lr: The learning rate.
            objective: Computes the loss at the parameters as they are now, and
                their gradients.
        """
        objective()
        self.step(lr)

    def decaying(self, flat: Flat) -> int:
        """Return how many elements at the beginning of the flat arrays decay."""
        return 0

    def decay(self, lr: float, arrays: tuple[Array, ...]) -> tuple[Array, ...]:
        """Let the weights of a chunk decay, and return what ``update`` is called with.

        Args:
            lr: The learning rate.
            arrays: What ``update`` would be called with.
        """
        return arrays

    @abstractmethod
    def prepare(self, lr: float) -> None:
        """Compute what is the same for all parameters of this step."""

    @abstractmethod
    def update(self, *arrays: Array) -> None:
        """Move one chunk: called as (values, grads, *slots, *works)."""

    def _check_bound(self, what: str) -> None:
        if not self._bound:
            raise NncliError(
                f"{self.type_name}: {what} expects an optimizer that is bound to "
                "parameters. Use the one that over returns: "
                "optimizer = optimizer.over(parameters)."
            )


class DecayingOptimizer(Optimizer, kw_only=True):
    """Base of optimizers with weight decay.

    Coupled, g ← g + weight_decay·p before the update; decoupled, p ← p −
    lr·weight_decay·p (Loshchilov and Hutter 2019).

    Args:
        weight_decay: Share of p that is added to its gradient.
        decay_bias_and_norm: Whether biases and norms decay too, as in PyTorch.
    """

    weight_decay: NonNegative = 0.0
    decay_bias_and_norm: bool = True

    @property
    def decoupled(self) -> bool:
        """Which of both kinds of weight decay it has."""
        return False

    def decaying(self, flat: Flat) -> int:
        if not self.weight_decay:
            return 0
        return flat.values.size if self.decay_bias_and_norm else flat.weights

    def decay(self, lr: float, arrays: tuple[Array, ...]) -> tuple[Array, ...]:
        values, grads, *rest = arrays
        if self.decoupled:
            xp.multiply(values, 1 - lr * self.weight_decay, out=values)
            return arrays
        work = self._decayed[: values.size]
        xp.multiply(values, self.weight_decay, out=work)
        xp.add(work, grads, out=work)
        return (values, work, *rest)


def scalars(dtype: Any, *values: float) -> list[Array]:
    """Return numbers as arrays: NumPy takes those faster than Python's."""
    return [xp.asarray(value, dtype) for value in values]
