"""NumPy's functions on tensors: ``np.exp(t)`` is the op, so that gradients go through.

Functions have NumPy's arguments and NumPy's conventions here: ``np.var`` divides by n,
``np.repeat`` repeats each element. What tensors do not have is refused, since its
gradient would be lost unseen.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np

from nncli.autograd import functions
from nncli.autograd.function import FUNCTIONS
from nncli.autograd.functions import tensor_of, together
from nncli.autograd.tensor import Tensor
from nncli.autograd.value import array_of
from nncli.core.errors import NncliError

NumpyFunction = Callable[..., Any]


def call_ufunc(
    ufunc: np.ufunc, method: str, inputs: tuple[Any, ...], arguments: dict[str, Any]
) -> Any:
    """Call what a NumPy function of each element is here."""
    name = ufunc.__name__
    if method != "__call__" or arguments:
        beyond = ", ".join(arguments) if method == "__call__" else method
        refuse(f"{name} with {beyond}")
    if name in RENAMED:
        return RENAMED[name](*map(tensor_of, inputs[:1]), *inputs[1:])
    if FUNCTIONS.find(name) is None:
        refuse(name)
    return together(name, *inputs)


def call_function(
    function: NumpyFunction, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """Call what another function of NumPy is here."""
    name = function.__name__
    if function in READING:
        plain = {key: array_of(value) for key, value in kwargs.items()}
        return function(*map(array_of, args), **plain)
    if function not in KNOWN:
        refuse(name)
    try:
        inspect.signature(KNOWN[function]).bind(*args, **kwargs)
    except TypeError as error:
        refuse(name, f" with these arguments ({error})")
    return KNOWN[function](*args, **kwargs)


def refuse(what: str, more: str = "") -> NoReturn:
    """Say that tensors have no such function."""
    raise NncliError(
        f"numpy: expected a function that tensors have, got {what}{more}. For its "
        "value without a gradient, use t.data."
    )


def _reduction(name: str) -> NumpyFunction:
    method: NumpyFunction = getattr(Tensor, name)
    return lambda a, axis=None, *, keepdims=False: method(tensor_of(a), axis, keepdims)


def _method(name: str) -> NumpyFunction:
    method: NumpyFunction = getattr(Tensor, name)
    return lambda a, *args, **kwargs: method(tensor_of(a), *args, **kwargs)


def _norm(x: Any, order: Any, axis: Any, keepdims: bool) -> Tensor:
    tensor = tensor_of(x)
    axes = tensor.ndim if axis is None else np.size(axis)
    if order is not None and axes > 1:
        refuse("linalg.norm", " of a matrix")
    return tensor.norm(2 if order is None else order, axis, keepdims)


def _einsum(subscripts: str, *operands: Any, **how: Any) -> Tensor:
    if how.keys() - {"optimize"}:
        refuse("einsum", f" with {', '.join(how)}")
    return functions.einsum(subscripts, *operands)


def _dot(a: Any, b: Any) -> Tensor:
    if min(np.ndim(a), np.ndim(b)) == 0:
        return together("multiply", a, b)
    if np.ndim(b) > 2:
        refuse("dot", " of more than two axes")
    return together("matmul", a, b)


def _split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Tensor]:
    tensor = tensor_of(ary)
    length = tensor.shape[axis]
    if isinstance(indices_or_sections, int):
        parts = indices_or_sections
        if parts < 1 or length % parts:
            refuse("split", f" of {length} into {parts} unequal parts")
        return list(tensor.split([length // parts] * parts, axis))
    ends = [*np.clip(indices_or_sections, 0, length).tolist(), length]
    sizes = np.diff(np.maximum.accumulate(ends), prepend=0)
    return list(tensor.split(sizes.tolist(), axis))


def _pad(array: Any, pad_width: Any, mode: str = "constant", **values: Any) -> Tensor:
    value = values.pop("constant_values", 0)
    if mode != "constant" or values or np.ndim(value):
        refuse("pad", " with other values than one constant")
    return tensor_of(array).pad(pad_width, value)


def _clip(a: Any, a_min: Any = None, a_max: Any = None, **bounds: Any) -> Tensor:
    return tensor_of(a).clip(**({"min": a_min, "max": a_max} | bounds))


RENAMED: dict[str, NumpyFunction] = {
    "absolute": Tensor.abs,
    "rint": Tensor.round,
    "positive": lambda x: x,
    "power": lambda a, b: a**b,
    "square": Tensor.square,
}
"""Functions of each element that have another name here, by NumPy's name."""

KNOWN: dict[NumpyFunction, NumpyFunction] = {
    # Reductions.
    np.sum: _reduction("sum"),
    np.mean: _reduction("mean"),
    np.prod: _reduction("prod"),
    np.any: _reduction("any"),
    np.all: _reduction("all"),
    np.max: _reduction("amax"),
    np.amax: _reduction("amax"),
    np.min: _reduction("amin"),
    np.amin: _reduction("amin"),
    np.argmax: _reduction("argmax"),
    np.argmin: _reduction("argmin"),
    np.var: lambda a, axis=None, *, ddof=0, keepdims=False: tensor_of(a).var(
        axis, keepdims, correction=ddof
    ),
    np.std: lambda a, axis=None, *, ddof=0, keepdims=False: tensor_of(a).std(
        axis, keepdims, correction=ddof
    ),
    np.linalg.norm: lambda x, ord=None, axis=None, keepdims=False: _norm(  # noqa: A006 - NumPy's name
        x, ord, axis, keepdims
    ),
    np.trace: lambda a, *args, **kwargs: tensor_of(a).diagonal(*args, **kwargs).sum(-1),
    # Functions of each element, and order.
    np.round: lambda a, decimals=0: tensor_of(a).round(decimals),
    np.around: lambda a, decimals=0: tensor_of(a).round(decimals),
    np.clip: _clip,
    np.where: lambda condition, x, y: functions.where(condition, x, y),
    np.cumsum: lambda a, axis=None: tensor_of(a).cumsum(axis),
    np.sort: lambda a, axis=-1: _flat(a, axis).sort(axis or 0),
    np.argsort: lambda a, axis=-1: _flat(a, axis).argsort(axis or 0),
    np.take_along_axis: lambda arr, indices, axis=-1: tensor_of(arr).take_along_axis(
        indices, axis
    ),
    # Shape.
    np.reshape: lambda a, shape: tensor_of(a).reshape(shape),
    np.ravel: lambda a: tensor_of(a).flatten(),
    np.squeeze: lambda a, axis=None: tensor_of(a).squeeze(axis),
    np.expand_dims: lambda a, axis: tensor_of(a).unsqueeze(axis),
    np.broadcast_to: lambda array, shape: tensor_of(array).expand(shape),
    np.transpose: lambda a, axes=None: tensor_of(a).transpose(*(axes or ())),
    np.swapaxes: _method("swapaxes"),
    np.moveaxis: _method("moveaxis"),
    np.flip: lambda m, axis=None: tensor_of(m).flip(axis),
    np.roll: lambda a, shift, axis=None: tensor_of(a).roll(shift, axis),
    np.repeat: lambda a, repeats, axis=None: tensor_of(a).repeat_interleave(
        repeats, axis
    ),
    np.tile: lambda A, reps: tensor_of(A).tile(reps),  # noqa: N803 - NumPy's name
    np.pad: _pad,
    np.split: _split,
    np.diagonal: _method("diagonal"),
    np.tril: lambda m, k=0: tensor_of(m).tril(k),
    np.triu: lambda m, k=0: tensor_of(m).triu(k),
    np.copy: lambda a: tensor_of(a).clone(),
    # Several tensors.
    np.concatenate: lambda arrays, axis=0: functions.concatenate(
        [_flat(array, axis) for array in arrays], axis or 0
    ),
    np.stack: lambda arrays, axis=0: functions.stack(arrays, axis),
    np.dot: _dot,
    np.outer: lambda a, b: functions.outer(a, b),
    np.einsum: _einsum,
    # New ones.
    np.zeros_like: lambda a, dtype=None: Tensor(np.zeros_like(array_of(a), dtype)),
    np.ones_like: lambda a, dtype=None: Tensor(np.ones_like(array_of(a), dtype)),
    np.full_like: lambda a, fill_value, dtype=None: Tensor(
        np.full_like(array_of(a), fill_value, dtype)
    ),
}
"""What functions of NumPy are here; their arguments have NumPy's names."""

READING: set[NumpyFunction] = {
    *(np.allclose, np.array_equal, np.isclose, np.argwhere, np.count_nonzero),
    *(np.nonzero, np.ndim, np.shape, np.size, np.may_share_memory, np.shares_memory),
    *(np.array_repr, np.array_str, np.array2string, np.can_cast, np.result_type),
    *(np.save, np.savez),
}
"""What only looks at values, and has no derivative: called with the arrays."""


def _flat(a: Any, axis: int | None) -> Tensor:
    """Return a tensor, with one axis where NumPy is given None for it."""
    return tensor_of(a).flatten() if axis is None else tensor_of(a)
