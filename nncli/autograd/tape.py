"""The tape: the steps that made a value, and what the current thread records."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Protocol

from nncli.autograd.buffers import Form
from nncli.autograd.function import Function, Sized
from nncli.core.arrays import Array
from nncli.core.errors import NncliError

Hook = Callable[[Array], "Array | None"]

_order = count()


class Leaf:
    """Where the gradient of a tensor that nothing made ends up.

    Attributes:
        form: What the gradient looks like.
        grad: The gradient, None for none yet.
        bound: ``grad`` is part of a Flat, and stays where it is.
        hooks: Called with each gradient before it is added.
    """

    __slots__ = ("bound", "form", "grad", "hooks")

    def __init__(self, like: Form) -> None:
        self.form = like
        self.grad: Array | None = None
        self.bound = False
        self.hooks: list[Hook] = []


class Versioned(Protocol):
    """Something that counts how often it was changed in place."""

    @property
    def version(self) -> int:
        """How often it was changed."""


class Step:
    """One call of a Function.

    A step knows what it was made from, but not the tensor that it made: what nobody
    holds any more is freed at once.

    Attributes:
        function: What was called.
        parents: For each input, what its gradient is handed to; None for none.
        form: Shape, dtype and memory order of the output.
        label: The layer that it belongs to, for messages.
        order: Older steps have smaller numbers.
        watched: Tensors that ``backward`` reads again, and their versions.
        hooks: Called with the output's gradient before it is handed on.
        sources: When recorded: the step that made each input, or its array.
        value: When recorded: the output, if ``backward`` of some step reads it again.
    """

    __slots__ = (
        "form",
        "function",
        "hooks",
        "label",
        "order",
        "parents",
        "sources",
        "value",
        "watched",
    )

    def __init__(
        self,
        function: Function,
        parents: tuple[Step | Leaf | None, ...],
        out: Form,
        watched: tuple[tuple[Versioned, int], ...],
    ) -> None:
        self.function = function
        self.parents = parents
        self.form = out
        self.watched = watched
        self.label = _state.label
        self.order = next(_order)
        self.hooks: list[Hook] = []
        self.sources: tuple[Step | Array, ...] = ()
        self.value: Array | None = None

    @property
    def differentiable(self) -> bool:
        """Whether its output has a gradient."""
        return any(parent is not None for parent in self.parents)

    def flops(self) -> int:
        """Count the operations of the call; only of a step that was recorded."""
        return self.function.flops(*self._arrays())

    def flops_at_once(self) -> int:
        """Count those that several threads may share."""
        return self.flops() // self.function.sequential_parts(*self._arrays())

    def _arrays(self) -> list[Sized]:
        inputs = [
            source.form if isinstance(source, Step) else source
            for source in self.sources
        ]
        return [*inputs, self.form]

    def check_unchanged(self) -> None:
        """Refuse to differentiate what was changed in place since.

        Raises:
            NncliError: A tensor that ``backward`` reads again was changed.
        """
        if any(tensor.version != version for tensor, version in self.watched):
            where = f" ({self.label})" if self.label else ""
            raise NncliError(
                f"backward: a tensor that {self.function.type_name}{where} needs was "
                "changed in place since the value was computed (by an optimizer's "
                "step, or by an assignment). Compute the value again, then call "
                "backward."
            )


class _State(threading.local):
    """What the current thread is recording."""

    grad_enabled: bool = True
    tape: list[Step] | None = None
    label: str = ""


_state = _State()


def is_grad_enabled() -> bool:
    """Return whether values remember how they were made."""
    return _state.grad_enabled


def tape() -> list[Step] | None:
    """Return the steps that are being recorded, None where none are."""
    return _state.tape


@contextmanager
def record() -> Iterator[list[Step]]:
    """Collect every step made inside the block, in order, for a Replay."""
    outer = _state.tape
    steps: list[Step] = []
    _state.tape = steps
    try:
        yield steps
    finally:
        _state.tape = outer


@contextmanager
def no_grad() -> Iterator[None]:
    """Inside the block, values do not remember how they were made."""
    outer, _state.grad_enabled = _state.grad_enabled, False
    try:
        yield
    finally:
        _state.grad_enabled = outer


@contextmanager
def labelled(label: str) -> Iterator[None]:
    """Name the steps made inside the block, for messages (``layers[0] dense``)."""
    outer, _state.label = _state.label, label
    try:
        yield
    finally:
        _state.label = outer


def steps_of(root: Step) -> list[Step]:
    """Return the steps that ``root`` hands gradients to, and itself, oldest first."""
    found: dict[int, Step] = {}
    waiting = [root]
    while waiting:
        step = waiting.pop()
        if step.order not in found:
            found[step.order] = step
            waiting.extend(each for each in step.parents if isinstance(each, Step))
    return [found[order] for order in sorted(found)]
