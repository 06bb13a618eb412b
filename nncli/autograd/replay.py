"""Replay: a recorded tape run again and again over the same buffers."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from nncli.autograd.tape import Pool, Step, backward_calls, steps_of

if TYPE_CHECKING:
    from nncli.autograd.tensor import Tensor


class Replay:
    """The steps of one recorded computation, ready to run without allocating.

    Write new values into the arrays of the input tensors, call ``forward``, read the
    arrays of the outputs; ``backward`` then overwrites ``grad`` of every leaf. The
    calls are those of eager mode, on the same Functions, so the bits are the same.

    Args:
        steps: What ``record()`` collected.
        root: The scalar that is differentiated; None for a forward pass only.
        leaves: Tensors whose gradient must be valid after ``backward``; those that
            ``root`` does not depend on have a gradient of zero.
    """

    def __init__(
        self, steps: list[Step], root: Tensor | None, leaves: list[Tensor]
    ) -> None:
        self.steps = steps
        pool = Pool()
        self._forward = [
            partial(
                step.function.forward,
                *(tensor.data for tensor in step.inputs),
                step.output.data,
            )
            for step in steps
        ]
        self._backward = []
        if root is not None:
            needed = steps_of(root)
            self._backward = backward_calls(needed, root, pool, accumulate=False)
            reached = {id(tensor) for step in needed for tensor in step.inputs}
            for leaf in leaves:
                if id(leaf) not in reached and leaf.grad is not None:
                    self._backward.append(partial(leaf.grad.fill, 0))
        self.gradient_bytes = pool.bytes

    def forward(self) -> None:
        """Compute every value again from the inputs as they are now."""
        for call in self._forward:
            call()

    def backward(self) -> None:
        """Compute every leaf's gradient from the values as they are now."""
        for call in self._backward:
            call()
