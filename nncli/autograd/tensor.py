"""Tensor: an array that remembers how it was made, with operators and a gradient."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from nncli.autograd.function import FUNCTIONS, Function
from nncli.autograd.tape import Pool, Step, backward_calls, remember, steps_of
from nncli.backend import Array, Shape, xp
from nncli.errors import NncliError, ShapeError


class Tensor:
    """A value, and perhaps the derivative of an objective with respect to it.

    Args:
        data: The value; Python numbers and lists become float32, arrays are taken as
            they are.
        requires_grad: Whether ``backward`` shall fill ``grad``.

    Attributes:
        data: The array.
        grad: After ``backward``: d objective / d data, an array of the same shape.
            Gradients of several calls add up until ``zero_grad``.
        step: The step that made the value; None for a leaf.
    """

    __slots__ = ("__weakref__", "data", "grad", "requires_grad", "step")
    # NumPy hands `array + tensor` over to Tensor instead of looping over it.
    __array_ufunc__ = None

    def __init__(self, data: ArrayLike, requires_grad: bool = False) -> None:
        array = data if isinstance(data, np.ndarray) else _as_array(data)
        if requires_grad and array.dtype.kind != "f":
            raise NncliError(
                f"Tensor: expected floating-point data where a gradient is required, "
                f"got {array.dtype}. Convert it: data.astype('float32')."
            )
        self.data: Array = array
        self.grad: Array | None = None
        self.requires_grad = requires_grad
        self.step: Step | None = None

    @property
    def shape(self) -> Shape:
        """The sizes of the axes."""
        return self.data.shape

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self.data.ndim

    @property
    def size(self) -> int:
        """The number of elements."""
        return self.data.size

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the elements."""
        return self.data.dtype

    def item(self) -> float:
        """Return the only element as a Python number."""
        return float(self.data.item())

    def detach(self) -> Tensor:
        """Return the same value without its history."""
        return Tensor(self.data)

    def zero_grad(self) -> None:
        """Set the gradient to zero, in place."""
        if self.grad is not None:
            self.grad.fill(0)

    def backward(self) -> None:
        """Fill ``grad`` of every leaf with the derivative of this scalar.

        Raises:
            ShapeError: The value is not a scalar.
            NncliError: No input requires a gradient.
        """
        if self.size != 1:
            raise ShapeError(
                f"backward: expected a scalar, got shape {self.shape}. "
                "Take the sum or the mean first."
            )
        if self.step is None:
            raise NncliError(
                "backward: expected a value made from tensors that require a "
                "gradient, got one without a history."
            )
        calls = backward_calls(steps_of(self), self, Pool(), accumulate=True)
        for call in calls:
            call()

    def __add__(self, other: Operand) -> Tensor:
        return _operate("add", self, other)

    __radd__ = __add__

    def __sub__(self, other: Operand) -> Tensor:
        return _operate("subtract", self, other)

    def __rsub__(self, other: Operand) -> Tensor:
        return _operate("subtract", other, self)

    def __mul__(self, other: Operand) -> Tensor:
        return _operate("multiply", self, other)

    __rmul__ = __mul__

    def __truediv__(self, other: Operand) -> Tensor:
        return _operate("divide", self, other)

    def __rtruediv__(self, other: Operand) -> Tensor:
        return _operate("divide", other, self)

    def __matmul__(self, other: Operand) -> Tensor:
        return _operate("matmul", self, other)

    def __rmatmul__(self, other: Operand) -> Tensor:
        return _operate("matmul", other, self)

    def __pow__(self, exponent: float) -> Tensor:
        return _operate("power", self, exponent=exponent)

    def __neg__(self) -> Tensor:
        return _operate("negative", self)

    def __getitem__(self, index: Any) -> Tensor:
        return _operate("getitem", self, index=index)

    def sum(self, axis: int | Shape | None = None, keepdims: bool = False) -> Tensor:
        """Add up the elements along ``axis`` (all of them by default)."""
        return _operate("sum", self, axis=axis, keepdims=keepdims)

    def mean(self, axis: int | Shape | None = None, keepdims: bool = False) -> Tensor:
        """Average the elements along ``axis`` (all of them by default)."""
        return _operate("mean", self, axis=axis, keepdims=keepdims)

    def reshape(self, *shape: int) -> Tensor:
        """Return the same elements in another shape; -1 stands for what is left."""
        return _operate("reshape", self, shape=shape)

    def transpose(self, *axes: int) -> Tensor:
        """Reorder the axes; without arguments, reverse them."""
        return _operate("transpose", self, axes=axes or None)

    @property
    def T(self) -> Tensor:  # noqa: N802 - the name that NumPy gives it
        """The transpose."""
        return self.transpose()

    def exp(self) -> Tensor:
        """Return e^x, element by element."""
        return _operate("exp", self)

    def log(self) -> Tensor:
        """Return the natural logarithm, element by element."""
        return _operate("log", self)

    def relu(self) -> Tensor:
        """Return max(x, 0), element by element."""
        return _operate("relu", self)

    def sigmoid(self) -> Tensor:
        """Return 1 / (1 + e^-x), element by element."""
        return _operate("sigmoid", self)

    def tanh(self) -> Tensor:
        """Return the hyperbolic tangent, element by element."""
        return _operate("tanh", self)

    def __len__(self) -> int:
        return len(self.data)

    def __repr__(self) -> str:
        extra = ", requires_grad=True" if self.requires_grad else ""
        return f"Tensor({xp.array2string(self.data, prefix='Tensor(')}{extra})"


Operand = Tensor | ArrayLike


def _as_array(data: ArrayLike) -> Array:
    array = xp.asarray(data)
    if array.dtype.kind in "iuf" and not isinstance(data, np.generic):
        return array.astype(xp.float32)
    return array


def apply(function: Function, *inputs: Tensor) -> Tensor:
    """Run a Function on tensors now, and remember the step.

    Raises:
        ShapeError: The inputs' shapes do not fit the function.
        NncliError: The inputs have different floating-point types.
    """
    arrays = [tensor.data for tensor in inputs]
    count = function.differentiable
    kinds = {array.dtype for array in arrays[:count]}
    if len(kinds) > 1:
        raise NncliError(
            f"{function.type_name}: expected tensors of one type, got "
            f"{' and '.join(sorted(map(str, kinds)))}. Convert one of them."
        )
    if count is not None and any(tensor.requires_grad for tensor in inputs[count:]):
        raise NncliError(
            f"{function.type_name}: expected targets (and weights) without a gradient, "
            "got a tensor that requires one. Use its detach()."
        )
    out = function.allocate(*arrays)
    function.forward(*arrays, out)
    output = Tensor(out)
    remember(function, inputs, output)
    return output


def _operate(name: str, *operands: Operand, **arguments: Any) -> Tensor:
    """Apply the op called ``name``; plain numbers take the dtype of the tensors."""
    dtype = next(o.dtype for o in operands if isinstance(o, Tensor))
    tensors = [
        operand if isinstance(operand, Tensor) else _constant(operand, dtype)
        for operand in operands
    ]
    function = FUNCTIONS.find(name)
    if function is None:
        raise NncliError(FUNCTIONS.unknown(name))
    return apply(function(**arguments), *tensors)


def _constant(value: ArrayLike, dtype: np.dtype[Any]) -> Tensor:
    if isinstance(value, np.ndarray):
        return Tensor(value)
    return Tensor(xp.asarray(value, dtype=dtype))
