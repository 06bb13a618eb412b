"""The plan of a backward pass: which calls to make, over which buffers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from operator import iadd

from nncli.autograd.buffers import Form, Pool
from nncli.autograd.tape import Hook, Leaf, Step
from nncli.core.arrays import Array, xp

Call = Callable[[], object]
Calls = list[Call]


@dataclass(frozen=True)
class Backward:
    """A planned backward pass.

    Attributes:
        calls: The calls to make, in order.
        gradients: For each step, before which call the gradient of its output is
            complete, and the array that then holds it.
    """

    calls: Calls = field(default_factory=list)
    gradients: list[tuple[int, Step, Array]] = field(default_factory=list)


def backward_plan(
    steps: list[Step],
    pool: Pool,
    *,
    accumulate: bool,
    gradient: Array | None = None,
) -> Backward:
    """Plan the backward pass from the last of some steps.

    Decides who needs a gradient, which gradients add up, and which buffers are free
    again. A leaf's gradient is written to ``leaf.grad``.

    Args:
        steps: What ``steps_of`` returned, oldest first.
        pool: Where buffers come from.
        accumulate: Add to a leaf's gradient instead of overwriting it.
        gradient: That of the last step's output; None for ones.
    """
    plan = _Plan(pool, accumulate)
    plan.seed(steps[-1], gradient)
    for step in reversed(steps):
        plan.add(step)
    plan.finish()
    return Backward(plan.calls, plan.gradients)


class _Plan:
    """Gradients so far, each an array and the pool's buffer below it, if any."""

    def __init__(self, pool: Pool, accumulate: bool) -> None:
        self.pool = pool
        self.accumulate = accumulate
        self.grads: dict[Step | Leaf, tuple[Array, Array | None]] = {}
        self.calls: Calls = []
        self.gradients: list[tuple[int, Step, Array]] = []

    def seed(self, root: Step, gradient: Array | None) -> None:
        grad, raw = self.pool.take(root.form)
        self.grads[root] = grad, raw
        source = xp.ones((), grad.dtype) if gradient is None else gradient
        self.calls.append(partial(xp.copyto, grad, source))

    def add(self, step: Step) -> None:
        if step not in self.grads:
            return
        grad, raw = self.grads.pop(step)
        self.calls.extend(partial(_hooked, hook, grad) for hook in step.hooks)
        self.gradients.append((len(self.calls), step, grad))
        if self._pass_view(step, grad, raw):
            return
        targets: list[Array | None] = []
        sums: Calls = []
        borrowed: list[Array] = []
        handed_on = self._hand_on(step, grad, raw)
        for index, parent in enumerate(step.parents):
            if parent is None:
                targets.append(None)
                continue
            if handed_on and index == 0:
                targets.append(grad)
                continue
            total, fresh = self._total(parent)
            # The op writes in its output's shape where it broadcasts.
            written = step.form if step.function.broadcasts else parent.form
            if fresh and written.shape == total.shape:
                targets.append(total)
                continue
            part, below = self.pool.take(written)
            borrowed.append(below)
            targets.append(part)
            sums.extend(_gather(part, total, fresh))
        self.calls.append(partial(step.function.backward, grad, *targets))
        self.calls.extend(sums)
        if raw is not None and not handed_on:
            borrowed.append(raw)
        for buffer in borrowed:
            self.pool.give_back(buffer)

    def finish(self) -> None:
        """Call the hooks of leaves, and add what they leave."""
        for leaf, (grad, _) in self.grads.items():
            if isinstance(leaf, Leaf) and leaf.hooks:
                self.calls.extend(partial(_hooked, hook, grad) for hook in leaf.hooks)
                self.calls.append(partial(_deliver, leaf, grad, self.accumulate))

    def _hand_on(self, step: Step, grad: Array, raw: Array | None) -> bool:
        """Let the first input's gradient take over the buffer of the output's."""
        parent = step.parents[0]
        if (
            not step.function.elementwise
            or not isinstance(parent, Step)
            or parent in self.grads
            or parent in step.parents[1:]
            or parent.form is not step.form
            or self.pool.poison
        ):
            return False
        self.grads[parent] = grad, raw
        return True

    def _pass_view(self, step: Step, grad: Array, raw: Array | None) -> bool:
        """Let the gradient of a view, seen as what it views, be the input's."""
        parent = step.parents[0]
        if (
            not step.function.is_view
            or not isinstance(parent, Step)
            or parent in self.grads
            or self.pool.poison
        ):
            return False
        view = step.function.gradient_view(grad)
        if view is None or Form.of(view) is not parent.form:
            return False
        self.grads[parent] = view, raw
        return True

    def _total(self, parent: Step | Leaf) -> tuple[Array, bool]:
        """Return where a gradient adds up, and whether it is still empty."""
        if parent in self.grads:
            return self.grads[parent][0], False
        if isinstance(parent, Step) or parent.hooks:
            self.grads[parent] = self.pool.take(parent.form)
            return self.grads[parent][0], True
        fresh = parent.grad is None or not self.accumulate
        if parent.grad is None:
            parent.grad = parent.form.empty()
        self.grads[parent] = parent.grad, None
        return parent.grad, fresh


def _hooked(hook: Hook, grad: Array) -> None:
    """Let a hook look at a gradient, and perhaps replace it."""
    changed = hook(grad)
    if changed is not None:
        xp.copyto(grad, changed)


def _deliver(leaf: Leaf, grad: Array, accumulate: bool) -> None:
    if leaf.grad is None:
        leaf.grad = grad.copy(order="K")
    elif accumulate:
        xp.add(leaf.grad, grad, out=leaf.grad)
    else:
        xp.copyto(leaf.grad, grad)


def _gather(part: Array, total: Array, fresh: bool) -> Calls:
    """Plan to sum ``part`` over the axes that were broadcast, into ``total``."""
    if part.shape == total.shape:
        return [partial(iadd, total, part)]
    extra = part.ndim - total.ndim
    axes = tuple(range(extra)) + tuple(
        axis + extra
        for axis, size in enumerate(total.shape)
        if size == 1 and part.shape[axis + extra] != 1
    )
    kept = total[(None,) * extra]
    if fresh:
        return [partial(xp.add.reduce, part, axis=axes, out=kept, keepdims=True)]
    summed = xp.empty_like(kept)
    return [
        partial(xp.add.reduce, part, axis=axes, out=summed, keepdims=True),
        partial(iadd, kept, summed),
    ]
