"""Function: the contract that one primitive operation keeps with the engine."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from nncli.backend import Array
from nncli.registry import Registry

FUNCTIONS = Registry("op", "nncli.ops")
"""Every Function that is declared with a name, found by scanning ``ops/``."""


class Function(ABC):
    """One primitive: a value and its derivative, over arrays that are given to it.

    An instance belongs to one place in one computation. ``allocate`` is called once,
    with the inputs' arrays, and sizes the output and every workspace. From then on
    ``forward`` and ``backward`` only *write* into arrays they are given or own, so
    that they can be called again and again on the same arrays.

    Arguments of the operation that are no arrays (an axis, a rate) belong in
    ``__init__``.

    Class attributes:
        broadcasts: ``backward`` writes gradients in the output's shape, and the
            engine sums them down to each input's shape.
        differentiable: How many inputs, from the first on, have a derivative; the
            others are constants such as labels. None for all.
        elementwise: ``backward`` may write its first input's gradient over the
            output's: it reads no element of ``grad`` after writing one that overlaps.
        whole_batch: The value of one row depends on the other rows, so a batch must
            not be split.
    """

    broadcasts: ClassVar[bool] = False
    differentiable: ClassVar[int | None] = None
    elementwise: ClassVar[bool] = False
    whole_batch: ClassVar[bool] = False
    type_name: ClassVar[str] = ""

    def __init_subclass__(cls, *, name: str = "", **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if name:
            cls.type_name = name
            FUNCTIONS.add(name, cls)

    # The three methods take as many arrays as the operation has, by position; typed
    # so that a type checker accepts any number of them in a subclass.

    @abstractmethod
    def allocate(self, *inputs: Any, **_: Any) -> Array:
        """Return the output's array (its content is undefined); make workspaces."""

    @abstractmethod
    def forward(self, *arrays: Any, **_: Any) -> None:
        """Write the value: called as ``forward(*inputs, out)``."""

    @abstractmethod
    def backward(self, grad: Array, *input_grads: Any, **_: Any) -> None:
        """Overwrite each input's gradient, given the output's.

        ``input_grads`` has one entry an input, None where none is wanted. With the
        objective L and the output y: input_grad = Σ dL/dy · dy/dinput.
        """

    def flops(self, *arrays: Array) -> int:
        """Count floating-point operations of one forward pass, ``(*inputs, out)``."""
        return int(arrays[-1].size)

    @classmethod
    @abstractmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """Yield calls that ``nncli gradcheck`` proves and the contract test runs."""


@dataclass(frozen=True)
class Case:
    """One call of a Function, in float64.

    Attributes:
        function: A fresh Function.
        inputs: Its input arrays.
        constant: Indices of inputs that have no derivative (labels, for example).
    """

    function: Function
    inputs: tuple[Array, ...]
    constant: tuple[int, ...] = ()
