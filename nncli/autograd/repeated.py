"""Repeated: a computation without derivatives, again and again on inputs of a shape."""

from __future__ import annotations

from collections.abc import Callable

from nncli.autograd.replay import Replay
from nncli.autograd.tape import no_grad, record
from nncli.autograd.tensor import Tensor
from nncli.core.arrays import Array, xp


class Repeated:
    """Calls a function of one tensor, and after the first call only its arithmetic.

    What it does with a tensor of some shape is recorded, then replayed over the same
    buffers. For small inputs that takes a fraction of what applying ops one by one
    takes; the bits are the same. Nothing but the input may change from call to call.

    Args:
        function: From a tensor to a tensor.
    """

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        self.function = function
        self._given: Array | None = None
        self._replay: Replay | None = None

    def __call__(self, x: Tensor) -> Tensor:
        """Return its value, in an array of its own."""
        array, given = x.data, self._given
        if given is None or (given.shape, given.dtype) != (array.shape, array.dtype):
            return self._record(array)
        if self._replay is None:
            return self.function(x)
        xp.copyto(given, array)
        self._replay.forward()
        return Tensor(self._replay.values[0].copy())

    def _record(self, array: Array) -> Tensor:
        self._given = array.copy()
        x = Tensor(self._given)
        with no_grad(), record() as steps:
            y = self.function(x)
        # What hands on its input has nothing to replay.
        self._replay = Replay(steps, [y]) if y.step is not None else None
        return Tensor(y.data.copy())
