"""Operators of a tensor: arithmetic, comparisons, indices, and what Python asks it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from importlib import import_module
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from nncli.autograd.tape import tape
from nncli.autograd.value import Value, array_of
from nncli.core.arrays import Array, xp
from nncli.core.errors import IndexShapeError, NncliError, ShapeError

if TYPE_CHECKING:
    from nncli.autograd.tensor import Tensor


class Given:
    """Stands, in an index, for an array of integers that is an input of its own."""

    def __repr__(self) -> str:
        return "GIVEN"


GIVEN = Given()

OPERANDS = (Value, np.ndarray, np.generic, int, float, list, tuple)
"""What may stand beside a tensor; anything else is asked what it makes of a tensor."""


class Operators(Value):
    """What is written between tensors, and around one.

    Types that meet follow promote.py.
    """

    __slots__ = ()

    @abstractmethod
    def operate(self, name: str, *operands: Operand, **arguments: Any) -> Tensor:
        """Apply the op called ``name``; its operands are this tensor and others."""

    @abstractmethod
    def astype(self, dtype: DTypeLike) -> Tensor:
        """Return the same numbers in another type."""

    def _beside(self, name: str, other: Any, *, swapped: bool = False) -> Tensor:
        if not isinstance(other, OPERANDS):
            unknown: Any = NotImplemented
            found: Tensor = unknown
            return found
        pair = (other, self) if swapped else (self, other)
        return self.operate(name, *pair)

    def __pos__(self) -> Self:
        return self

    def __neg__(self) -> Tensor:
        return self.operate("negative", self)

    def __abs__(self) -> Tensor:
        return self.operate("abs", self)

    def __add__(self, other: Operand) -> Tensor:
        return self._beside("add", other)

    __radd__ = __add__

    def __sub__(self, other: Operand) -> Tensor:
        return self._beside("subtract", other)

    def __rsub__(self, other: Operand) -> Tensor:
        return self._beside("subtract", other, swapped=True)

    def __mul__(self, other: Operand) -> Tensor:
        return self._beside("multiply", other)

    __rmul__ = __mul__

    def __truediv__(self, other: Operand) -> Tensor:
        return self._beside("divide", other)

    def __rtruediv__(self, other: Operand) -> Tensor:
        return self._beside("divide", other, swapped=True)

    def __floordiv__(self, other: Operand) -> Tensor:
        return self._beside("floor_divide", other)

    def __rfloordiv__(self, other: Operand) -> Tensor:
        return self._beside("floor_divide", other, swapped=True)

    def __mod__(self, other: Operand) -> Tensor:
        return self._beside("remainder", other)

    def __rmod__(self, other: Operand) -> Tensor:
        return self._beside("remainder", other, swapped=True)

    def __matmul__(self, other: Operand) -> Tensor:
        return self._beside("matmul", other)

    def __rmatmul__(self, other: Operand) -> Tensor:
        return self._beside("matmul", other, swapped=True)

    def __pow__(self, exponent: Operand) -> Tensor:
        if not isinstance(exponent, int | float | np.number):
            return self._beside("pow", exponent)
        base = self._holding(exponent)
        if exponent == 2:
            return base.operate("square", base)
        number = float(exponent) if base.dtype.kind == "f" else int(exponent)
        return base.operate("power", base, exponent=number)

    def __rpow__(self, base: Operand) -> Tensor:
        return self._beside("pow", base, swapped=True)

    def _holding(self, *numbers: float | np.number[Any] | None) -> Tensor | Operators:
        """Return this tensor in a type that some plain numbers can meet."""
        if self.dtype.kind != "f" and any(
            isinstance(number, float | np.floating) for number in numbers
        ):
            return self.astype(xp.float32)
        return self.astype(xp.int64) if self.dtype.kind == "b" else self

    def __eq__(self, other: object) -> Tensor:  # type: ignore[override]
        return self._beside("equal", other)

    def __ne__(self, other: object) -> Tensor:  # type: ignore[override]
        return self._beside("not_equal", other)

    # Equal elements do not make two tensors one key of a dictionary.
    __hash__ = object.__hash__

    def __lt__(self, other: Operand) -> Tensor:
        return self._beside("less", other)

    def __le__(self, other: Operand) -> Tensor:
        return self._beside("less_equal", other)

    def __gt__(self, other: Operand) -> Tensor:
        return self._beside("greater", other)

    def __ge__(self, other: Operand) -> Tensor:
        return self._beside("greater_equal", other)

    def __invert__(self) -> Tensor:
        return self.operate("invert", self)

    def __and__(self, other: Operand) -> Tensor:
        return self._beside("bitwise_and", other)

    __rand__ = __and__

    def __or__(self, other: Operand) -> Tensor:
        return self._beside("bitwise_or", other)

    __ror__ = __or__

    def __xor__(self, other: Operand) -> Tensor:
        return self._beside("bitwise_xor", other)

    __rxor__ = __xor__

    def __getitem__(self, index: Any) -> Tensor:
        parts = index if isinstance(index, tuple) else (index,)
        if not any(isinstance(part, Value) for part in parts):
            return self.operate("getitem", self, index=index)
        parts = tuple(_without_mask(part) for part in parts)
        places = [part for part in parts if isinstance(part, Value)]
        index = tuple(GIVEN if isinstance(part, Value) else part for part in parts)
        return self.operate("getitem", self, *places, index=index)

    def __setitem__(self, index: Any, value: Operand) -> None:
        parts = index if isinstance(index, tuple) else (index,)
        for part in parts:
            _refuse_numbers("setitem", part)
        self.write(tuple(map(array_of, parts)), value)

    def __len__(self) -> int:
        return len(self._data)

    def __iter__(self) -> Iterator[Tensor]:
        if not self.ndim:
            raise TypeError("a tensor without axes is one number: nothing to go over")
        return (self[i] for i in range(len(self)))

    def __contains__(self, value: Operand) -> bool:
        return bool((self == value).data.any())

    def item(self) -> float:
        """Return the only element as a Python number."""
        if self.size != 1:
            raise ShapeError(
                f"item: expected one element, got shape {self.shape}. Use tolist()."
            )
        found: float = self._data.item()
        return found

    def __bool__(self) -> bool:
        if self.size != 1:
            raise ShapeError(
                "bool: expected one element, since the truth of more of them (or none) "
                f"is ambiguous, got shape {self.shape}. Use any() or all()."
            )
        return bool(self.item())

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __index__(self) -> int:
        if self.dtype.kind not in "iu":
            raise TypeError(f"an index is an integer, not a tensor of {self.dtype}")
        return int(self.item())

    def __format__(self, form: str) -> str:
        return format(self.item(), form) if form and self.size == 1 else str(self)

    def tolist(self) -> Any:
        """Return the elements as (nested lists of) Python numbers."""
        return self._data.tolist()

    def numpy(self) -> Array:
        """Return the array itself: what is written to it changes the tensor."""
        return self._data

    def __array__(
        self, dtype: DTypeLike | None = None, copy: bool | None = None
    ) -> Array:
        return np.array(self._data, dtype=dtype, copy=copy)

    def __array_ufunc__(
        self, ufunc: np.ufunc, method: str, *inputs: Any, **arguments: Any
    ) -> Any:
        protocol = import_module("nncli.autograd.numpy_protocol")
        return protocol.call_ufunc(ufunc, method, inputs, arguments)

    def __array_function__(
        self, function: Any, types: Any, args: Any, kwargs: dict[str, Any]
    ) -> Any:
        protocol = import_module("nncli.autograd.numpy_protocol")
        return protocol.call_function(function, args, kwargs)


Operand = Value | ArrayLike


def _refuse_numbers(name: str, part: Any) -> None:
    """Refuse an index of floating-point numbers, and say how it came about."""
    if isinstance(part, Value) and part.dtype.kind == "f":
        raise IndexShapeError(
            f"{name}: expected integers or booleans as an index, got {part.dtype} (as "
            "lists of numbers become). Use nn.Tensor(np.array([0, 1]))."
        )


def _without_mask(part: Any) -> Any:
    """Return a mask as an array: how much it picks is known now, and in no replay."""
    _refuse_numbers("getitem", part)
    if not isinstance(part, Value) or part.dtype.kind in "iu":
        return part
    if tape() is not None:
        raise NncliError(
            "getitem: expected no mask while a step is recorded, since a replay would "
            "pick the same elements again. Use where(...)."
        )
    return part.data
