"""Tape, engine and replay against derivatives worked out by plain loops over numbers.

Nothing here asks PyTorch: each graph is small enough to be differentiated by hand, and
each is run eagerly, twice, and by a replay.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from nncli.autograd.replay import Replay
from nncli.autograd.tape import record
from nncli.autograd.tensor import Tensor
from nncli.core.arrays import Array


@dataclass
class Number:
    """A number with a derivative, worked out by the chain rule one path at a time."""

    value: float
    parents: list[tuple[Number, float]] = field(default_factory=list)
    slope: float = 0.0

    def __add__(self, other: Number) -> Number:
        return Number(self.value + other.value, [(self, 1.0), (other, 1.0)])

    def __sub__(self, other: Number) -> Number:
        return Number(self.value - other.value, [(self, 1.0), (other, -1.0)])

    def __mul__(self, other: Number) -> Number:
        parents = [(self, other.value), (other, self.value)]
        return Number(self.value * other.value, parents)

    def exp(self) -> Number:
        value = float(np.exp(self.value))
        return Number(value, [(self, value)])

    def relu(self) -> Number:
        return Number(max(self.value, 0.0), [(self, float(self.value > 0))])

    def hand_down(self, slope: float = 1.0) -> None:
        """Add the slope along every path to each number on it."""
        self.slope += slope
        for parent, factor in self.parents:
            parent.hand_down(slope * factor)


def numbers(array: Array) -> Array:
    """Return an array of Numbers, which broadcasts as NumPy's arrays do."""
    return np.array([Number(float(v)) for v in array.ravel()], object).reshape(
        array.shape
    )


def each(array: Array, name: str) -> Array:
    flat = [getattr(number, name)() for number in array.ravel()]
    return np.array(flat, object).reshape(array.shape)


def slopes(array: Array) -> Array:
    return np.array([number.slope for number in array.ravel()]).reshape(array.shape)


def diamond(a: Tensor, b: Tensor, f: Callable[[Tensor, str], Tensor]) -> Tensor:
    """Two ways from one value, of which one is used twice more below."""
    top = a * b
    left, right = f(top, "exp"), f(top, "relu")
    return (left * right + left - top).sum()


def broadcast_twice(a: Tensor, b: Tensor, f: Callable[[Tensor, str], Tensor]) -> Tensor:
    """The same operand broadcast in two places, and once against itself."""
    return ((a + b) * b + f(b, "exp") * b).sum()


def same_twice(a: Tensor, b: Tensor, f: Callable[[Tensor, str], Tensor]) -> Tensor:
    """One tensor as both operands, and a chain that hands gradients on in place."""
    square = a * a
    return (f(f(square - b, "relu"), "exp") + square - (b - b)).sum()


def rows_and_columns(
    a: Tensor, b: Tensor, f: Callable[[Tensor, str], Tensor]
) -> Tensor:
    """A value that is summed, and whose sum meets it again."""
    total = (a * b).sum()
    return (f(a, "relu") * total + total * total).sum()


# Called with tensors, or with arrays of Numbers: the graphs are written once.
Graph = Callable[..., Any]
SHAPES = [((2, 3), (2, 3)), ((2, 3), (3,)), ((2, 3), (2, 1)), ((2, 2), (1, 1))]

cases = pytest.mark.parametrize(
    ("graph", "shapes"),
    [
        (graph, shapes)
        for graph in (diamond, broadcast_twice, same_twice, rows_and_columns)
        for shapes in SHAPES
    ],
    ids=lambda part: getattr(part, "__name__", str(part)),
)


def drawn(shapes: Sequence[tuple[int, ...]]) -> list[Array]:
    rng = np.random.default_rng(0)
    return [rng.normal(0, 0.7, shape) for shape in shapes]


def wanted(graph: Graph, inputs: list[Array]) -> tuple[float, list[Array]]:
    """Return the value and the derivatives by the loop."""
    loops = [numbers(array) for array in inputs]
    result: Number = graph(*loops, each)
    result.hand_down()
    return result.value, [slopes(loop) for loop in loops]


def applied(tensor: Tensor, name: str) -> Tensor:
    made: Tensor = getattr(tensor, name)()
    return made


def agrees(tensors: Sequence[Tensor], slopes: Sequence[Array], times: float) -> None:
    for tensor, slope in zip(tensors, slopes, strict=True):
        assert tensor.grad is not None
        np.testing.assert_allclose(tensor.grad, times * slope, rtol=1e-12, atol=1e-13)


@cases
def test_backward_is_the_chain_rule_along_every_path(
    graph: Graph, shapes: Sequence[tuple[int, ...]]
) -> None:
    inputs = drawn(shapes)
    value, slope = wanted(graph, inputs)
    tensors = [Tensor(array, requires_grad=True) for array in inputs]
    loss = graph(*tensors, applied)
    assert loss.item() == pytest.approx(value, rel=1e-12)
    for times in (1, 2):
        # The same tape again adds the same again.
        loss.backward()
        agrees(tensors, slope, times)
    graph(*tensors, applied).backward()
    agrees(tensors, slope, 3)
    tensors[0].zero_grad()
    tensors[1].grad = None
    graph(*tensors, applied).backward()
    agrees(tensors, slope, 1)


@cases
def test_replay_is_the_chain_rule_along_every_path(
    graph: Graph, shapes: Sequence[tuple[int, ...]]
) -> None:
    first = drawn(shapes)
    tensors = [Tensor(array.copy(), requires_grad=True) for array in first]
    with record() as steps:
        loss = graph(*tensors, applied)
    replay = Replay(steps, [loss], loss, tensors)
    for factor in (1.0, -1.3, 0.4):
        inputs = [factor * array for array in first]
        for tensor, array in zip(tensors, inputs, strict=True):
            tensor.data[...] = array
        replay.forward()
        for _ in range(2):
            # It overwrites gradients, and may be called again.
            replay.backward()
        value, slope = wanted(graph, inputs)
        assert replay.values[0].item() == pytest.approx(value, rel=1e-12)
        agrees(tensors, slope, 1)


@cases
def test_only_what_wants_a_gradient_gets_one(
    graph: Graph, shapes: Sequence[tuple[int, ...]]
) -> None:
    inputs = drawn(shapes)
    _, slope = wanted(graph, inputs)
    for index in range(2):
        tensors = [
            Tensor(array, requires_grad=i == index) for i, array in enumerate(inputs)
        ]
        graph(*tensors, applied).backward()
        agrees([tensors[index]], [slope[index]], 1)
        assert tensors[1 - index].grad is None


def test_a_gradient_handed_to_a_value_is_where_the_chain_rule_begins() -> None:
    inputs = drawn([(2, 3), (3,)])
    weights = np.arange(6.0).reshape(2, 3)
    loops = [numbers(array) for array in inputs]
    outputs = loops[0] * loops[1] + loops[1]
    for number, weight in zip(outputs.ravel(), weights.ravel(), strict=True):
        number.hand_down(weight)
    a, b = (Tensor(array, requires_grad=True) for array in inputs)
    (a * b + b).backward(weights)
    agrees([a, b], [slopes(loop) for loop in loops], 1)
