"""Value: what a tensor holds, an array and the place of its gradient."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from nncli.autograd.buffers import Form
from nncli.autograd.memory import Home, Memory
from nncli.autograd.tape import Leaf, Step, is_grad_enabled, tape
from nncli.core.arrays import Array, Shape, xp
from nncli.core.errors import IndexShapeError, NncliError, ShapeError

KINDS = {"b": 0, "u": 1, "i": 1, "f": 2}
"""Kinds of numbers that a tensor may hold; the larger ones hold the smaller ones."""

COMPUTED = Memory()
"""That of all values that remember how they were made: never to be changed."""


class Value:
    """An array, and perhaps the place of its gradient.

    Attributes:
        lengths: (N,) how many steps of each row's sequence count, where rows (N, T,
            ...) are padded to one length; None where all of them do. Integers, data
            like the value itself: ops that keep the first two axes hand them on.
        lookup: Where the value is rows of a table: the table, the integers that name
            the rows, and a row that counts as zeros, if any. Who multiplies all rows
            with a matrix may multiply the table instead; None for none.
        step: The step that made the value; None for a leaf.
        leaf: Where the gradient of a leaf ends up; None where it needs none.
        home: The Flat that the tensor was moved into; None for none.
        memory: What is shared with tensors that look at the same memory.
    """

    __slots__ = (
        "__weakref__",
        "_data",
        "home",
        "leaf",
        "lengths",
        "lookup",
        "memory",
        "step",
    )

    def __init__(
        self,
        data: ArrayLike | Value,
        requires_grad: bool = False,
        lengths: ArrayLike | None = None,
    ) -> None:
        self._data: Array = data if isinstance(data, np.ndarray) else _as_array(data)
        if self._data.dtype.kind not in KINDS:
            raise NncliError(
                f"Tensor: expected numbers, got {self._data.dtype}. Convert them first."
            )
        self.memory = Memory()
        self.home: Home | None = None
        self.step: Step | None = None
        self.leaf: Leaf | None = None
        self.lengths: Array | None = None
        self.lookup: tuple[Any, Any, int | None] | None = None
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
        if self.home is not None:
            if array.shape != self._data.shape:
                raise ShapeError(
                    f"data: expected shape {self._data.shape}, since the tensor "
                    f"belongs to an optimizer or a network, got {array.shape}."
                )
            xp.copyto(self._data, array, casting="same_kind")
            self.memory.changes += 1
        else:
            self._data = array
            self.memory = Memory(self.memory.version + 1)
            if self.leaf is not None:
                self.requires_grad = True

    def write(self, index: Any, value: ArrayLike | Value) -> None:
        """Change elements in place.

        Raises:
            NncliError: The value was computed, is being recorded or requires a
                gradient, or what is written does not fit.
        """
        if self.memory is COMPUTED or self.step is not None:
            raise NncliError(
                "setitem: expected a tensor of its own, got a value that was computed "
                "and that backward may read. Use its detach().clone(), or where(...)."
            )
        if self.leaf is not None and is_grad_enabled():
            raise NncliError(
                "setitem: expected a tensor that requires no gradient, since "
                "assignments have none. Use no_grad(), or where(...)."
            )
        if tape() is not None:
            raise NncliError(
                "setitem: expected no assignment while a step is recorded, since a "
                "replay would not repeat it. Use where(...)."
            )
        if isinstance(value, Value) and value.requires_grad and is_grad_enabled():
            raise NncliError(
                "setitem: expected values that require no gradient, since assignments "
                "have none. Use detach(), or where(...)."
            )
        self._write(index, array_of(value))
        self.memory.changes += 1

    def _write(self, index: Any, value: ArrayLike) -> None:
        kind = xp.asarray(value).dtype.kind
        if KINDS[kind] > KINDS[self.dtype.kind]:
            raise NncliError(
                f"setitem: expected values that {self.dtype} can hold, got "
                f"{xp.asarray(value).dtype}. Convert them first."
            )
        try:
            self._data[index] = value
        except IndexError as error:
            raise IndexShapeError(f"setitem: {error} (shape {self.shape}).") from None
        except (ValueError, OverflowError) as error:
            raise ShapeError(f"setitem: {error}.") from None

    @property
    def grad(self) -> Array | None:
        """After ``backward``: d objective / d data, an array of the same shape.

        Gradients of several calls add up until ``zero_grad``. In a Flat it is never
        None: setting it to None sets it to zeros.
        """
        return None if self.leaf is None else self.leaf.grad

    @grad.setter
    def grad(self, value: ArrayLike | Value | None) -> None:
        leaf = self.leaf
        if leaf is None:
            raise NncliError(
                "grad: expected a leaf that requires a gradient, got a tensor that "
                "does not. Set requires_grad first."
            )
        if value is None and not leaf.bound:
            leaf.grad = None
            return
        array = xp.asarray(0 if value is None else array_of(value), self.dtype)
        if value is not None and array.shape != self.shape:
            raise ShapeError(f"grad: expected shape {self.shape}, got {array.shape}.")
        if leaf.grad is None:
            leaf.grad = leaf.form.empty()
        xp.copyto(leaf.grad, array)

    def zero_grad(self) -> None:
        """Set the gradient to zero, in place."""
        if self.grad is not None:
            self.grad.fill(0)

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
            if self.home is not None:
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

    def register_hook(self, hook: Callable[[Array], ArrayLike | Value | None]) -> None:
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
        made.hooks.append(lambda grad: _plain(hook(grad)))

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
        self._data, self.home = values, home
        self.memory = Memory(self.memory.changes, home)

    @property
    def version(self) -> int:
        """How often the value was changed in place, as far as that can be seen."""
        return self.memory.version

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


def array_of(value: ArrayLike | Value) -> ArrayLike:
    """Return the array of a tensor, and anything else as it is."""
    return value.data if isinstance(value, Value) else value


def _plain(value: ArrayLike | Value | None) -> Array | None:
    return None if value is None else xp.asarray(array_of(value))


def _as_array(data: ArrayLike | Value) -> Array:
    if isinstance(data, Value):
        return data.data
    array = xp.asarray(data)
    if array.dtype.kind in "iuf" and not isinstance(data, np.generic):
        return array.astype(xp.float32)
    return array


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
