"""Tensor: an array that remembers how it was made, with operators and a gradient."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from nncli.autograd.buffers import Form, Pool
from nncli.autograd.function import FUNCTIONS, Function
from nncli.autograd.plan import backward_calls
from nncli.autograd.tape import Leaf, Step, is_grad_enabled, steps_of, tape
from nncli.core.arrays import Array, Shape, xp
from nncli.core.errors import NncliError, ShapeError


class Tensor:
    """A value, and perhaps the derivative of an objective with respect to it.

    Args:
        data: The value; Python numbers and lists become float32, arrays are taken as
            they are.
        requires_grad: Whether ``backward`` shall fill ``grad``.

    Attributes:
        lengths: (N,) how many steps of each row's sequence count, where rows (N, T,
            ...) are padded to one length; None where all of them do. Integers, data
            like the value itself: ops that keep the first two axes hand them on.
        step: The step that made the value; None for a leaf.
        leaf: Where the gradient of a leaf ends up; None where it needs none.
    """

    __slots__ = ("__weakref__", "_data", "_home", "_version", "leaf", "lengths", "step")
    # NumPy hands `array + tensor` over to Tensor instead of looping over it.
    __array_ufunc__ = None

    def __init__(
        self,
        data: ArrayLike,
        requires_grad: bool = False,
        lengths: ArrayLike | None = None,
    ) -> None:
        self._data: Array = data if isinstance(data, np.ndarray) else _as_array(data)
        self._version = 0
        self._home: Home | None = None
        self.step: Step | None = None
        self.leaf: Leaf | None = None
        self.lengths: Array | None = None
        if lengths is not None:
            self.lengths = _checked_lengths(np.asarray(lengths), self._data.shape)
        if requires_grad:
            self.requires_grad = True

    @property
    def data(self) -> Array:
        """The array. What is assigned to a tensor in a Flat is copied into it."""
        return self._data

    @data.setter
    def data(self, value: ArrayLike) -> None:
        array = value if isinstance(value, np.ndarray) else _as_array(value)
        if self._home is not None:
            if array.shape != self._data.shape:
                raise ShapeError(
                    f"data: expected shape {self._data.shape}, since the tensor "
                    f"belongs to an optimizer or a network, got {array.shape}."
                )
            xp.copyto(self._data, array, casting="same_kind")
        else:
            self._data = array
            if self.leaf is not None:
                self.requires_grad = True
        self._version += 1

    @property
    def grad(self) -> Array | None:
        """After ``backward``: d objective / d data, an array of the same shape.

        Gradients of several calls add up until ``zero_grad``. In a Flat it is never
        None: setting it to None sets it to zeros.
        """
        return None if self.leaf is None else self.leaf.grad

    @grad.setter
    def grad(self, value: ArrayLike | None) -> None:
        leaf = self.leaf
        if leaf is None:
            raise NncliError(
                "grad: expected a leaf that requires a gradient, got a tensor that "
                "does not. Set requires_grad first."
            )
        if value is None and not leaf.bound:
            leaf.grad = None
            return
        array = xp.asarray(0 if value is None else _array_of(value), self.dtype)
        if value is not None and array.shape != self.shape:
            raise ShapeError(f"grad: expected shape {self.shape}, got {array.shape}.")
        if leaf.grad is None:
            leaf.grad = leaf.form.empty()
        xp.copyto(leaf.grad, array)

    @property
    def requires_grad(self) -> bool:
        """Whether ``backward`` fills ``grad`` of this tensor, or of one before it."""
        return self.leaf is not None or (
            self.step is not None and self.step.differentiable
        )

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        if self.step is not None and self.step.differentiable:
            if not value:
                raise NncliError(
                    "requires_grad: expected a leaf, got a value that was computed. "
                    "Use its detach()."
                )
            return
        if not value:
            if self._home is not None:
                raise NncliError(
                    "requires_grad: the tensor belongs to an optimizer or a network, "
                    "and needs its gradient."
                )
            self.leaf = None
            return
        if self._data.dtype.kind != "f":
            raise NncliError(
                f"Tensor: expected floating-point data where a gradient is required, "
                f"got {self._data.dtype}. Convert it: data.astype('float32')."
            )
        form = Form.of(self._data)
        if self.leaf is None or self.leaf.form is not form:
            self.leaf = Leaf(form)

    @property
    def home(self) -> Home | None:
        """The Flat that holds the value; None for an array of its own."""
        return self._home

    def move(self, home: Home, values: Array, grads: Array) -> None:
        """Let a leaf's value and gradient live in other arrays from here on."""
        if self.leaf is None:
            raise NncliError("move: expected a leaf that requires a gradient.")
        xp.copyto(values, self._data)
        if self.leaf.grad is None:
            grads.fill(0)
        else:
            xp.copyto(grads, self.leaf.grad)
        # The same leaf, so that what was computed before still ends up there.
        self.leaf.form, self.leaf.grad, self.leaf.bound = Form.of(values), grads, True
        self._data, self._home = values, home

    @property
    def version(self) -> int:
        """How often the value was changed in place, as far as that can be seen."""
        home = self._home
        return self._version if home is None else self._version + home.version

    @property
    def shape(self) -> Shape:
        """The sizes of the axes."""
        return self._data.shape

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self._data.ndim

    @property
    def size(self) -> int:
        """The number of elements."""
        return self._data.size

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the elements."""
        return self._data.dtype

    def item(self) -> float:
        """Return the only element as a Python number."""
        return float(self._data.item())

    def detach(self) -> Tensor:
        """Return the same value without its history."""
        return Tensor(self._data, lengths=self.lengths)

    def zero_grad(self) -> None:
        """Set the gradient to zero, in place."""
        if self.grad is not None:
            self.grad.fill(0)

    def register_hook(self, hook: Callable[[Array], Array | None]) -> None:
        """Let a function look at the gradient of this tensor during ``backward``.

        Args:
            hook: Called with the gradient; what it returns, if anything, takes its
                place.
        """
        made = self.step if self.step is not None and self.requires_grad else self.leaf
        if made is None:
            raise NncliError(
                "register_hook: expected a tensor that requires a gradient."
            )
        made.hooks.append(hook)

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
            seed = xp.asarray(_array_of(gradient), self.dtype)
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
        calls = backward_calls(steps, Pool(), accumulate=True, gradient=seed)
        with xp.errstate(all="ignore"):
            for call in calls:
                call()

    def __add__(self, other: Operand) -> Tensor:
        return operate("add", self, other)

    __radd__ = __add__

    def __sub__(self, other: Operand) -> Tensor:
        return operate("subtract", self, other)

    def __rsub__(self, other: Operand) -> Tensor:
        return operate("subtract", other, self)

    def __mul__(self, other: Operand) -> Tensor:
        return operate("multiply", self, other)

    __rmul__ = __mul__

    def __truediv__(self, other: Operand) -> Tensor:
        return operate("divide", self, other)

    def __rtruediv__(self, other: Operand) -> Tensor:
        return operate("divide", other, self)

    def __matmul__(self, other: Operand) -> Tensor:
        return operate("matmul", self, other)

    def __rmatmul__(self, other: Operand) -> Tensor:
        return operate("matmul", other, self)

    def __pow__(self, exponent: float) -> Tensor:
        return operate("power", self, exponent=exponent)

    def __neg__(self) -> Tensor:
        return operate("negative", self)

    def __getitem__(self, index: Any) -> Tensor:
        return operate("getitem", self, index=index)

    def sum(self, axis: int | Shape | None = None, keepdims: bool = False) -> Tensor:
        """Add up the elements along ``axis`` (all of them by default)."""
        return operate("sum", self, axis=axis, keepdims=keepdims)

    def mean(self, axis: int | Shape | None = None, keepdims: bool = False) -> Tensor:
        """Average the elements along ``axis`` (all of them by default)."""
        return operate("mean", self, axis=axis, keepdims=keepdims)

    def reshape(self, *shape: int) -> Tensor:
        """Return the same elements in another shape; -1 stands for what is left."""
        return operate("reshape", self, shape=shape)

    def transpose(self, *axes: int) -> Tensor:
        """Reorder the axes; without arguments, reverse them."""
        return operate("transpose", self, axes=axes or None)

    @property
    def T(self) -> Tensor:  # noqa: N802 - the name that NumPy gives it
        """The transpose."""
        return self.transpose()

    def exp(self) -> Tensor:
        """Return e^x, element by element."""
        return operate("exp", self)

    def log(self) -> Tensor:
        """Return the natural logarithm, element by element."""
        return operate("log", self)

    def relu(self) -> Tensor:
        """Return max(x, 0), element by element."""
        return operate("relu", self)

    def sigmoid(self) -> Tensor:
        """Return 1 / (1 + e^-x), element by element."""
        return operate("sigmoid", self)

    def tanh(self) -> Tensor:
        """Return the hyperbolic tangent, element by element."""
        return operate("tanh", self)

    def __len__(self) -> int:
        return len(self._data)

    def __repr__(self) -> str:
        extra = ", requires_grad=True" if self.requires_grad else ""
        return f"Tensor({xp.array2string(self._data, prefix='Tensor(')}{extra})"


class Home:
    """What tensors that were moved into one flat array share.

    Attributes:
        version: How often all of them were changed in place.
    """

    __slots__ = ("version",)

    def __init__(self) -> None:
        self.version = 0


Operand = Tensor | ArrayLike


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
        parents = tuple(_receiver(tensor) for tensor in inputs)
    recorded = tape()
    function.differentiated = any(parent is not None for parent in parents)
    # A recording without gradients keeps no values: they are freed as they would be
    # without it, and the Function stays as it is until the Replay is planned.
    runner = function
    if recorded is not None and not function.differentiated:
        runner = copy.copy(function)
    runner.used = True
    with xp.errstate(all="ignore"):
        out = runner.allocate(*arrays)
        runner.forward(*arrays, out)
    function.is_view = runner.is_view
    output = Tensor(out)
    if function.keeps_lengths:
        output.lengths = next(
            (t.lengths for t in inputs if t.lengths is not None), None
        )
    if function.differentiated or recorded is not None:
        output.step = _remember(function, inputs, parents, out)
    return output


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
    watched = tuple((tensor, tensor.version) for tensor in saved if tensor.step is None)
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
        elif tensor.dtype != first:
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


def _as_array(data: ArrayLike) -> Array:
    array = xp.asarray(data)
    if array.dtype.kind in "iuf" and not isinstance(data, np.generic):
        return array.astype(xp.float32)
    return array


def _array_of(value: ArrayLike | Tensor) -> ArrayLike:
    return value.data if isinstance(value, Tensor) else value


def _checked_lengths(lengths: Array, shape: Shape) -> Array:
    if len(shape) < 2 or lengths.shape != shape[:1] or lengths.dtype.kind not in "iu":
        raise ShapeError(
            f"lengths: expected one integer for each row of a tensor (N, T, ...), got "
            f"{lengths.dtype} of shape {lengths.shape} for shape {shape}."
        )
    if lengths.size and not 0 <= lengths.min() <= lengths.max() <= shape[1]:
        raise ShapeError(
            f"lengths: expected numbers from 0 to {shape[1]}, got "
            f"{lengths.min()} to {lengths.max()}."
        )
    return lengths
