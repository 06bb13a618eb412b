"""Tensor, its operators and eager backward."""

from __future__ import annotations

import numpy as np
import pytest

from nncli.autograd.tape import no_grad, record
from nncli.autograd.tensor import Tensor, apply
from nncli.core.arrays import Array
from nncli.core.errors import NncliError, ShapeError


def leaf(*shape: int, seed: int = 0) -> Tensor:
    return Tensor(np.random.default_rng(seed).normal(size=shape), requires_grad=True)


def grad_of(tensor: Tensor) -> Array:
    assert tensor.grad is not None
    return tensor.grad


def test_tensor_of_python_numbers_is_float32() -> None:
    assert Tensor([1.0, 2.0]).dtype == np.float32
    assert Tensor(np.float64(1)).dtype == np.float64
    assert Tensor([1, 2]).dtype == np.float32
    assert Tensor(np.array([1, 2])).dtype == np.int64


def test_tensor_refuses_a_gradient_of_integers() -> None:
    with pytest.raises(NncliError, match="floating-point"):
        Tensor(np.array([1, 2]), requires_grad=True)


def test_backward_of_a_polynomial_is_its_derivative() -> None:
    x = leaf(5)
    (3 * x**2 - x / 2 + 1).sum().backward()
    np.testing.assert_allclose(grad_of(x), 6 * x.data - 0.5, rtol=1e-14)


def test_backward_sums_down_what_was_broadcast() -> None:
    a, b = leaf(3, 1), leaf(4, seed=1)
    (a * b).sum().backward()
    np.testing.assert_allclose(grad_of(a), np.full((3, 1), b.data.sum()), rtol=1e-14)
    np.testing.assert_allclose(grad_of(b), np.full(4, a.data.sum()), rtol=1e-14)


def test_backward_adds_up_all_uses_of_a_tensor() -> None:
    x = leaf(3)
    y = x * x
    (y * x + y).sum().backward()
    np.testing.assert_allclose(grad_of(x), 3 * x.data**2 + 2 * x.data, rtol=1e-13)


def test_backward_of_a_tensor_minus_itself_is_zero() -> None:
    x = leaf(3)
    (x - x).sum().backward()
    np.testing.assert_array_equal(grad_of(x), np.zeros(3))


def test_backward_twice_accumulates_until_zero_grad() -> None:
    x = leaf(2)
    for _ in range(2):
        (x * 2).sum().backward()
    np.testing.assert_array_equal(grad_of(x), [4, 4])
    x.zero_grad()
    (x * 2).sum().backward()
    np.testing.assert_array_equal(grad_of(x), [2, 2])


def test_backward_keeps_the_gradient_of_an_elementwise_chain_apart() -> None:
    # The gradient of tanh may be written over that of its output; of y, which has a
    # second use, it must still add up.
    x = leaf(4)
    y = x * 1.0
    (y.tanh() + y.exp()).sum().backward()
    np.testing.assert_allclose(
        grad_of(x), 1 - np.tanh(x.data) ** 2 + np.exp(x.data), rtol=1e-14
    )


def test_backward_goes_deep_without_recursion() -> None:
    x = leaf(1)
    y = x
    for _ in range(10_000):
        y = y + 1.0
    y.sum().backward()
    np.testing.assert_array_equal(grad_of(x), [1])
    del y


def test_backward_refuses_what_is_no_scalar() -> None:
    with pytest.raises(ShapeError, match="expected a scalar"):
        (leaf(2) * 2).backward()


def test_backward_refuses_a_value_without_a_history() -> None:
    with pytest.raises(NncliError, match="history"):
        Tensor(1.0).backward()


def test_operators_take_plain_numbers_on_both_sides() -> None:
    x = Tensor([1.0, 2.0])
    np.testing.assert_array_equal((1 - x).data, [0, -1])
    np.testing.assert_array_equal((2 / x).data, [2, 1])
    np.testing.assert_array_equal((np.ones(2, np.float32) + x).data, [2, 3])
    np.testing.assert_array_equal((-x).data, [-1, -2])
    assert (1 - x).dtype == np.float32


def test_operators_refuse_mixed_precision() -> None:
    with pytest.raises(NncliError, match="float32 and float64"):
        Tensor(np.ones(2, np.float32)) + Tensor(np.ones(2))


def test_operators_name_shapes_that_do_not_fit() -> None:
    with pytest.raises(ShapeError, match=r"add.*\(2,\).*\(3,\)"):
        leaf(2) + leaf(3)
    with pytest.raises(ShapeError, match=r"matmul.*\(2, 3\).*\(2, 3\)"):
        leaf(2, 3) @ leaf(2, 3)


def test_matmul_reshape_transpose_and_index_have_gradients() -> None:
    a, b = leaf(2, 3), leaf(3, 4, seed=1)
    ((a @ b).T.reshape(8)[2:6] * 2).mean().backward()
    chosen = np.zeros(8)
    chosen[2:6] = 0.5
    grad = chosen.reshape(4, 2).T
    np.testing.assert_allclose(grad_of(a), grad @ b.data.T, rtol=1e-14)
    np.testing.assert_allclose(grad_of(b), a.data.T @ grad, rtol=1e-14)


def test_no_grad_forgets_how_a_value_was_made() -> None:
    x = leaf(2)
    with no_grad():
        y = x * 2
    assert not y.requires_grad
    assert y.step is None
    assert (x * 2).requires_grad


def test_record_collects_steps_in_order_even_without_gradients() -> None:
    x = Tensor([1.0])
    with record() as steps:
        (x + 1) * 2
    assert [step.function.type_name for step in steps] == ["add", "multiply"]


def test_detach_shares_the_data_but_not_the_history() -> None:
    x = leaf(2)
    y = (x * 2).detach()
    assert y.step is None
    assert not y.requires_grad


def test_zero_grad_keeps_the_gradient_where_it_lies() -> None:
    x = leaf(2)
    (x * 2).sum().backward()
    kept = x.grad
    x.zero_grad()
    assert x.grad is kept
    np.testing.assert_array_equal(grad_of(x), [0, 0])


def test_losses_refuse_targets_that_want_a_gradient() -> None:
    from nncli.ops.losses_regression import MeanSquaredError

    with pytest.raises(NncliError, match="without a gradient"):
        apply(MeanSquaredError(), leaf(2), leaf(2))


def test_power_zero_has_the_derivative_zero_everywhere() -> None:
    x = Tensor(np.array([0.0, 2.0]), requires_grad=True)
    (x**0.0).sum().backward()
    np.testing.assert_array_equal(grad_of(x), [0, 0])


def test_sigmoid_keeps_its_relative_precision_near_zero() -> None:
    x = np.array([-700.0, -40.0, -20.0, 0.0, 40.0, 1e4, -1e4])
    y = Tensor(x).sigmoid().data
    np.testing.assert_allclose(y[:3], np.exp(x[:3]), rtol=1e-8)
    np.testing.assert_array_equal(y[3:], [0.5, 1, 1, 0])
    assert np.isnan(Tensor(np.array([np.nan])).sigmoid().data).all()
