"""Function: the contract that one primitive operation keeps with the engine."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from nncli.autograd.buffers import Form
from nncli.core.arrays import Array
from nncli.core.fields import FieldsMeta
from nncli.core.registry import Registry

FUNCTIONS = Registry("op", "nncli.ops")
"""Every Function that is declared with a name, found by scanning ``ops/``."""


Sized = Array | Form
"""What has a shape, a size and a dtype."""


class Function(metaclass=FieldsMeta):
    """One primitive: a value and its derivative, over arrays that are given to it.

    Arguments of the operation that are no arrays (an axis, a rate) are typed fields.
    An instance belongs to one call: ``allocate`` is called with the inputs' arrays, and
    sizes the output and what is kept from the value to the derivative. From then on
    ``forward`` and ``backward`` only *write* into arrays they are given, own, or ask
    for as ``scratch``, so that a Replay can call them again and again.

    The rules:

    - There is one output. What has several results lays them side by side in one
      array, of which others take their part; what is remembered without a derivative
      (running statistics, a last state) is an array that is handed in, or an attribute
      that the layer reads, and every ``forward`` overwrites it once.
    - ``backward`` may be called twice, and gives the same twice: it spoils nothing
      that ``forward`` left. It overwrites its gradients; the engine adds them up.
    - An input that is not writeable never changes: what depends on it alone may be
      computed in ``allocate``, for all calls.
    - Arrays may lie in memory in any order, if ``layout`` is ``any``; a gradient lies
      as its value does. Write ``out[...] =`` or ``out=``; what is written to a copy
      (``out.reshape(...)`` may be one) is lost.
    - Not-finite numbers are found by looking; NumPy's warnings are off.

    Class attributes:
        layout: ``rows``: leading axes can be viewed as one, so that
            ``reshape(-1, last)`` is a view; the engine copies other inputs to
            row-major order first. ``any``: any strides will do.
        broadcasts: ``backward`` writes gradients in the output's shape, and the
            engine sums them down to each input's shape.
        real: It is defined over real numbers: operators make float32 of integers and
            booleans first.
        compares: It compares numbers of different types as they are, as NumPy does.
        differentiable: Which inputs have a derivative: all or none, or an entry for
            each, of which the last one counts for all inputs after it. Those without
            are constants, such as labels.
        elementwise: ``backward`` may write its first input's gradient over the
            output's, and does so last: it reads no element of ``grad`` afterwards.
        saves_inputs: Which inputs ``backward`` reads again, or views of them, said as
            ``differentiable`` is. (What is not read again can be forgotten early.)
        saves_output: ``backward`` reads the output, or a view of it, again.

    Attributes:
        keeps_lengths: The first two axes of the output are those of the first input
            with lengths, so that these are the output's as well. ``allocate`` may
            change it.
        is_view: Set by ``allocate``: the output is a view of the first input, and
            ``forward`` has nothing to do.
        differentiated: Set by the engine before ``allocate``: whether ``backward`` will
            be called. Else nothing has to be kept for it.
        used: Set by the engine: it had its one call.
    """

    layout: ClassVar[Literal["rows", "any"]] = "rows"
    broadcasts: ClassVar[bool] = False
    real: ClassVar[bool] = False
    compares: ClassVar[bool] = False
    differentiable: ClassVar[bool | tuple[bool, ...]] = True
    elementwise: ClassVar[bool] = False
    saves_inputs: ClassVar[bool | tuple[bool, ...]] = True
    saves_output: ClassVar[bool] = True
    type_name: ClassVar[str] = ""

    keeps_lengths = False
    is_view = False
    differentiated = True
    used = False

    def __init_subclass__(cls, *, name: str = "", **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if name:
            cls.type_name = name
            FUNCTIONS.add(name, cls)

    # The three methods take as many arrays as the operation has, by position; typed
    # so that a type checker accepts any number of them in a subclass.

    @abstractmethod
    def allocate(self, *inputs: Any, **_: Any) -> Array:
        """Return the output's array (its content is undefined); make what is kept."""

    @abstractmethod
    def forward(self, *arrays: Any, **_: Any) -> None:
        """Write the value: called as ``forward(*inputs, out)``."""

    @abstractmethod
    def backward(self, grad: Array, *input_grads: Any, **_: Any) -> None:
        """Overwrite each input's gradient, given the output's.

        ``input_grads`` has one entry an input, None where none is wanted. With the
        objective L and the output y: input_grad = Σ dL/dy · dy/dinput.
        """

    def gradient_view(self, grad: Array) -> Array | None:
        """Return the output's gradient as a view that is the input's, where it can be.

        For Functions whose output is a view: nothing is then copied.
        """
        return None

    @classmethod
    def has_derivative(cls, index: int) -> bool:
        """Whether the input with an index has a derivative."""
        return _entry(cls.differentiable, index)

    @classmethod
    def saves_input(cls, index: int) -> bool:
        """Whether ``backward`` reads the input with an index again."""
        return _entry(cls.saves_inputs, index)

    def flops(self, *arrays: Sized) -> int:
        """Count floating-point operations of one forward pass, ``(*inputs, out)``."""
        return int(arrays[-1].size)

    def sequential_parts(self, *arrays: Sized) -> int:
        """Count the parts that are computed one after another, as steps of time."""
        return 1

    @classmethod
    @abstractmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """Yield calls that ``nncli gradcheck`` proves and the contract test runs."""


def _entry(mask: bool | tuple[bool, ...], index: int) -> bool:
    return mask if isinstance(mask, bool) else mask[min(index, len(mask) - 1)]


@dataclass(frozen=True)
class Case:
    """One call of a Function, in float64.

    Attributes:
        function: A fresh Function; who calls it more than once makes copies.
        inputs: Its input arrays.
        constant: Indices of inputs that are not to be differentiated here, besides
            those that have no derivative.
    """

    function: Function
    inputs: tuple[Array, ...]
    constant: tuple[int, ...] = ()
