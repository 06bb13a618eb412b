"""The tape: what the thread records, how long values live, and what is refused."""

from __future__ import annotations

import gc
import tracemalloc
import weakref
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import numpy as np
import pytest

from nncli.autograd.function import FUNCTIONS, Function
from nncli.autograd.replay import Replay
from nncli.autograd.tape import (
    is_grad_enabled,
    labelled,
    no_grad,
    record,
    steps_of,
    tape,
)
from nncli.autograd.tensor import Tensor, apply
from nncli.core.arrays import batch_innermost
from nncli.core.errors import NncliError, ShapeError
from nncli.ops.elementwise import Tanh
from nncli.ops.matmul import Linear
from nncli.optimizers.sgd import Sgd

MIB = 2**20


def leaf(*shape: int, seed: int = 0) -> Tensor:
    return Tensor(np.random.default_rng(seed).normal(size=shape), requires_grad=True)


@contextmanager
def without_collector() -> Iterator[None]:
    """Let only what nobody refers to be freed: no cycle is looked for."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@pytest.mark.parametrize(
    "block",
    [no_grad, record, lambda: labelled("inside")],
    ids=["no_grad", "record", "labelled"],
)
def test_an_error_inside_a_block_ends_what_the_block_asked_for(
    block: Callable[[], AbstractContextManager[Any]],
) -> None:
    with pytest.raises(ZeroDivisionError), block():
        raise ZeroDivisionError
    assert is_grad_enabled()
    assert tape() is None
    step = (leaf(2) * 2).step
    assert step is not None
    assert step.label == ""


@pytest.mark.parametrize("block", [record, no_grad], ids=["record", "no_grad"])
def test_a_function_has_one_call(
    block: Callable[[], AbstractContextManager[Any]],
) -> None:
    function = Tanh()
    with record(), block():
        apply(function, Tensor(np.ones(2)))
        with pytest.raises(NncliError, match="one that was used before"):
            apply(function, Tensor(np.ones(3)))


def test_one_tape_run_backward_twice_gives_the_same_gradient_twice() -> None:
    x = leaf(3, 2)
    y = ((x * x).tanh() @ leaf(2, 2, seed=1)).exp().sum()
    y.backward()
    assert x.grad is not None
    once = x.grad.copy()
    y.backward()
    np.testing.assert_array_equal(x.grad, 2 * once)


@pytest.mark.parametrize("hooked", [False, True], ids=["plain", "hooked"])
def test_gradients_of_a_leaf_add_up_over_calls_with_and_without_a_hook(
    hooked: bool,
) -> None:
    x = leaf(3)
    if hooked:
        x.register_hook(lambda grad: None)
    for _ in range(3):
        (x * 2 + x).sum().backward()
    np.testing.assert_array_equal(x.grad, [9.0, 9.0, 9.0])


@pytest.mark.parametrize("last", [False, True], ids=["view first", "view last"])
def test_a_view_hands_its_gradient_on_beside_another_use_of_its_value(
    last: bool,
) -> None:
    x = leaf(6)
    y = x * 2
    if last:
        total = y.sum() + (y.reshape(2, 3) * 5).sum()
    else:
        total = (y.reshape(2, 3) * 5).sum() + y.sum()
    total.backward()
    np.testing.assert_array_equal(x.grad, np.full(6, 12.0))


def by_assignment(w: Tensor) -> None:
    with no_grad():
        w[0] = 5.0


def by_a_detached_tensor(w: Tensor) -> None:
    w.detach()[0] = 5.0


def by_an_optimizer(w: Tensor) -> None:
    Sgd(lr=0.1).over([w]).step()


CHANGES = [by_assignment, by_a_detached_tensor]


@pytest.mark.parametrize("change", [*CHANGES, by_an_optimizer])
def test_what_backward_reads_again_must_not_have_changed(
    change: Callable[[Tensor], None],
) -> None:
    w = leaf(3)
    if change is by_an_optimizer:
        optimizer = Sgd(lr=0.1).over([w])
    y = (w * w).sum()
    optimizer.step() if change is by_an_optimizer else change(w)
    with pytest.raises(NncliError, match="needs was changed in place"):
        y.backward()


@pytest.mark.parametrize("change", CHANGES)
def test_what_backward_does_not_read_may_have_changed(
    change: Callable[[Tensor], None],
) -> None:
    w = leaf(3)
    y = (w + 1).sum()
    change(w)
    y.backward()
    np.testing.assert_array_equal(w.grad, np.ones(3))


def test_a_tape_is_freed_with_its_value_and_without_the_collector() -> None:
    with without_collector():
        x, w = leaf(4, 3), leaf(3, 2)
        hidden = (x @ w).tanh()
        loss = (hidden * hidden).sum()
        loss.backward()
        assert loss.step is not None
        made: list[Any] = [step.function for step in steps_of(loss.step)]
        alive = [weakref.ref(each) for each in (*made, hidden, loss)]
        del hidden, loss, made
        assert not any(reference() is not None for reference in alive)


def test_a_recorded_step_is_freed_without_the_collector() -> None:
    with without_collector():
        x = leaf(4, 3)
        with record() as steps:
            loss = (x * x).tanh().sum()
        replay = Replay(steps, [loss], loss, [x])
        replay.forward()
        replay.backward()
        made: list[Any] = [step.function for step in steps]
        alive = [weakref.ref(each) for each in (*made, replay)]
        del steps, loss, replay, made
        assert not any(reference() is not None for reference in alive)


@pytest.mark.slow
def test_a_chain_of_20_000_ops_is_differentiated_and_freed() -> None:
    with without_collector():
        x = leaf(2)
        y = x
        for _ in range(10_000):
            y = (y * 1.0001).tanh()
        last = weakref.ref(y)
        y.sum().backward()
        assert x.grad is not None
        assert np.isfinite(x.grad).all()
        assert x.grad.all()
        del y
        assert last() is None


@pytest.mark.slow
def test_a_loop_of_ones_own_holds_few_arrays_at_a_time() -> None:
    rng = np.random.default_rng(0)
    x, w = rng.normal(0, 0.03, (2, 1000, 1000)).astype(np.float32)
    inputs, weights = Tensor(x), Tensor(w, requires_grad=True)
    tracemalloc.start()
    for _ in range(20):
        (inputs @ weights).tanh().mean().backward()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # Each array takes 4 MB: the product, its tanh, their gradients, the weights'.
    assert peak < 30e6, peak


def test_a_recording_without_gradients_keeps_no_values() -> None:
    x = Tensor(np.ones((256, 256)))
    x @ x
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    with no_grad(), record() as steps:
        y = x
        for _ in range(20):
            y = (y @ x).tanh()
    recorded = tracemalloc.get_traced_memory()[0] - before
    replay = Replay(steps, [y])
    replay.forward()
    planned = tracemalloc.get_traced_memory()[0] - before
    del replay, steps, y
    left = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    # 40 values of half a MiB each: the last one is held, and three buffers are shared.
    assert recorded < 1 * MIB
    assert planned < 2.5 * MIB
    assert left < 0.25 * MIB


@pytest.mark.parametrize("shape", [(5, 2, 3, 4), (1, 2, 3, 4), (4, 4, 1, 4)])
def test_a_net_over_four_axes_with_the_batch_innermost_has_its_gradient(
    shape: tuple[int, ...],
) -> None:
    rng = np.random.default_rng(0)
    a, c = rng.normal(size=(2, *shape))
    b = rng.normal(size=shape[-1])
    turned = batch_innermost(shape, a.dtype)
    turned[...] = a
    x, w = Tensor(turned, requires_grad=True), Tensor(b, requires_grad=True)
    ((x.tanh() * w).tanh() * Tensor(c)).sum().backward()
    assert x.grad is not None
    assert w.grad is not None
    inner = np.tanh(a)
    outer = c * (1 - np.tanh(inner * b) ** 2)
    np.testing.assert_allclose(x.grad, outer * b * (1 - inner**2), rtol=1e-12)
    np.testing.assert_allclose(w.grad, (outer * inner).sum((0, 1, 2)), rtol=1e-12)


KEEPING = [cls for cls in FUNCTIONS.scan().values() if cls.keeps_lengths]


@pytest.mark.parametrize("cls", KEEPING, ids=lambda cls: cls.type_name)
def test_op_hands_lengths_on_where_it_keeps_the_first_two_axes(
    cls: type[Function],
) -> None:
    for case in cls.cases(np.random.default_rng(0)):
        x, *rest = case.inputs
        if x.ndim < 2:
            continue
        lengths = np.arange(x.shape[0]) % (x.shape[1] + 1)
        y = apply(case.function, Tensor(x, lengths=lengths), *map(Tensor, rest))
        # A dense layer makes units of the second of two axes.
        if y.shape[:2] == x.shape[:2] and (x.ndim > 2 or cls is not Linear):
            np.testing.assert_array_equal(y.lengths, lengths)
        else:
            assert y.lengths is None


def test_lengths_come_from_whichever_input_has_them() -> None:
    x = Tensor(np.ones((2, 3, 4)), lengths=[3, 1])
    for y in (x + 1, 1 - x, Tensor(np.ones(4)) * x, x.tanh().exp(), x.detach()):
        np.testing.assert_array_equal(y.lengths, [3, 1])
    for y in (x.sum(), x.reshape(6, 4), x.transpose(1, 0, 2), x[1:], x @ np.ones(4)):
        assert y.lengths is None
    row = Tensor(np.ones((2, 3)), lengths=[3, 1])
    assert apply(Linear(), row, Tensor(np.ones((3, 3)))).lengths is None


def test_lengths_are_those_of_rows_and_fit_into_them() -> None:
    for wrong in ([3], [3, 4], [-1, 3], [1.0, 2.0], [[1, 2]]):
        with pytest.raises(ShapeError, match="lengths: expected"):
            Tensor(np.ones((2, 3, 4)), lengths=wrong)
    with pytest.raises(ShapeError, match="lengths: expected"):
        Tensor(np.ones(2), lengths=[1, 1])
