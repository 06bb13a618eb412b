"""The contract that every registered op keeps with the engine, plugins included."""

from __future__ import annotations

import copy
import tracemalloc
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from nncli.autograd.buffers import form, scratch
from nncli.autograd.function import FUNCTIONS, Case, Function
from nncli.autograd.gradcheck import generators_of
from nncli.autograd.replay import Replay
from nncli.autograd.tape import record
from nncli.autograd.tensor import Tensor, apply
from nncli.core.arrays import Array, batch_innermost
from nncli.core.errors import ShapeError

OPS: list[type[Function]] = [FUNCTIONS.scan()[name] for name in FUNCTIONS.names()]

each_op = pytest.mark.parametrize("cls", OPS, ids=lambda cls: cls.type_name)

POISON = form((2**14,), np.float64)


def cases_of(cls: type[Function]) -> Iterator[Case]:
    """Yield the op's cases, the same ones at every call."""
    yield from cls.cases(np.random.default_rng(0))


def fresh(case: Case) -> Function:
    """Return a Function not called yet; its generators draw what they drew."""
    function = copy.copy(case.function)
    for name, part in vars(function).items():
        if isinstance(part, np.random.Generator):
            setattr(function, name, copy.deepcopy(part))
        elif isinstance(part, np.ndarray):
            setattr(function, name, part.copy())
    return function


def wanted(case: Case) -> list[bool]:
    """Say of each input whether its gradient is to be looked at."""
    return [
        i not in case.constant and case.function.has_derivative(i)
        for i in range(len(case.inputs))
    ]


def differentiate(case: Case, inputs: list[Array]) -> tuple[Array, list[Array | None]]:
    """Return the value and the gradients of Σ c·y, through the engine."""
    tensors = [
        Tensor(array, requires_grad=want)
        for array, want in zip(inputs, wanted(case), strict=True)
    ]
    y = apply(fresh(case), *tensors)
    if any(wanted(case)):
        c = np.random.default_rng(1).uniform(0.5, 1.5, y.shape)
        (y * Tensor(c)).sum().backward()
    return y.data, [tensor.grad for tensor in tensors]


def orders(array: Array) -> Iterator[Array]:
    """Yield the same values with the batch innermost, with gaps, and backwards."""
    if array.ndim < 1:
        return
    turned = batch_innermost(array.shape, array.dtype)
    turned[...] = array
    yield turned
    wide = np.full([2 * size for size in array.shape], 77, array.dtype)
    gaps = wide[tuple(slice(None, None, 2) for _ in array.shape)]
    gaps[...] = array
    yield gaps
    flip = tuple(slice(None, None, -1) for _ in array.shape)
    yield np.ascontiguousarray(array[flip])[flip]


@each_op
def test_op_gives_the_same_in_every_memory_order(cls: type[Function]) -> None:
    for case in cases_of(cls):
        plain = [np.ascontiguousarray(array) for array in case.inputs]
        value, grads = differentiate(case, plain)
        kinds = [[*orders(array)] or [array] * 3 for array in plain]
        for together in zip(*kinds, strict=True):
            variants = [list(together)]
            variants += [
                [*plain[:i], array, *plain[i + 1 :]] for i, array in enumerate(together)
            ]
            for inputs in variants:
                other, parts = differentiate(case, inputs)
                np.testing.assert_allclose(other, value, rtol=1e-11, atol=1e-13)
                for mine, theirs in zip(parts, grads, strict=True):
                    if theirs is not None:
                        assert mine is not None
                        np.testing.assert_allclose(mine, theirs, rtol=1e-10, atol=1e-12)


@dataclass
class Alone:
    """An op that is called as the contract says, without the engine."""

    case: Case
    inputs: list[Array] = field(init=False)

    def __post_init__(self) -> None:
        self.function: Any = fresh(self.case)
        self.inputs = [np.array(a, order="C") for a in self.case.inputs]
        with np.errstate(all="ignore"):
            self.out = self.function.allocate(*self.inputs)
            self.forward()

    def forward(self) -> None:
        if not self.function.is_view:
            with np.errstate(all="ignore"):
                self.function.forward(*self.inputs, self.out)

    def backward(self, *, in_place: bool = False) -> list[Array]:
        """Differentiate; the first input's gradient may take that of the output."""
        grads: list[Array | None] = [
            np.full_like(array, np.nan) if want else None
            for array, want in zip(self.inputs, wanted(self.case), strict=True)
        ]
        if self.function.broadcasts:
            shape = self.out.shape
            grads = [None if g is None else np.full(shape, np.nan) for g in grads]
        drawn = np.random.default_rng(2).uniform(0.5, 1.5, self.out.shape)
        upstream = np.asarray(drawn)
        if in_place:
            grads[0] = upstream
        with np.errstate(all="ignore"):
            self.function.backward(upstream, *grads)
        return [grad for grad in grads if grad is not None]


def poison(*arrays: Array) -> None:
    """Fill arrays, and the thread's scratch space, with NaN."""
    for array in (*arrays, scratch(POISON)):
        array.fill(np.nan if array.dtype.kind == "f" else 1)


@each_op
def test_op_backward_reads_only_what_it_says_and_writes_everything(
    cls: type[Function],
) -> None:
    for case in cases_of(cls):
        if not any(wanted(case)):
            continue
        expected = Alone(case).backward()
        assert all(np.isfinite(grad).all() for grad in expected)
        call = Alone(case)
        floats = [
            array
            for index, array in enumerate(call.inputs)
            if array.dtype.kind == "f"
            and not cls.saves_input(index)
            and not call.function.is_view
        ]
        if not cls.saves_output and not call.function.is_view:
            floats.append(call.out)
        poison(*floats)
        for grad, known in zip(call.backward(), expected, strict=True):
            np.testing.assert_array_equal(grad, known)


@each_op
def test_op_can_be_called_again_and_differentiated_twice(cls: type[Function]) -> None:
    for case in cases_of(cls):
        call = Alone(case)
        value = call.out.copy()
        if not generators_of(call.function):
            poison()
            call.forward()
            np.testing.assert_array_equal(call.out, value)
        if any(wanted(case)):
            first = call.backward()
            poison()
            for one, two in zip(first, call.backward(), strict=True):
                np.testing.assert_array_equal(one, two)
        originals = [np.array(array) for array in case.inputs]
        for array, original in zip(call.inputs, originals, strict=True):
            np.testing.assert_array_equal(array, original)
        assert call.function.flops(*call.inputs, call.out) >= 0


@pytest.mark.parametrize(
    "cls", [cls for cls in OPS if cls.elementwise], ids=lambda cls: cls.type_name
)
def test_elementwise_op_may_write_over_the_gradient_it_reads(
    cls: type[Function],
) -> None:
    for case in cases_of(cls):
        if wanted(case)[0]:
            apart = Alone(case).backward()
            for one, two in zip(
                apart, Alone(case).backward(in_place=True), strict=True
            ):
                np.testing.assert_array_equal(one, two)


@each_op
def test_op_gives_the_same_where_inputs_never_change(cls: type[Function]) -> None:
    # What the engine may not write to, an op may read once for all.
    for case in cases_of(cls):
        fixed = [np.array(array, order="C") for array in case.inputs]
        for array, want in zip(fixed, wanted(case), strict=True):
            array.flags.writeable = want
        plain = differentiate(case, [np.array(a, order="C") for a in case.inputs])
        value, grads = differentiate(case, fixed)
        np.testing.assert_array_equal(value, plain[0])
        for one, two in zip(grads, plain[1], strict=True):
            np.testing.assert_array_equal(one, two)


@each_op
def test_op_replays_to_the_bits_of_eager_mode(cls: type[Function]) -> None:
    for case in cases_of(cls):
        if not any(wanted(case)):
            continue
        inputs = [
            Tensor(array.copy(order="K"), requires_grad=want)
            for array, want in zip(case.inputs, wanted(case), strict=True)
        ]
        function = fresh(case)
        draws = generators_of(function)
        with record() as steps:
            loss = (apply(function, *inputs) * 1.5).sum()
        replay = Replay(steps, [], loss)
        for factor in (1.0, 0.5, 0.9):
            for tensor in inputs:
                if tensor.requires_grad:
                    np.multiply(tensor.data, factor, out=tensor.data)
            if factor != 1.0:
                for mine, given in zip(
                    draws, generators_of(case.function), strict=True
                ):
                    mine.bit_generator.state = given.bit_generator.state
                replay.forward()
            replay.backward()
            eager = [
                Tensor(t.data.copy(order="K"), requires_grad=t.requires_grad)
                for t in inputs
            ]
            (apply(fresh(case), *eager) * 1.5).sum().backward()
            for one, two in zip(inputs, eager, strict=True):
                if one.requires_grad:
                    np.testing.assert_array_equal(one.grad, two.grad)


@each_op
def test_op_keeps_nothing_for_a_derivative_that_is_not_wanted(
    cls: type[Function],
) -> None:
    # What is kept is an array as large as the input: none may be left afterwards.
    for case in cases_of(cls):
        function: Any = fresh(case)
        function.differentiated = False
        given = [np.array(a, order="C") for a in case.inputs]
        with np.errstate(all="ignore"):
            out = function.allocate(*given)
            if not function.is_view:
                function.forward(*given, out)
            trained = Alone(case)
        np.testing.assert_array_equal(out, trained.out)


LARGE = 2**17

ALLOCATES = {
    "argsort": "NumPy sorts into a new array",
    "einsum": "NumPy lays operands out for BLAS",
}
"""Ops that cannot do without an array that grows with the batch, and why."""


def enlarged(case: Case) -> list[Array] | None:
    """Return the inputs with rows repeated, if the op takes them."""
    rows = {a.shape[0] for a in case.inputs if a.ndim}
    if not rows or not any(a.size > 1 for a in case.inputs):
        return None
    first = case.inputs[0]
    if not first.ndim or not first.size:
        return None
    times = LARGE // first.size + 1
    count = first.shape[0]
    return [
        np.repeat(a, times, axis=0) if a.ndim and a.shape[0] == count else a
        for a in case.inputs
    ]


@each_op
def test_op_allocates_nothing_that_grows_in_a_replayed_step(
    cls: type[Function],
) -> None:
    if cls.type_name in ALLOCATES:
        pytest.skip(ALLOCATES[cls.type_name])
    for case in cases_of(cls):
        inputs = enlarged(case)
        if inputs is None:
            continue
        tensors = [
            Tensor(array, requires_grad=want)
            for array, want in zip(inputs, wanted(case), strict=True)
        ]
        try:
            with record() as steps:
                y = apply(fresh(case), *tensors)
        except ShapeError:
            continue
        if y.requires_grad:
            root = y if y.size == 1 else None
            with record() as steps:
                y = apply(fresh(case), *tensors)
                root = y if y.size == 1 else y.sum()
            replay = Replay(steps, [], root)
        else:
            replay = Replay(steps, [y])
        replay.forward()
        replay.backward()
        tracemalloc.start()
        with np.errstate(all="ignore"):
            replay.forward()
            replay.backward()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        # NumPy's loops buffer up to 8,192 elements of each operand where they cast or
        # broadcast; an array of the size of the input takes 1 MiB.
        assert peak < 2**18, f"{cls.type_name}: {peak} bytes"
        return
