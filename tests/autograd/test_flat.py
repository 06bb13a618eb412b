"""Parameters of an optimizer never go dead: what is assigned arrives, or is refused."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import nncli as nn
from nncli.autograd.flat import Flat
from nncli.autograd.tensor import Tensor
from nncli.core.errors import NncliError, ShapeError


def parameter(*values: float) -> Tensor:
    return Tensor(np.array(values, np.float32), requires_grad=True)


def bound(*tensors: Tensor) -> nn.Sgd:
    """Return plain gradient descent with rate 1 over some tensors."""
    return nn.Sgd(1.0).over(tensors)


def test_flat_makes_parameters_views_of_one_array() -> None:
    a = Tensor(np.arange(4.0).reshape(2, 2), requires_grad=True)
    b = Tensor(np.arange(3.0), requires_grad=True)
    flat = Flat({"a": a, "b": b})
    np.testing.assert_array_equal(flat.values, [0, 1, 2, 3, 0, 1, 2])
    flat.values += 1
    np.testing.assert_array_equal(a.data, [[1, 2], [3, 4]])
    (a.sum() + (b * 2).sum()).backward()
    np.testing.assert_array_equal(flat.grads, [1, 1, 1, 1, 2, 2, 2])


def test_flat_takes_any_array_apart_as_it_lies() -> None:
    bias, weight = parameter(1, 2), Tensor(np.zeros((2, 3)), requires_grad=True)
    weight.data = weight.data.astype(np.float32)
    flat = Flat({"bias": bias, "weight": weight})
    views = flat.views(np.arange(8.0))
    np.testing.assert_array_equal(views["weight"], [[0, 1, 2], [3, 4, 5]])
    np.testing.assert_array_equal(views["bias"], [6, 7])
    assert flat.weights == 6
    assert flat.parts == [slice(0, 6), slice(6, 8)]


def test_a_gradient_set_to_none_is_zero_and_fills_again() -> None:
    p = parameter(1, 2)
    optimizer = bound(p)
    (p * 2).sum().backward()
    p.grad = None
    np.testing.assert_array_equal(p.grad, [0, 0])
    optimizer.step()
    np.testing.assert_array_equal(p.data, [1, 2])
    (p * 3).sum().backward()
    optimizer.step()
    np.testing.assert_array_equal(p.data, [-2, -1])


def test_a_gradient_that_is_assigned_is_the_one_the_step_sees() -> None:
    p = parameter(1, 2)
    optimizer = bound(p)
    p.grad = np.array([1.0, -1.0])
    optimizer.step()
    np.testing.assert_array_equal(p.data, [0, 3])
    with pytest.raises(ShapeError, match="grad: expected shape"):
        p.grad = np.ones(3)


def test_data_that_is_assigned_is_what_the_step_moves() -> None:
    p = parameter(1, 2)
    optimizer = bound(p)
    p.data = np.array([10.0, 20.0])
    p.grad = np.ones(2)
    optimizer.step()
    np.testing.assert_array_equal(p.data, [9, 19])
    assert p.data.dtype == np.float32
    with pytest.raises(ShapeError, match="belongs to an optimizer"):
        p.data = np.ones(3)


def test_gradients_made_before_over_count() -> None:
    p = parameter(1, 2)
    (p * 2).sum().backward()
    optimizer = bound(p)
    optimizer.step()
    np.testing.assert_array_equal(p.data, [-1, 0])


def test_a_value_computed_before_over_hands_its_gradient_to_the_optimizer() -> None:
    p = parameter(1, 2)
    loss = (p * 2).sum()
    optimizer = bound(p)
    loss.backward()
    optimizer.step()
    np.testing.assert_array_equal(p.data, [-1, 0])


def test_a_second_optimizer_over_the_same_tensors_moves_them_too() -> None:
    p, q = parameter(1, 2), parameter(3)
    first, second = bound(p, q), bound(q, p)
    (p.sum() + q.sum()).backward()
    first.step()
    second.step()
    np.testing.assert_array_equal(p.data, [-1, 0])
    np.testing.assert_array_equal(q.data, [1])


def _part(p: Tensor, q: Tensor) -> None:
    bound(p, q)
    bound(p)


def _other_beside(p: Tensor, q: Tensor) -> None:
    bound(p)
    bound(p, q)


def _twice(p: Tensor, _q: Tensor) -> None:
    bound(p, p)


def _mixed(p: Tensor, _q: Tensor) -> None:
    bound(p, Tensor(np.ones(2), requires_grad=True))


def _computed(p: Tensor, _q: Tensor) -> None:
    bound(p * 2)


def _constant(_p: Tensor, _q: Tensor) -> None:
    bound(Tensor([1.0]))


def _array(_p: Tensor, _q: Tensor) -> None:
    nn.Sgd(1.0).over([np.ones(2)])  # type: ignore[list-item]


def _early(_p: Tensor, _q: Tensor) -> None:
    nn.Sgd(1.0).step()


def _early_zero(_p: Tensor, _q: Tensor) -> None:
    nn.Sgd(1.0).zero_grad()


def _frozen(p: Tensor, _q: Tensor) -> None:
    bound(p)
    p.requires_grad = False


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (_part, "already belongs to another optimizer"),
        (_other_beside, "already belongs to another optimizer"),
        (_twice, "each tensor once"),
        (_mixed, "parameters of one type, got float64 beside float32"),
        (_computed, "got a computed value"),
        (_constant, "requires_grad=True"),
        (_array, "expected a Tensor, got ndarray"),
        (_early, "optimizer = optimizer.over"),
        (_early_zero, "optimizer = optimizer.over"),
        (_frozen, "needs its gradient"),
    ],
)
def test_what_cannot_be_trained_is_refused(
    mistake: Callable[[Tensor, Tensor], None], message: str
) -> None:
    with pytest.raises(NncliError, match=message):
        mistake(parameter(1, 2), parameter(3))


def test_what_was_refused_is_left_as_it_was() -> None:
    p, q = parameter(1, 2), Tensor([1, 2])
    with pytest.raises(NncliError):
        bound(p, q)
    assert p.home is None
    optimizer = bound(p)
    p.sum().backward()
    optimizer.step()
    np.testing.assert_array_equal(p.data, [0, 1])


def test_integers_are_no_parameters() -> None:
    with pytest.raises(NncliError, match="expected floating-point data"):
        Tensor(np.array([1, 2]), requires_grad=True)


def test_the_optimizer_over_a_model_is_the_one_of_its_parameters() -> None:
    model = nn.Model([nn.Dense(2)], seed=0).build((3,))
    optimizer = nn.Sgd(1.0).over(model.flat)
    before = model.flat.values.copy()
    for tensor in model.parameters:
        tensor.grad = np.ones(tensor.shape)
    optimizer.step()
    np.testing.assert_allclose(model.flat.values, before - 1, rtol=1e-6)
    assert nn.Sgd(1.0).over(model.parameters).flat is model.flat
