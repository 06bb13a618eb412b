"""Ops of Tensor's methods as PyTorch has them, and points where they are tested."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import pytest

from nncli.autograd.function import FUNCTIONS, Function
from nncli.autograd.operators import GIVEN
from nncli.core.arrays import Array
from nncli.ops import choose, einsum, index, order, powers, reduce, shape

torch = pytest.importorskip("torch", reason="PyTorch is the oracle of these tests")


def _getitem(f: Any, x: Any, *places: Any) -> Any:
    given = iter(places)
    parts = f.index if isinstance(f.index, tuple) else (f.index,)
    return x[tuple(next(given) if part is GIVEN else part for part in parts)]


def _pad(f: Any, x: Any) -> Any:
    # PyTorch counts the axes from the last one.
    widths = [width for pair in reversed(f.widths) for width in pair]
    return torch.nn.functional.pad(x, widths, value=f.value)


def _gather(f: Any, x: Any, places: Any) -> Any:
    return torch.gather(x, f.axis, places % x.shape[f.axis])


def _argsort(f: Any, x: Any) -> Any:
    return torch.argsort(x, dim=f.axis, descending=f.descending, stable=True)


def _prod(f: Any, x: Any) -> Any:
    axes = range(x.ndim) if f.axis is None else np.atleast_1d(f.axis)
    for axis in sorted((axis % x.ndim for axis in axes), reverse=True):
        x = x.prod(int(axis), keepdim=f.keepdims)
    return x


def _spread(name: str, f: Any, x: Any) -> Any:
    function: Callable[..., Any] = getattr(torch, name)
    return function(x, f.axis, correction=f.correction, keepdim=f.keepdims)


def _reduced(name: str, f: Any, x: Any) -> Any:
    axes = tuple(range(x.ndim)) if f.axis is None else f.axis
    return getattr(torch, name)(x, axes, keepdim=f.keepdims)


def _place(name: str, f: Any, x: Any) -> Any:
    return getattr(torch, name)(x, f.axis, keepdim=f.keepdims)


def _same(name: str) -> Callable[..., Any]:
    """Return PyTorch's function, which takes the arrays alone."""
    return lambda f, *inputs: getattr(torch, name)(*inputs)


UNARY = (
    *("abs", "square", "sqrt", "reciprocal", "expm1", "log1p", "log2", "log10"),
    *("sin", "cos", "tan", "arctan", "erf", "sign", "floor", "ceil"),
)
TESTS = ("isnan", "isinf", "isfinite", "logical_not")
BINARY = ("maximum", "minimum", "remainder", "pow")
COMPARISONS = (
    *("less", "less_equal", "greater", "greater_equal", "not_equal"),
    *("logical_and", "logical_or", "logical_xor"),
)
BITWISE = ("bitwise_and", "bitwise_or", "bitwise_xor")

# Called with our Function, for its arguments, and PyTorch's tensors.
TORCH: dict[str, Callable[..., Any]] = {
    **{name: _same(name) for name in (*UNARY, *TESTS, *BINARY, *COMPARISONS, *BITWISE)},
    "equal": _same("eq"),
    "floor_divide": lambda f, a, b: torch.div(a, b, rounding_mode="floor"),
    "invert": _same("bitwise_not"),
    "where": _same("where"),
    "round": lambda f, x: torch.round(x, decimals=f.decimals),
    "clip": lambda f, x: torch.clamp(x, f.low, f.high),
    "astype": lambda f, x: x.to(getattr(torch, f.dtype.name)),
    "astype_integer": lambda f, x: x.to(getattr(torch, f.dtype.name)),
    "prod": _prod,
    "cumsum": lambda f, x: torch.cumsum(x, f.axis),
    "var": partial(_spread, "var"),
    "std": partial(_spread, "std"),
    "norm": lambda f, x: torch.linalg.vector_norm(x, 2, f.axis, f.keepdims),
    "any": partial(_reduced, "any"),
    "all": partial(_reduced, "all"),
    "amax": partial(_reduced, "amax"),
    "amin": partial(_reduced, "amin"),
    "argmax": partial(_place, "argmax"),
    "argmin": partial(_place, "argmin"),
    "argsort": _argsort,
    "expand": lambda f, x: x.expand(f.shape),
    "pad": _pad,
    "getitem": _getitem,
    "gather": _gather,
    "einsum": lambda f, *inputs: torch.einsum(f.subscripts, *inputs),
}

KINKS = np.array([-2.5, -2.0, -1.0, -0.5, -0.0, 0.0, 0.5, 1.0, 1.5, 2.0, 3.0])
"""Whole numbers, halves, both zeros."""

FAR = np.array([-1e300, -745.0, -30.0, -1e-300, 1e-300, 1e-9, 0.3, 30.0, 700.0])


def _draw(*sizes: int) -> Array:
    return np.random.default_rng(sum(sizes)).normal(size=sizes)


def cases() -> Iterator[tuple[str, Callable[[], Function], tuple[Array, ...]]]:
    """Yield calls beside those that the ops declare themselves."""
    ops: dict[str, Callable[..., Any]] = {**FUNCTIONS.scan()}
    for name in (*UNARY, *TESTS, "round"):
        points = [KINKS] if name in ("tan",) else [KINKS, FAR]
        for x in points:
            # PyTorch's logarithms of negative numbers are no numbers either.
            yield (
                name,
                ops[name],
                (np.abs(x) if "log" in name or name == "sqrt" else x,),
            )
    pairs = np.meshgrid(KINKS, KINKS)
    for name in (*BINARY, *COMPARISONS, "equal", "floor_divide"):
        a, b = (x[:, ::2] for x in pairs)
        if name in ("floor_divide", "remainder"):
            b = np.where(b == 0, 0.75, b)
        if name == "pow":
            a = np.abs(a)
        yield name, ops[name], (a.copy(), b.copy())
    for low, high in ((-1.0, 1.0), (None, 0.5), (0.0, None), (2.0, -1.0)):
        yield "clip", partial(choose.Clip, low, high), (KINKS,)
    for exponent in (0.5, -0.5, 2.5):
        yield "power", partial(powers.Power, exponent), (KINKS + 2.75,)
    for axis in (None, 0, 1, -1, (0, 1), (-1, 0)):
        for keepdims in (False, True):
            for name in ("prod", "var", "std", "norm", "amax", "amin", "any", "all"):
                yield name, partial(ops[name], axis, keepdims), (_draw(3, 2, 5),)
    tied = np.array([[1.0, 3.0, 3.0], [-2.0, -2.0, -2.0], [0.0, -0.0, 0.5]])
    for name in ("amax", "amin", "norm", "prod", "std"):
        yield name, partial(ops[name], -1), (tied * (name != "norm"),)
        yield name, ops[name], (tied,)
    for zeros in ((), (1,), (1, 2), (0, 1, 2, 3)):
        x = _draw(4)
        x[list(zeros)] = 0
        yield "prod", reduce.Prod, (x,)
    yield "std", partial(reduce.Std, -1, False, 0), (_draw(4, 1),)
    for axis in (0, 1, -1):
        yield "cumsum", partial(reduce.CumSum, axis), (_draw(3, 4, 2),)
        yield "argsort", partial(order.ArgSort, axis), (_draw(3, 4, 2),)
    special = np.array([2.0, np.nan, -np.inf, 2.0, np.inf, -1.0])
    for descending in (False, True):
        yield "argsort", partial(order.ArgSort, -1, descending), (special,)
    for name in ("argmax", "argmin"):
        yield name, ops[name], (np.array([[1.0, np.nan], [np.nan, 5.0]]),)
    yield "expand", partial(shape.Expand, (2, 3, 4)), (_draw(3, 1),)
    yield "gather", partial(index.Gather, 1), (_draw(3, 4), np.array([[0, 0, 3, -1]]))
    for subscripts, sizes in (
        ("ij,kj->ik", ((2, 3), (4, 3))),
        ("ij,jk,kl->il", ((2, 3), (3, 4), (4, 2))),
        ("iij->j", ((3, 3, 2),)),
        ("iij,i->ij", ((3, 3, 2), (3,))),
        ("i,i,i->", ((3,), (3,), (3,))),
        ("ij->ji", ((2, 3),)),
        (",ij->ij", ((), (2, 3))),
        ("ba", ((2, 3),)),
        ("ij,k->k", ((2, 3), (4,))),
        ("bij,bjk->bki", ((2, 3, 4), (2, 4, 5))),
    ):
        inputs = tuple(_draw(*size) for size in sizes)
        yield "einsum", partial(einsum.Einsum, subscripts), inputs
