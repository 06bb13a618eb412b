"""What a tensor can do, beside what PyTorch calls it, and where it is tried."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import nncli as nn
from nncli.core.arrays import Array, Shape, batch_innermost

torch = pytest.importorskip("torch", reason="PyTorch is the oracle of these tests")

SHAPES: tuple[Shape, ...] = ((), (0,), (3, 0), (1,), (5,), (3, 1), (2, 3, 4))
PAIRS: tuple[tuple[Shape, Shape], ...] = (
    ((), ()),
    ((3,), ()),
    ((0,), (1,)),
    ((3, 0), (1,)),
    ((5,), (5,)),
    ((3, 1), (4,)),
    ((2, 3, 4), (3, 1)),
    ((1,), (2, 3, 4)),
    ((2, 3, 4), (2, 3, 4)),
)
DTYPES = ("float32", "float64", "int64", "int8", "uint8", "bool")


def orders(array: Array) -> Iterator[tuple[str, Array]]:
    """Yield the same values row-major, batch innermost, with gaps, and reversed."""
    yield "row-major", np.array(array, order="C")
    if not array.ndim:
        return
    turned = batch_innermost(array.shape, array.dtype)
    turned[...] = array
    yield "batch innermost", turned
    wide = np.full([2 * size for size in array.shape], 1, array.dtype)
    gaps = wide[tuple(slice(None, None, 2) for _ in array.shape)]
    gaps[...] = array
    yield "strided", gaps
    flip = tuple(slice(None, None, -1) for _ in array.shape)
    yield "reversed", np.array(array[flip], order="C")[flip]


@dataclass(frozen=True)
class Op:
    """One operation: how it is written here and in PyTorch.

    Attributes:
        ours: With tensors of nncli.
        theirs: With PyTorch's.
        low: The smallest number that it is tried with.
        high: The largest one.
        axes: How many axes its first input has at least.
        empty: It takes tensors without elements.
        gradient: It has a derivative.
        whole: It is tried with integers and booleans, too.
    """

    ours: Callable[..., Any]
    theirs: Callable[..., Any]
    low: float = -2.0
    high: float = 2.0
    axes: int = 0
    empty: bool = True
    gradient: bool = True
    whole: bool = True

    def draw(self, shape: Shape, seed: int = 0) -> Array:
        """Return numbers to try it with, none of them next to a jump."""
        rng = np.random.default_rng([seed, *shape])
        return np.asarray(rng.uniform(self.low, self.high, shape))


def same(name: str, **settings: Any) -> Op:
    """Return a method that has the same name in PyTorch."""
    return Op(
        operator.methodcaller(name), lambda x: getattr(torch, name)(x), **settings
    )


UNARY: dict[str, Op] = {
    **{
        name: same(name)
        for name in ("abs", "square", "exp", "expm1", "sin", "cos", "arctan", "erf")
    },
    **{
        name: same(name, low=0.1)
        for name in ("sqrt", "rsqrt", "reciprocal", "log", "log1p", "log2", "log10")
    },
    **{name: same(name) for name in ("relu", "sigmoid", "tanh", "clone", "square")},
    **{
        name: same(name, gradient=False)
        for name in ("isnan", "isinf", "isfinite", "logical_not")
    },
    **{name: same(name) for name in ("sign", "floor", "ceil", "round")},
    "tan": same("tan", low=-1.0, high=1.0),
    "round to decimals": Op(
        lambda x: x.round(2), lambda x: torch.round(x, decimals=2), whole=False
    ),
    "clip": Op(lambda x: x.clip(-0.5, 1), lambda x: x.clip(-0.5, 1)),
    "clip from below": Op(lambda x: x.clip(min=0), lambda x: x.clip(min=0)),
    "clip from above": Op(lambda x: x.clip(max=1), lambda x: x.clip(max=1)),
    "-x": Op(operator.neg, operator.neg),
    "+x": Op(operator.pos, operator.pos),
    "abs(x)": Op(abs, abs),
    "~x": Op(operator.invert, operator.invert, gradient=False),
    "x ** 2": Op(lambda x: x**2, lambda x: x**2),
    "x ** 3": Op(lambda x: x**3, lambda x: x**3),
    "x ** 0.5": Op(lambda x: x**0.5, lambda x: x**0.5, low=0.1),
    "x ** -1": Op(lambda x: x**-1, lambda x: x**-1, low=0.1, whole=False),
    "2 ** x": Op(lambda x: 2**x, lambda x: 2**x, low=0.0),
    "0.5 ** x": Op(lambda x: 0.5**x, lambda x: 0.5**x, low=0.0),
    "x + 2": Op(lambda x: x + 2, lambda x: x + 2),
    "2.5 + x": Op(lambda x: 2.5 + x, lambda x: 2.5 + x),
    "x - 2": Op(lambda x: x - 2, lambda x: x - 2),
    "2.5 - x": Op(lambda x: 2.5 - x, lambda x: 2.5 - x),
    "x * 2": Op(lambda x: x * 2, lambda x: x * 2),
    "0.5 * x": Op(lambda x: 0.5 * x, lambda x: 0.5 * x),
    "True * x": Op(lambda x: x * True, lambda x: x * True),
    "x / 2": Op(lambda x: x / 2, lambda x: x / 2),
    "3 / x": Op(lambda x: 3 / x, lambda x: 3 / x, low=0.1),
    "x // 2": Op(lambda x: x // 2, lambda x: torch.div(x, 2, rounding_mode="floor")),
    "x // 0.5": Op(
        lambda x: x // 0.5, lambda x: torch.div(x, 0.5, rounding_mode="floor")
    ),
    "x % 2": Op(lambda x: x % 2, lambda x: x % 2),
    "x % 0.7": Op(lambda x: x % 0.7, lambda x: x % 0.7),
    "x == 1": Op(lambda x: x == 1, lambda x: x == 1, gradient=False),
    "x != 1": Op(lambda x: x != 1, lambda x: x != 1, gradient=False),
    "x < 0.5": Op(lambda x: x < 0.5, lambda x: x < 0.5, gradient=False),
    "x <= 1": Op(lambda x: x <= 1, lambda x: x <= 1, gradient=False),
    "x > 0.5": Op(lambda x: x > 0.5, lambda x: x > 0.5, gradient=False),
    "1 >= x": Op(lambda x: x <= 1, lambda x: x <= 1, gradient=False),
    "x & 1": Op(lambda x: x & 1, lambda x: x & 1, gradient=False),
    "x | True": Op(lambda x: x | True, lambda x: x | True, gradient=False),
    "x ^ x": Op(lambda x: x ^ x, lambda x: x ^ x, gradient=False),
    "where": Op(
        lambda x: nn.where(x > 0, x, -1),
        lambda x: torch.where(x > 0, x, -1),
        whole=False,
    ),
}

BINARY: dict[str, Op] = {
    "a + b": Op(operator.add, operator.add),
    "a - b": Op(operator.sub, operator.sub),
    "a * b": Op(operator.mul, operator.mul),
    "a / b": Op(operator.truediv, operator.truediv, low=0.1),
    "a // b": Op(
        operator.floordiv,
        lambda a, b: torch.div(a, b, rounding_mode="floor"),
        low=0.1,
    ),
    "a % b": Op(operator.mod, torch.remainder, low=0.1),
    "a ** b": Op(operator.pow, operator.pow, low=0.1),
    "maximum": Op(nn.maximum, torch.maximum),
    "minimum": Op(nn.minimum, torch.minimum),
    "a == b": Op(operator.eq, operator.eq, gradient=False),
    "a != b": Op(operator.ne, operator.ne, gradient=False),
    "a < b": Op(operator.lt, operator.lt, gradient=False),
    "a <= b": Op(operator.le, operator.le, gradient=False),
    "a > b": Op(operator.gt, operator.gt, gradient=False),
    "a >= b": Op(operator.ge, operator.ge, gradient=False),
    "a & b": Op(operator.and_, operator.and_, gradient=False),
    "a | b": Op(operator.or_, operator.or_, gradient=False),
    "a ^ b": Op(operator.xor, operator.xor, gradient=False),
    "where(a > b, a, b)": Op(
        lambda a, b: nn.where(a > b, a, b),
        lambda a, b: torch.where(a > b, a, b),
    ),
    "outer": Op(nn.outer, lambda a, b: torch.outer(a.flatten(), b.flatten())),
}


def reduction(name: str, **settings: Any) -> Op:
    """Return a reduction, called with (x, axis, keepdims)."""
    return Op(
        lambda x, axis, keepdims: getattr(x, name)(axis, keepdims),
        lambda x, axis, keepdims: getattr(torch, name)(x, axis, keepdim=keepdims),
        **settings,
    )


def _every(x: Any, axis: Any) -> Any:
    return tuple(range(x.ndim)) if axis is None else axis


def _torch_prod(x: Any, axis: Any, keepdims: bool) -> Any:
    axes = axis if isinstance(axis, tuple) else _every(x, axis)
    for one in sorted(np.atleast_1d(axes).astype(int) % max(x.ndim, 1))[::-1]:
        x = torch.prod(x, int(one), keepdim=keepdims)
    # With no axis to multiply along, the type still is that of a product.
    return x if x.is_floating_point() else x.to(torch.int64)


def _torch_extreme(name: str) -> Callable[..., Any]:
    def extreme(x: Any, axis: Any, keepdims: bool) -> Any:
        if axis is None and not keepdims:
            return getattr(torch, name)(x)
        if axis is None or isinstance(axis, tuple):
            return getattr(torch, f"a{name}")(x, _every(x, axis), keepdim=keepdims)
        return getattr(torch, name)(x, axis, keepdim=keepdims).values

    return extreme


REDUCTIONS: dict[str, Op] = {
    "sum": reduction("sum"),
    "mean": reduction("mean", whole=False),
    "any": reduction("any", gradient=False, whole=False),
    "all": reduction("all", gradient=False, whole=False),
    "amax": reduction("amax", empty=False),
    "amin": reduction("amin", empty=False),
    "prod": Op(lambda x, axis, keepdims: x.prod(axis, keepdims), _torch_prod),
    "max": Op(
        lambda x, axis, keepdims: x.max(axis, keepdims),
        _torch_extreme("max"),
        empty=False,
    ),
    "min": Op(
        lambda x, axis, keepdims: x.min(axis, keepdims),
        _torch_extreme("min"),
        empty=False,
    ),
    "var": reduction("var", whole=False),
    "std": reduction("std", whole=False),
    "var of all there is": Op(
        lambda x, axis, keepdims: x.var(axis, keepdims, correction=0),
        lambda x, axis, keepdims: x.var(axis, correction=0, keepdim=keepdims),
        whole=False,
    ),
    "norm": Op(
        lambda x, axis, keepdims: x.norm(axis=axis, keepdims=keepdims),
        lambda x, axis, keepdims: torch.linalg.vector_norm(x, 2, axis, keepdims),
        whole=False,
    ),
    "norm of order 1": Op(
        lambda x, axis, keepdims: x.norm(1, axis, keepdims),
        lambda x, axis, keepdims: torch.linalg.vector_norm(x, 1, axis, keepdims),
        whole=False,
    ),
    "norm of order infinity": Op(
        lambda x, axis, keepdims: x.norm(np.inf, axis, keepdims),
        lambda x, axis, keepdims: torch.linalg.vector_norm(x, np.inf, axis, keepdims),
        whole=False,
        empty=False,
    ),
    "logsumexp": Op(
        lambda x, axis, keepdims: x.logsumexp(axis, keepdims),
        lambda x, axis, keepdims: torch.logsumexp(x, _every(x, axis), keepdims),
        axes=1,
        whole=False,
    ),
}

ALONG: dict[str, Op] = {
    "argmax": Op(
        lambda x, axis: x.argmax(axis),
        lambda x, axis: x.argmax(axis),
        gradient=False,
        empty=False,
    ),
    "argmin": Op(
        lambda x, axis: x.argmin(axis),
        lambda x, axis: x.argmin(axis),
        gradient=False,
        empty=False,
    ),
    "cumsum": Op(lambda x, axis: x.cumsum(axis), lambda x, axis: x.cumsum(axis)),
    "sort": Op(
        lambda x, axis: x.sort(axis),
        lambda x, axis: torch.sort(x, dim=axis, stable=True).values,
    ),
    "sort downwards": Op(
        lambda x, axis: x.sort(axis, descending=True),
        lambda x, axis: torch.sort(x, dim=axis, descending=True).values,
    ),
    "argsort": Op(
        lambda x, axis: x.argsort(axis),
        lambda x, axis: torch.argsort(x, dim=axis, stable=True),
        gradient=False,
    ),
    "topk": Op(
        lambda x, axis: x.topk(min(2, x.shape[axis]), axis)[0],
        lambda x, axis: x.topk(min(2, x.shape[axis]), axis).values,
        whole=False,
    ),
    "places of topk": Op(
        lambda x, axis: x.topk(min(2, x.shape[axis]), axis, largest=False)[1],
        lambda x, axis: x.topk(min(2, x.shape[axis]), axis, largest=False).indices,
        gradient=False,
        whole=False,
    ),
    "softmax": Op(
        lambda x, axis: x.softmax(axis), lambda x, axis: x.softmax(axis), whole=False
    ),
    "log_softmax": Op(
        lambda x, axis: x.log_softmax(axis),
        lambda x, axis: x.log_softmax(axis),
        whole=False,
    ),
    "flip": Op(lambda x, axis: x.flip(axis), lambda x, axis: x.flip(axis)),
    "roll": Op(lambda x, axis: x.roll(2, axis), lambda x, axis: x.roll(2, axis)),
    "unsqueeze": Op(
        lambda x, axis: x.unsqueeze(axis), lambda x, axis: x.unsqueeze(axis)
    ),
    "squeeze": Op(lambda x, axis: x.squeeze(axis), lambda x, axis: x.squeeze(axis)),
    "moveaxis": Op(
        lambda x, axis: x.moveaxis(axis, 0), lambda x, axis: x.moveaxis(axis, 0)
    ),
    "swapaxes": Op(
        lambda x, axis: x.swapaxes(axis, -1), lambda x, axis: x.swapaxes(axis, -1)
    ),
    "split": Op(
        lambda x, axis: x.split(2, axis)[-1], lambda x, axis: x.split(2, axis)[-1]
    ),
    "split by sizes": Op(
        lambda x, axis: x.split([0, x.shape[axis]], axis)[1],
        lambda x, axis: x.split([0, x.shape[axis]], axis)[1],
    ),
    "repeat_interleave": Op(
        lambda x, axis: x.repeat_interleave(2, axis),
        lambda x, axis: x.repeat_interleave(2, axis),
    ),
    "concatenate": Op(
        lambda x, axis: nn.concatenate([x, x * 2, x], axis),
        lambda x, axis: torch.cat([x, x * 2, x], axis),
    ),
    "stack": Op(
        lambda x, axis: nn.stack([x, x], axis),
        lambda x, axis: torch.stack([x, x], axis),
    ),
    "first": Op(
        lambda x, axis: x[(slice(None),) * axis + (0,)],
        lambda x, axis: x[(slice(None),) * axis + (0,)],
        empty=False,
    ),
    "gather": Op(
        lambda x, axis: x.gather(axis, np.zeros(x.shape, int)),
        lambda x, axis: x.gather(axis, torch.zeros(x.shape, dtype=torch.int64)),
        empty=False,
    ),
    "take_along_axis": Op(
        lambda x, axis: x.take_along_axis(np.zeros([1] * x.ndim, int), axis),
        lambda x, axis: torch.take_along_dim(
            x, torch.zeros([1] * x.ndim, dtype=torch.int64), axis
        ),
        empty=False,
    ),
}

SHAPING: dict[str, Op] = {
    "reshape": Op(lambda x: x.reshape(x.size), lambda x: x.reshape(x.numel())),
    "flatten": Op(lambda x: x.flatten(), lambda x: x.flatten()),
    "flatten the last": Op(lambda x: x.flatten(-2), lambda x: x.flatten(-2), axes=2),
    "squeeze all": Op(lambda x: x.squeeze(), lambda x: x.squeeze()),
    "expand": Op(
        lambda x: x.expand(2, *[-1] * x.ndim), lambda x: x.expand(2, *[-1] * x.ndim)
    ),
    "transpose": Op(
        lambda x: x.transpose(), lambda x: x.permute(tuple(range(x.ndim))[::-1])
    ),
    "T": Op(lambda x: x.T, lambda x: x.permute(tuple(range(x.ndim))[::-1])),
    "repeat": Op(
        lambda x: x.repeat(2, *[3] * x.ndim), lambda x: x.repeat(2, *[3] * x.ndim)
    ),
    "tile": Op(lambda x: x.tile(2), lambda x: x.tile(2)),
    "tile new axes": Op(lambda x: x.tile(2, 1, 1, 2), lambda x: x.tile(2, 1, 1, 2)),
    "repeat_interleave all": Op(
        lambda x: x.repeat_interleave(2), lambda x: x.repeat_interleave(2)
    ),
    "flip all": Op(lambda x: x.flip(), lambda x: x.flip(tuple(range(x.ndim)))),
    "roll all": Op(lambda x: x.roll(1), lambda x: x.roll(1)),
    "pad": Op(
        lambda x: x.pad((1, 2), 0.5),
        lambda x: torch.nn.functional.pad(x, (1, 2) * x.ndim, value=0.5),
        axes=1,
        whole=False,
    ),
    "diagonal": Op(lambda x: x.diagonal(), lambda x: x.diagonal(), axes=2),
    "diagonal beside": Op(
        lambda x: x.diagonal(1, -1, 0), lambda x: x.diagonal(1, -1, 0), axes=2
    ),
    "tril": Op(lambda x: x.tril(), lambda x: x.tril(), axes=2),
    "triu": Op(lambda x: x.triu(1), lambda x: x.triu(1), axes=2),
    "last two": Op(lambda x: x[..., -2:], lambda x: x[..., -2:], axes=1),
    "every other": Op(lambda x: x[::2], lambda x: x[::2], axes=1),
    "new axis": Op(lambda x: x[None, ..., None], lambda x: x[None, ..., None]),
    "mask": Op(lambda x: x[x > 0], lambda x: x[x > 0]),
    "twice the same": Op(
        lambda x: x[[0, 0, -1]], lambda x: x[[0, 0, -1]], axes=1, empty=False
    ),
    "einsum": Op(
        lambda x: nn.einsum("...i,...i->...", x, x),
        lambda x: torch.einsum("...i,...i->...", x, x),
        axes=1,
    ),
    "dtype": Op(lambda x: x.astype("float64"), lambda x: x.to(torch.float64)),
}
