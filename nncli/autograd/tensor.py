"""Tensor: an array that remembers how it was made, and what applies ops to tensors."""

from __future__ import annotations

import copy
from typing import Any, final

import numpy as np
from numpy.typing import ArrayLike

from nncli.autograd.buffers import Form, Pool
from nncli.autograd.function import FUNCTIONS, Function
from nncli.autograd.operators import Operand
from nncli.autograd.plan import backward_plan
from nncli.autograd.promote import promoted
from nncli.autograd.reductions import Reductions
from nncli.autograd.tape import Leaf, Step, is_grad_enabled, steps_of, tape
from nncli.autograd.value import COMPUTED, array_of
from nncli.core.arrays import Array, xp
from nncli.core.errors import NncliError, ShapeError


@final
class Tensor(Reductions):
    """A value, and perhaps the derivative of an objective with respect to it.

    What it can do stands in four files, from what it holds to what it computes:
    value.py, operators.py, shaping.py, methods.py.

    Args:
        data: The value; Python numbers and lists become float32, arrays are taken as
            they are.
        requires_grad: Whether ``backward`` shall fill ``grad``.
        lengths: (N,) how many steps of each row's sequence count; see ``Value``.
    """

    __slots__ = ()

    def operate(self, name: str, *operands: Operand, **arguments: Any) -> Tensor:
        """Apply the op called ``name``; its operands are this tensor and others."""
        return operate(name, *operands, **arguments)

    def detach(self) -> Tensor:
        """Return the same value without its history; the memory is shared."""
        found = Tensor(self._data, lengths=self.lengths)
        found.memory = self.memory
        return found

    def backward(self, gradient: ArrayLike | Tensor | None = None) -> None:
        """Fill ``grad`` of every leaf with the derivative of this value.

        It may be called again, for the same gradients once more.

        Args:
            gradient: d objective / d this value, in its shape; None for a scalar that
                is the objective itself.

        Raises:
            ShapeError: The value is not a scalar, or the gradient has another shape.
            NncliError: No input requires a gradient, or one that is needed was changed
                in place since.
        """
        seed = None
        if gradient is not None:
            seed = xp.asarray(array_of(gradient), self.dtype)
            if seed.shape != self.shape:
                raise ShapeError(
                    f"backward: expected a gradient of shape {self.shape}, got "
                    f"{seed.shape}."
                )
        elif self.size != 1:
            raise ShapeError(
                f"backward: expected a scalar, got shape {self.shape}. Take the sum "
                "or the mean first, or hand over the gradient of this value."
            )
        if self.leaf is not None:
            self.grad = (self.grad if self.grad is not None else 0) + (
                xp.ones(self.shape, self.dtype) if seed is None else seed
            )
            return
        if self.step is None or not self.step.differentiable:
            raise NncliError(
                "backward: expected a value made from tensors that require a "
                "gradient, got one without a history."
            )
        steps = steps_of(self.step)
        for step in steps:
            step.check_unchanged()
        plan = backward_plan(steps, Pool(), accumulate=True, gradient=seed)
        with xp.errstate(all="ignore"):
            for call in plan.calls:
                call()

    def __repr__(self) -> str:
        extra = ", requires_grad=True" if self.requires_grad else ""
        return f"Tensor({xp.array2string(self._data, prefix='Tensor(')}{extra})"


def apply(function: Function, *inputs: Tensor) -> Tensor:
    """Run a Function on tensors now, and remember the step.

    Raises:
        ShapeError: The inputs' shapes do not fit the function.
        NncliError: The inputs have different floating-point types, one that has no
            derivative requires a gradient, or the Function was used before.
    """
    _check(function, inputs)
    if function.layout == "rows":
        inputs = tuple(map(_in_rows, inputs))
    arrays = [tensor._data for tensor in inputs]
    parents: tuple[Step | Leaf | None, ...] = ()
    if is_grad_enabled():
        parents = tuple(
            _receiver(tensor) if function.has_derivative(i) else None
            for i, tensor in enumerate(inputs)
        )
    recorded = tape()
    function.differentiated = any(parent is not None for parent in parents)
    # A recording without gradients keeps no values: they are freed as they would be
    # without it, and the Function stays as it is until the Replay is planned.
    function.used = True
    runner = function
    if recorded is not None and not function.differentiated:
        runner = copy.copy(function)
    with xp.errstate(all="ignore"):
        out = runner.allocate(*arrays)
        runner.forward(*arrays, out)
    function.is_view = runner.is_view
    output = Tensor(out)
    if runner.keeps_lengths:
        output.lengths = _lengths(inputs, output)
    if function.differentiated or recorded is not None:
        output.step = _remember(function, inputs, parents, out)
        output.memory = COMPUTED
    if function.is_view:
        output.memory = inputs[0].memory
    return output


def _lengths(inputs: tuple[Tensor, ...], output: Tensor) -> Array | None:
    """Return the lengths of the first input that has some, if its rows are kept."""
    for tensor in inputs:
        if tensor.lengths is not None:
            # Broadcasting, or a layer over the second axis, makes other rows.
            kept = tensor.shape[:2] == output.shape[:2]
            return tensor.lengths if kept else None
    return None


def _remember(
    function: Function,
    inputs: tuple[Tensor, ...],
    parents: tuple[Step | Leaf | None, ...],
    out: Array,
) -> Step:
    """Make a step; when recording, mark the values that ``backward`` reads again."""
    differentiated = function.differentiated
    saved = [
        tensor
        for index, tensor in enumerate(inputs)
        if differentiated and function.saves_input(index)
    ]
    memories = [tensor.memory for tensor in saved if tensor.memory is not COMPUTED]
    watched = tuple((memory, memory.version) for memory in memories)
    step = Step(function, parents or (None,) * len(inputs), Form.of(out), watched)
    recorded = tape()
    if recorded is not None:
        recorded.append(step)
        step.sources = tuple(t.data if t.step is None else t.step for t in inputs)
        if is_grad_enabled():
            for tensor in inputs if function.is_view else saved:
                if tensor.step is not None:
                    tensor.step.value = tensor.data
            if function.is_view or (differentiated and function.saves_output):
                step.value = out
    return step


def _check(function: Function, inputs: tuple[Tensor, ...]) -> None:
    if function.used:
        raise NncliError(
            f"{function.type_name}: expected a Function of its own for each call, got "
            "one that was used before. Make another."
        )
    if function.differentiable is False:
        return
    first: np.dtype[Any] | None = None
    for index, tensor in enumerate(inputs):
        if not function.has_derivative(index):
            if tensor.requires_grad and is_grad_enabled():
                raise NncliError(
                    f"{function.type_name}: expected targets (and weights) without a "
                    "gradient, got a tensor that requires one. Use its detach()."
                )
        elif first is None:
            first = tensor.dtype
        elif tensor.dtype != first and "f" in (tensor.dtype.kind, first.kind):
            raise NncliError(
                f"{function.type_name}: expected tensors of one type, got {first} and "
                f"{tensor.dtype}. Convert one of them."
            )


def _receiver(tensor: Tensor) -> Step | Leaf | None:
    """Return what a tensor's gradient is handed to."""
    step = tensor.step
    return step if step is not None and step.differentiable else tensor.leaf


def _in_rows(tensor: Tensor) -> Tensor:
    """Return a tensor whose leading axes can be viewed as one."""
    array = tensor.data
    if array.ndim <= 2 or array.flags.c_contiguous:
        return tensor
    return operate("contiguous", tensor)


def operate(name: str, *operands: Operand, **arguments: Any) -> Tensor:
    """Apply the op called ``name``; what types become that meet, promote.py says."""
    cls = FUNCTIONS.find(name)
    if cls is None:
        raise NncliError(FUNCTIONS.unknown(name))
    return apply(cls(**arguments), *map(_tensor, promoted(cls, operands)))


def _tensor(operand: Any) -> Tensor:
    if isinstance(operand, tuple):
        tensor, dtype = operand
        operand = tensor.astype(dtype)
    return operand if isinstance(operand, Tensor) else Tensor(operand)
