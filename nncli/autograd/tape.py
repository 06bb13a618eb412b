"""The tape: the list of steps that made a value, and the plan of its derivative."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any, Literal

from nncli.autograd.function import Function
from nncli.backend import Array, xp

if TYPE_CHECKING:
    from nncli.autograd.tensor import Tensor

_order = count()


class _State(threading.local):
    """What the current thread is recording."""

    grad_enabled: bool = True
    tape: list[Step] | None = None
    label: str = ""


_state = _State()


@dataclass(slots=True, eq=False)
class Step:
    """One call of a Function: what went in, what came out, and which layer it was."""

    function: Function
    inputs: tuple[Tensor, ...]
    output: Tensor
    label: str
    order: int


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


def remember(function: Function, inputs: tuple[Tensor, ...], output: Tensor) -> None:
    """Enter a step that just ran: link it to its output and put it on the tape."""
    needed = _state.grad_enabled and any(tensor.requires_grad for tensor in inputs)
    if not needed and _state.tape is None:
        return
    step = Step(function, inputs, output, _state.label, next(_order))
    if needed:
        output.requires_grad = True
        output.step = step
    if _state.tape is not None:
        _state.tape.append(step)


def steps_of(root: Tensor) -> list[Step]:
    """Return the steps that made ``root`` and need gradients, oldest first."""
    found: dict[int, Step] = {}
    waiting = [root.step]
    while waiting:
        step = waiting.pop()
        if step is not None and step.order not in found:
            found[step.order] = step
            waiting.extend(tensor.step for tensor in step.inputs)
    return [found[order] for order in sorted(found)]


class Pool:
    """Buffers that can be used again once nobody reads them any more.

    Matrices keep the orientation of the value they belong to, features first or
    batch first; all other buffers are row-major, so that ops may view them as rows.
    """

    def __init__(self) -> None:
        self._free: dict[tuple[Any, ...], list[Array]] = {}
        self.bytes = 0

    def take(self, like: Array) -> Array:
        """Return an array with the shape, dtype and orientation of ``like``."""
        free = self._free.get((like.shape, like.dtype, _order_of(like)))
        if free:
            return free.pop()
        self.bytes += like.nbytes
        return empty_like(like)

    def give_back(self, array: Array) -> None:
        """Declare that nobody reads ``array`` from here on."""
        key = (array.shape, array.dtype, _order_of(array))
        self._free.setdefault(key, []).append(array)


def empty_like(array: Array) -> Array:
    """Return a gradient's buffer for a value: see Pool."""
    return xp.empty(array.shape, array.dtype, order=_order_of(array))


def _order_of(array: Array) -> Literal["C", "F"]:
    return "F" if array.ndim == 2 and array.flags.fnc else "C"


def backward_calls(
    steps: list[Step], root: Tensor, pool: Pool, *, accumulate: bool
) -> list[Callable[[], object]]:
    """Plan the backward pass from ``root``: a list of calls to make in order.

    Decides who needs a gradient, which gradients add up, and which buffers are free
    again. A leaf's gradient is written to ``leaf.grad``.

    Args:
        steps: The steps that made ``root``, oldest first.
        root: The value whose derivative is taken; its gradient is all ones.
        pool: Where buffers come from.
        accumulate: Add to a leaf's gradient instead of overwriting it.
    """
    plan = _Plan(pool, accumulate)
    plan.seed(root)
    for step in reversed(steps):
        plan.add(step)
    return plan.calls


class _Plan:
    def __init__(self, pool: Pool, accumulate: bool) -> None:
        self.pool = pool
        self.accumulate = accumulate
        self.grads: dict[int, Array] = {}
        self.calls: list[Callable[[], object]] = []

    def seed(self, root: Tensor) -> None:
        grad = self.grads[id(root)] = empty_like(root.data)
        self.calls.append(partial(xp.copyto, grad, xp.ones((), grad.dtype)))

    def add(self, step: Step) -> None:
        grad = self.grads.pop(id(step.output), None)
        if grad is None:
            return
        if self._in_place(step, grad):
            self.grads[id(step.inputs[0])] = grad
            self.calls.append(partial(step.function.backward, grad, grad))
            return
        targets: list[Array | None] = []
        sums: list[Callable[[], object]] = []
        borrowed: list[Array] = []
        for tensor in step.inputs:
            if not tensor.requires_grad:
                targets.append(None)
                continue
            total, fresh = self._total(tensor)
            # The op writes in its output's shape where it broadcasts.
            written = grad if step.function.broadcasts else total
            if fresh and written.shape == total.shape:
                targets.append(total)
                continue
            part = self.pool.take(written)
            borrowed.append(part)
            targets.append(part)
            sums.extend(_gather(part, total, fresh))
        self.calls.append(partial(step.function.backward, grad, *targets))
        self.calls.extend(sums)
        for array in (grad, *borrowed):
            self.pool.give_back(array)

    def _in_place(self, step: Step, grad: Array) -> bool:
        """Whether the input's gradient can take over the buffer of the output's."""
        first = step.inputs[0]
        return (
            step.function.elementwise
            and len(step.inputs) == 1
            and first.step is not None
            and id(first) not in self.grads
            and first.shape == grad.shape
        )

    def _total(self, tensor: Tensor) -> tuple[Array, bool]:
        """Return where a tensor's gradient adds up, and whether it is still empty."""
        total = self.grads.get(id(tensor))
        if total is not None:
            return total, False
        fresh = True
        if tensor.step is None:
            fresh = tensor.grad is None or not self.accumulate
            if tensor.grad is None:
                tensor.grad = empty_like(tensor.data)
            total = tensor.grad
        else:
            total = self.pool.take(tensor.data)
        self.grads[id(tensor)] = total
        return total, fresh


def _gather(part: Array, total: Array, fresh: bool) -> list[Callable[[], object]]:
    """Plan to sum ``part`` over the axes that were broadcast, into ``total``."""
    if part.shape == total.shape:
        return [partial(xp.add, total, part, total)]
    extra = part.ndim - total.ndim
    axes = tuple(range(extra)) + tuple(
        axis + extra
        for axis, size in enumerate(total.shape)
        if size == 1 and part.shape[axis + extra] != 1
    )
    kept = total.reshape((1,) * extra + total.shape)
    if fresh:
        return [partial(xp.add.reduce, part, axis=axes, out=kept, keepdims=True)]
    summed = xp.empty_like(kept)
    return [
        partial(xp.add.reduce, part, axis=axes, out=summed, keepdims=True),
        partial(xp.add, kept, summed, kept),
    ]
