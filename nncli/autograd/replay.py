"""Replay: a recorded tape run again and again over the same buffers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from nncli.autograd.buffers import Pool
from nncli.autograd.plan import Backward, Call, Calls, backward_plan
from nncli.autograd.tape import Leaf, Step, steps_of
from nncli.core.arrays import Array

if TYPE_CHECKING:
    from nncli.autograd.tensor import Tensor


Tap = Callable[[Step, Array], Call | None]


class Replay:
    """The steps of one recorded computation, ready to run without allocating.

    Write new values into the arrays of the input tensors, call ``forward``, read
    ``values``; ``backward`` then overwrites the gradient of every leaf. The calls are
    those of eager mode, on the same Functions, so the bits are the same.

    Values that ``backward`` reads again have buffers of their own; all others, and
    gradients, share buffers as soon as their last reader has run. A replay belongs to
    one thread at a time.

    Args:
        steps: What ``record()`` collected.
        outputs: Tensors whose values are wanted after ``forward``.
        root: The scalar that is differentiated; None for a forward pass only.
        leaves: Tensors whose gradient must be valid after ``backward``; those that
            ``root`` does not depend on have a gradient of zero.

    Attributes:
        values: The arrays of the outputs, in their order.
        arrays: The value of each step, until another one takes its buffer.
        bytes: How much memory the shared buffers take.
    """

    def __init__(
        self,
        steps: list[Step],
        outputs: Sequence[Tensor],
        root: Tensor | None = None,
        leaves: Sequence[Tensor] = (),
    ) -> None:
        self.steps = steps
        self._pool = Pool()
        wanted = [*outputs, root] if root is not None else outputs
        self.arrays = self._place(wanted, root is not None)
        self.values = [
            tensor.data if tensor.step is None else self.arrays[tensor.step]
            for tensor in outputs
        ]
        self._calls = [
            partial(
                step.function.forward, *_inputs(step, self.arrays), self.arrays[step]
            )
            for step in steps
        ]
        self._forward = [
            call
            for call, step in zip(self._calls, steps, strict=True)
            if not step.function.is_view
        ]
        self._planned = Backward()
        if root is not None:
            self._plan_backward(root, leaves)
        self._backward = self._planned.calls
        self.bytes = self._pool.bytes

    def _plan_backward(self, root: Tensor, leaves: Sequence[Tensor]) -> None:
        reached: set[Step | Leaf | None] = set()
        if root.step is not None and root.step.differentiable:
            needed = steps_of(root.step)
            self._planned = backward_plan(needed, self._pool, accumulate=False)
            reached = {parent for step in needed for parent in step.parents}
        for leaf in leaves:
            if leaf.leaf not in reached and leaf.grad is not None:
                self._planned.calls.append(partial(leaf.grad.fill, 0))

    def _place(self, wanted: Sequence[Tensor], trained: bool) -> dict[Step, Array]:
        """Choose a buffer for the value of each step."""
        own = {tensor.step: tensor.data for tensor in wanted if tensor.step is not None}
        done = self._last_readers(own)
        arrays: dict[Step, Array] = {}
        raws: dict[Step, Array] = {}
        for step in self.steps:
            value = own.get(step) if trained else None
            if value is None:
                value = step.value
            if not step.function.differentiated:
                # What needs no gradient was recorded with a copy of its Function.
                made = step.function.allocate(*_inputs(step, arrays))
                if value is None and (step.function.is_view or step in own):
                    value = made
            if value is None:
                value, raws[step] = self._pool.take(step.form)
            arrays[step] = value
            step.value = None
            for read in done.get(step, ()):
                if read in raws:
                    self._pool.give_back(raws.pop(read))
        return arrays

    def _last_readers(self, own: Collection[Step]) -> dict[Step, list[Step]]:
        """Return, for each step, the values that nobody reads after it.

        Who reads a view reads the value below it; what is in ``own`` is read for ever.
        """
        below: dict[Step, Step] = {}
        last: dict[Step, Step] = {}
        for step in self.steps:
            sources = [each for each in step.sources if isinstance(each, Step)]
            read = [below.get(each, each) for each in sources]
            if step.function.is_view and read:
                below[step] = read[0]
            last |= dict.fromkeys([step, *read], step)
        for step in own:
            last.pop(below.get(step, step), None)
        done: dict[Step, list[Step]] = {}
        for value, reader in last.items():
            done.setdefault(reader, []).append(value)
        return done

    def forward(self) -> None:
        """Compute every value again from the inputs as they are now."""
        for call in self._forward:
            call()

    def backward(self) -> None:
        """Compute every leaf's gradient from the values as they are now."""
        for call in self._backward:
            call()

    def tapped(self, tap: Tap, tap_gradient: Tap) -> tuple[Calls, Calls]:
        """Return the calls of ``forward`` and ``backward`` with others in between.

        Buffers are shared: an array holds what it is tapped for at this moment alone.

        Args:
            tap: Given a step and the array of its value; returns what is to be called
                as soon as the value is there, None for nothing.
            tap_gradient: The same for the gradient of the step's output; not asked for
                steps that have none.
        """
        forward: Calls = []
        for call, step in zip(self._calls, self.steps, strict=True):
            if not step.function.is_view:
                forward.append(call)
            tapping = tap(step, self.arrays[step])
            if tapping is not None:
                forward.append(tapping)
        backward: Calls = []
        begin = 0
        for place, step, grad in self._planned.gradients:
            tapping = tap_gradient(step, grad)
            if tapping is not None:
                backward += [*self._backward[begin:place], tapping]
                begin = place
        return forward, backward + self._backward[begin:]

    def trace(self) -> Iterator[tuple[Step, list[Array], Array]]:
        """Run forward, and yield each step with its inputs and its value right then."""
        for call, step in zip(self._calls, self.steps, strict=True):
            call()
            yield step, _inputs(step, self.arrays), self.arrays[step]


def _inputs(step: Step, arrays: Mapping[Step, Array]) -> list[Array]:
    return [arrays[s] if isinstance(s, Step) else s for s in step.sources]
