"""Types of numbers that meet: what integers, plain numbers and arrays become.

- Tensors of different floating-point types do not meet: nothing loses digits unasked.
- Next to a floating-point tensor, integers, booleans, plain numbers and plain arrays
  take its type.
- Next to integers, a plain number with a point makes float32 of them, a plain integer
  takes their type. Integers of several types become what NumPy makes of them.
- What is defined over real numbers (a quotient, a logarithm) makes float32 of integers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nncli.autograd.function import Function
from nncli.autograd.value import Value
from nncli.core.arrays import Array, xp
from nncli.core.errors import NncliError

FLOAT = xp.dtype(xp.float32)
"""What integers become where a number with a point is needed."""


def promoted(cls: type[Function], operands: Sequence[Any]) -> list[Any]:
    """Return the operands, each as a tensor of the right type, or as an array of it.

    A tensor that has to change its type is left to the caller: it comes back as a pair
    of the tensor and that type.
    """
    numbers = [operand for i, operand in enumerate(operands) if _is_number(cls, i)]
    dtype = _meeting(cls, numbers)
    found: list[Any] = []
    for i, operand in enumerate(operands):
        own = dtype if _is_number(cls, i) else None
        if not isinstance(operand, Value):
            found.append(_constant(cls, operand, own))
        elif own is None or operand.dtype.kind == "f" or own.kind != "f":
            found.append(operand)
        else:
            found.append((operand, own))
    return found


def _is_number(cls: type[Function], index: int) -> bool:
    """Whether an input is one of those that meet: no condition, no place."""
    return cls.has_derivative(index) or cls.differentiable is False


def _meeting(cls: type[Function], numbers: list[Any]) -> np.dtype[Any] | None:
    """Return the type that numbers take where they meet; None for their own."""
    own = [each.dtype for each in numbers if isinstance(each, Value)]
    known = next((dtype for dtype in own if dtype.kind == "f"), None)
    if cls.compares:
        # NumPy compares numbers of different types exactly.
        return known if all(dtype.kind == "f" for dtype in own) else None
    if known is not None:
        return known
    plain = [xp.asarray(each) for each in numbers if not isinstance(each, Value)]
    strict = [each for each in numbers if isinstance(each, np.ndarray)]
    if any(array.dtype.kind == "f" for array in plain):
        return next((a.dtype for a in strict if a.dtype.kind == "f"), FLOAT)
    if cls.real:
        return FLOAT
    weak = any(array.dtype.kind in "iu" for array in plain)
    if weak and all(dtype.kind == "b" for dtype in own):
        return xp.dtype(xp.int64)
    return xp.result_type(*own, *strict) if own or strict else None


def _constant(cls: type[Function], value: Any, dtype: np.dtype[Any] | None) -> Array:
    array = xp.asarray(value)
    if dtype is None or array.dtype == dtype:
        return array
    if dtype.kind != "f" and isinstance(value, np.ndarray):
        return array
    if dtype.kind in "iu" and array.size:
        bounds = xp.iinfo(dtype)
        if array.min() < bounds.min or array.max() > bounds.max:
            raise NncliError(
                f"{cls.type_name}: expected numbers that {dtype} can hold, got "
                f"{value}. Convert the tensor first: t.astype('int64')."
            )
    if array.dtype.kind not in "fiub":
        return array  # A tensor refuses it.
    return array.astype(dtype)
