"""Functions that make a tensor, or take several: ``nn.zeros``, ``nn.concatenate``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from nncli.autograd.operators import Operand
from nncli.autograd.shaping import sizes_of
from nncli.autograd.tensor import Tensor, operate
from nncli.core.arrays import axes_of, xp
from nncli.core.errors import NncliError, ShapeError

# New tensors. Sizes are given one by one or as one sequence.


def zeros(
    *shape: int | Sequence[int],
    dtype: DTypeLike = "float32",
    requires_grad: bool = False,
) -> Tensor:
    """Return a tensor of zeros."""
    return Tensor(xp.zeros(sizes_of(shape), dtype), requires_grad)


def ones(
    *shape: int | Sequence[int],
    dtype: DTypeLike = "float32",
    requires_grad: bool = False,
) -> Tensor:
    """Return a tensor of ones."""
    return Tensor(xp.ones(sizes_of(shape), dtype), requires_grad)


def full(
    shape: int | Sequence[int],
    value: float,
    *,
    dtype: DTypeLike = "float32",
    requires_grad: bool = False,
) -> Tensor:
    """Return a tensor with the same number everywhere."""
    return Tensor(xp.full(sizes_of((shape,)), value, dtype), requires_grad)


def eye(
    size: int, *, dtype: DTypeLike = "float32", requires_grad: bool = False
) -> Tensor:
    """Return the identity matrix (size, size)."""
    return Tensor(xp.eye(size, dtype=dtype), requires_grad)


def arange(
    start: float,
    stop: float | None = None,
    step: float = 1,
    *,
    dtype: DTypeLike | None = None,
) -> Tensor:
    """Return the numbers from ``start`` (0, if alone) to below ``stop``.

    In int64 where all three are integers, else in float32.
    """
    first, end = (0, start) if stop is None else (start, stop)
    if dtype is None:
        whole = all(isinstance(n, int | np.integer) for n in (first, end, step))
        dtype = xp.int64 if whole else xp.float32
    return Tensor(xp.arange(first, end, step).astype(dtype))


def rand(
    *shape: int | Sequence[int],
    rng: np.random.Generator,
    dtype: DTypeLike = "float32",
    requires_grad: bool = False,
) -> Tensor:
    """Return numbers that are drawn evenly from [0, 1)."""
    kind: Any = _floating("rand", dtype)
    return Tensor(np.asarray(rng.random(sizes_of(shape), kind)), requires_grad)


def randn(
    *shape: int | Sequence[int],
    rng: np.random.Generator,
    dtype: DTypeLike = "float32",
    requires_grad: bool = False,
) -> Tensor:
    """Return numbers that are drawn from the standard normal distribution."""
    kind: Any = _floating("randn", dtype)
    drawn = rng.standard_normal(sizes_of(shape), kind)
    return Tensor(np.asarray(drawn), requires_grad)


# Of two or three, element by element, with broadcasting.


def maximum(a: Operand, b: Operand) -> Tensor:
    """Return the larger of two; where they are equal, each gets half the gradient."""
    return together("maximum", a, b)


def minimum(a: Operand, b: Operand) -> Tensor:
    """Return the smaller of two; where they are equal, each gets half the gradient."""
    return together("minimum", a, b)


def where(condition: Operand, a: Operand, b: Operand) -> Tensor:
    """Return ``a`` where a condition holds (is not 0), else ``b``."""
    held = condition if isinstance(condition, Tensor) else np.asarray(condition)
    return together("where", held if held.dtype == bool else held != 0, a, b)


# Side by side.


def concatenate(tensors: Sequence[Operand], axis: int = 0) -> Tensor:
    """Lay tensors side by side along an axis that they have."""
    return together("concat", *_some("concatenate", tensors), axis=axis)


def stack(tensors: Sequence[Operand], axis: int = 0) -> Tensor:
    """Lay tensors of one shape side by side along a new axis."""
    parts = _some("stack", tensors)
    shapes = [np.shape(part) for part in parts]
    if len(set(shapes)) > 1:
        raise ShapeError(
            f"stack: expected tensors of one shape, got "
            f"{' and '.join(map(str, shapes))}."
        )
    place = axes_of(axis, len(shapes[0]) + 1, "stack")[0]
    lifted = [
        part.unsqueeze(place)
        if isinstance(part, Tensor)
        else np.expand_dims(np.asarray(part), place)
        for part in parts
    ]
    return together("concat", *lifted, axis=place)


# Sums of products.


def outer(a: Operand, b: Operand) -> Tensor:
    """Return all products of an element of each: (n,), (m,) → (n, m)."""
    left, right = tensor_of(a).flatten(), tensor_of(b).flatten()
    return left.unsqueeze(1) * right


def einsum(subscripts: str, *operands: Operand) -> Tensor:
    """Return sums of products, with a letter for each axis.

    Letters that the output lacks are summed over: ``"ij,jk->ik"`` is the matrix
    product, ``"bhqd,bhkd->bhqk"`` the scores of attention. ``...`` stands for any
    further axes; without ``->``, the output has the letters that occur once.
    """
    return together("einsum", *_some("einsum", operands), subscripts=subscripts)


def together(name: str, *operands: Operand, **arguments: Any) -> Tensor:
    """Apply an op to tensors and plain arrays; also where none of them is a tensor."""
    if not any(isinstance(operand, Tensor) for operand in operands):
        *first, last = operands
        operands = (*first, tensor_of(last))
    return operate(name, *operands, **arguments)


def tensor_of(value: Operand) -> Tensor:
    """Return a tensor as it is, and one of anything else."""
    return value if isinstance(value, Tensor) else Tensor(value)


def _some(name: str, operands: Sequence[Operand]) -> Sequence[Operand]:
    if not len(operands):
        raise ShapeError(f"{name}: expected one tensor at least, got none.")
    return operands


def _floating(name: str, dtype: DTypeLike) -> np.dtype[Any]:
    wanted = np.dtype(dtype)
    if wanted not in (np.float32, np.float64):
        raise NncliError(f"{name}: expected float32 or float64, got {wanted}.")
    return wanted
