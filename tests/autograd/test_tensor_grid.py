"""Tensor against PyTorch over shapes, memory orders and types: values and gradients."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
import pytest

from nncli.autograd.tensor import Tensor
from nncli.core.arrays import Array, Shape
from nncli.core.errors import NncliError
from tests.autograd.grid import (
    ALONG,
    BINARY,
    DTYPES,
    PAIRS,
    REDUCTIONS,
    SHAPES,
    SHAPING,
    UNARY,
    Op,
    orders,
    torch,
)
from tests.parity import distance

torch.set_num_threads(1)

pytestmark = [
    pytest.mark.parity,
    # PyTorch warns where a variance has too few numbers.
    pytest.mark.filterwarnings("ignore:.*degrees of freedom"),
]

FLOATS = {"float64": 1e-10, "float32": 2e-5}


def compare(op: Op, arrays: list[Array], arguments: tuple[Any, ...], what: str) -> None:
    """Compare value, type and gradients of one call; fail with what it was."""
    ours = [Tensor(array, requires_grad=op.gradient) for array in arrays]
    theirs = [
        torch.tensor(np.array(array, order="C"), requires_grad=op.gradient)
        for array in arrays
    ]
    expected = op.theirs(*theirs, *arguments)
    found = op.ours(*ours, *arguments)
    same(found, expected, what)
    if not op.gradient:
        assert not found.requires_grad, what
        return
    weights = np.random.default_rng(1).normal(size=found.shape).astype(found.dtype)
    found.backward(weights)
    expected.backward(torch.tensor(weights))
    for mine, other, array in zip(ours, theirs, arrays, strict=True):
        assert mine.grad is not None, what
        wanted = np.zeros(array.shape) if other.grad is None else other.grad.numpy()
        error = distance(mine.grad, wanted, special=True)
        assert error <= FLOATS[str(array.dtype)], f"{what}: gradient {error:.3g} apart"


def same(found: Tensor, expected: Any, what: str) -> None:
    """Compare a value and its type."""
    theirs = expected.detach().numpy()
    assert found.shape == theirs.shape, f"{what}: {found.shape}, not {theirs.shape}"
    assert found.dtype == theirs.dtype, f"{what}: {found.dtype}, not {theirs.dtype}"
    error = distance(found.data, theirs, special=True)
    tolerance = FLOATS.get(str(found.dtype), 0.0)
    assert error <= tolerance, f"{what}: {error:.3g} apart"


def inputs(op: Op, *shapes: Shape) -> Iterator[tuple[str, list[Array]]]:
    """Yield inputs of some shapes, in every memory order, and in float32."""
    drawn = [op.draw(shape, seed) for seed, shape in enumerate(shapes)]
    for dtype in FLOATS:
        kinds = [dict(orders(array.astype(dtype))) for array in drawn]
        every = dict.fromkeys(name for kind in kinds for name in kind)
        for order in every if dtype == "float64" else ("row-major",):
            arrays = [kind.get(order, kind["row-major"]) for kind in kinds]
            yield f"{' and '.join(map(str, shapes))} {dtype} {order}", arrays


def fits(op: Op, shape: Shape) -> bool:
    return len(shape) >= op.axes and (op.empty or 0 not in shape)


ALONE: dict[str, Op] = {**UNARY, **SHAPING}


@pytest.mark.parametrize("name", ALONE)
def test_operation_agrees_with_torch(name: str) -> None:
    op = ALONE[name]
    if name in ("~x", "x & 1", "x | True", "x ^ x"):
        pytest.skip("defined on integers and booleans only")
    for shape in filter(lambda shape: fits(op, shape), SHAPES):
        for what, arrays in inputs(op, shape):
            compare(op, arrays, (), f"{name} of {what}")


@pytest.mark.parametrize("name", BINARY)
def test_operation_of_two_agrees_with_torch(name: str) -> None:
    op = BINARY[name]
    if name in ("a & b", "a | b", "a ^ b"):
        pytest.skip("defined on integers and booleans only")
    for pair in PAIRS:
        for what, arrays in inputs(op, *pair):
            compare(op, arrays, (), f"{name} of {what}")


@pytest.mark.parametrize("name", REDUCTIONS)
def test_reduction_agrees_with_torch(name: str) -> None:
    op = REDUCTIONS[name]
    for shape in filter(lambda shape: fits(op, shape), SHAPES):
        several = [tuple(range(len(shape)))[1:]] if len(shape) > 1 else []
        for axis in (None, *range(-1, len(shape)), *several):
            if not shape and axis is not None:
                continue
            for keepdims, (what, arrays) in product((False, True), inputs(op, shape)):
                text = f"{name} of {what} axis={axis} keepdims={keepdims}"
                compare(op, arrays, (axis, keepdims), text)


@pytest.mark.parametrize("name", ALONG)
def test_operation_along_an_axis_agrees_with_torch(name: str) -> None:
    op = ALONG[name]
    for shape in filter(lambda shape: shape and fits(op, shape), SHAPES):
        for axis in range(len(shape)):
            for what, arrays in inputs(op, shape):
                compare(op, arrays, (axis,), f"{name} of {what} axis={axis}")


PRODUCTS: tuple[tuple[Shape, Shape], ...] = (
    ((3,), (3,)),
    ((0,), (0,)),
    ((3,), (3, 2)),
    ((2, 3), (3,)),
    ((2, 3), (3, 1)),
    ((0, 3), (3, 2)),
    ((2, 0), (0, 2)),
    ((3,), (4, 3, 2)),
    ((4, 2, 3), (3,)),
    ((5, 1, 2, 3), (4, 3, 2)),
)


def test_matrix_product_agrees_with_torch() -> None:
    op = Op(lambda a, b: a @ b, lambda a, b: a @ b)
    for pair in PRODUCTS:
        for what, arrays in inputs(op, *pair):
            compare(op, arrays, (), f"a @ b of {what}")


def typed(op: Op, dtype: str, seed: int = 0) -> Array:
    """Return numbers of a type, small enough for all of them."""
    low = 1 if op.low >= 0 else 0 if dtype in ("uint8", "bool") else -2
    drawn = np.random.default_rng(seed).integers(low, 4, (2, 3))
    return drawn.astype(dtype)


def agree_in_type(op: Op, arrays: list[Array], arguments: Any, what: str) -> bool:
    """Compare value and type; return False where both refuse, or PyTorch alone."""
    try:
        expected = op.theirs(*map(torch.tensor, arrays), *arguments)
    except (RuntimeError, TypeError):
        return False
    same(op.ours(*map(Tensor, arrays), *arguments), expected, what)
    return True


@pytest.mark.parametrize("name", [n for n, op in ALONE.items() if op.whole])
def test_operation_has_the_types_of_torch(name: str) -> None:
    op = ALONE[name]
    tried = [
        agree_in_type(op, [typed(op, dtype)], (), f"{name} of {dtype}")
        for dtype in DTYPES
    ]
    assert any(tried)


@pytest.mark.parametrize("name", BINARY)
def test_operation_of_two_has_the_types_of_torch(name: str) -> None:
    op = BINARY[name]
    tried = []
    for left, right in product(DTYPES, DTYPES):
        arrays, what = (
            [typed(op, left), typed(op, right, 1)],
            f"{name}, {left}, {right}",
        )
        if {left, right} == {"float32", "float64"}:
            if op.gradient:
                with pytest.raises(NncliError, match="expected tensors of one type"):
                    op.ours(*map(Tensor, arrays))
            continue
        tried.append(agree_in_type(op, arrays, (), what))
    assert any(tried)


@pytest.mark.parametrize(
    "name", [n for n, op in {**REDUCTIONS, **ALONG}.items() if op.whole]
)
def test_reduction_has_the_types_of_torch(name: str) -> None:
    op = {**REDUCTIONS, **ALONG}[name]
    arguments = (1, False) if name in REDUCTIONS else (1,)
    tried = [
        agree_in_type(op, [typed(op, dtype)], arguments, f"{name} of {dtype}")
        for dtype in DTYPES
    ]
    assert any(tried)
