"""Tensor against NumPy: its protocols, its functions on tensors, what lists expect."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import nncli as nn
from nncli.core.errors import NncliError

X = np.random.default_rng(0).uniform(0.2, 2.0, (3, 4))

FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    **{
        f.__name__: f
        for f in (
            *(np.exp, np.log, np.sqrt, np.square, np.sin, np.tanh, np.abs, np.log1p),
            *(np.negative, np.sign, np.floor, np.isnan, np.sum, np.mean, np.prod),
            *(np.std, np.var, np.max, np.min, np.argmax, np.sort, np.cumsum),
            *(np.transpose, np.ravel, np.squeeze, np.tril, np.diagonal, np.flip),
        )
    },
    "np.add": lambda x: np.add(x, 2),
    "array + tensor": lambda x: X + x,
    "array @ tensor": lambda x: X.T @ x,
    "number / tensor": lambda x: np.float64(2) / x,
    "maximum": lambda x: np.maximum(x, 1.0),
    "where": lambda x: np.where(x > 1, x, 0.0),
    "clip": lambda x: np.clip(x, 0.5, 1.0),
    "power": lambda x: np.power(x, 3),
    "var of columns": lambda x: np.var(x, axis=0),
    "concatenate": lambda x: np.concatenate([x, x], axis=1),
    "stack": lambda x: np.stack([x, x]),
    "einsum": lambda x: np.einsum("ij,kj->ik", x, x),
    "outer": lambda x: np.outer(x, x),
    "repeat": lambda x: np.repeat(x, 2, axis=0),
    "tile": lambda x: np.tile(x, 2),
    "moveaxis": lambda x: np.moveaxis(x, 0, 1),
    "expand_dims": lambda x: np.expand_dims(x, 1),
    "linalg.norm": lambda x: np.linalg.norm(x, axis=1),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_numpy_function_of_a_tensor_is_a_tensor_with_its_value(name: str) -> None:
    f = FUNCTIONS[name]
    expected = np.asarray(f(X))
    found = f(nn.Tensor(X, requires_grad=True))
    assert isinstance(found, nn.Tensor)
    np.testing.assert_allclose(found.data, expected, rtol=1e-13)
    assert found.shape == expected.shape


def test_gradients_go_through_numpy_s_functions() -> None:
    x = nn.Tensor(X, requires_grad=True)
    value: Any = np.sum(np.exp(x) * X)
    value.backward()
    assert x.grad is not None
    np.testing.assert_allclose(x.grad, np.exp(X) * X, rtol=1e-13)


@pytest.mark.parametrize(
    "call",
    [
        lambda x: np.fft.fft(x),
        lambda x: np.median(x),
        lambda x: np.add.reduce(x),
        lambda x: np.add(x, 1, out=np.empty(X.shape)),
    ],
)
def test_numpy_function_that_would_lose_the_gradient_is_refused(
    call: Callable[[Any], Any],
) -> None:
    with pytest.raises(NncliError, match=r"expected .*got|no "):
        call(nn.Tensor(X, requires_grad=True))


def test_tensor_is_an_array_to_whoever_asks_for_one() -> None:
    t = nn.Tensor(X)
    np.testing.assert_array_equal(np.asarray(t), X)
    assert np.asarray(t, dtype=np.float32).dtype == np.float32
    np.testing.assert_array_equal(np.array([row for row in t]), X)  # noqa: C416
    np.testing.assert_array_equal(t.numpy(), X)
    assert t.tolist() == X.tolist()


def test_tensor_of_one_number_is_a_number() -> None:
    t = nn.Tensor(np.array([[2.5]]))
    assert float(t) == 2.5
    assert int(t) == 2
    assert t.item() == 2.5
    assert bool(t)
    assert not bool(nn.Tensor([0.0]))
    for several in (X, np.zeros(0)):
        with pytest.raises((NncliError, TypeError, ValueError)):
            float(nn.Tensor(several))
        with pytest.raises((NncliError, TypeError, ValueError)):
            bool(nn.Tensor(several))


def test_tensor_is_a_sequence_of_its_rows() -> None:
    t = nn.Tensor(X, requires_grad=True)
    assert len(t) == 3
    first, *others = t
    assert len(others) == 2
    first.sum().backward()
    np.testing.assert_array_equal(t.grad, [[1] * 4, [0] * 4, [0] * 4])
    with pytest.raises(IndexError, match="3"):
        t[3]
    with pytest.raises(TypeError):
        iter(nn.Tensor(1.0))


def test_equality_compares_numbers_and_is_never_identity() -> None:
    t = nn.Tensor([1.0, 2.0])
    assert (t == t).tolist() == [True, True]
    assert (t == [1.0, 3.0]).tolist() == [True, False]
    assert (t != nn.Tensor([1.0, 3.0])).tolist() == [False, True]
    assert len({t, nn.Tensor([1.0, 2.0])}) == 2


@pytest.mark.parametrize(
    ("found", "dtype", "value"),
    [
        (lambda: nn.Tensor([1, 3]) * 0.5, "float32", [0.5, 1.5]),
        (lambda: nn.Tensor(np.array([1, 3])) * 0.5, "float32", [0.5, 1.5]),
        (lambda: nn.Tensor(np.array([1, 3])) / 2, "float32", [0.5, 1.5]),
        (lambda: nn.Tensor(np.array([7, -7])) // 2, "int64", [3, -4]),
        (lambda: nn.Tensor(np.array([7, -7])) % 4, "int64", [3, 1]),
        (lambda: 2 ** nn.Tensor(np.array([1, 3])), "int64", [2, 8]),
        (lambda: nn.Tensor(np.array([True, True, False])).sum(), "int64", 2),
        (lambda: nn.Tensor(np.full(3, 100, np.int8)).sum(), "int64", 300),
        (lambda: nn.Tensor(np.full(3, 100, np.uint8)).prod(), "int64", 10**6),
        (lambda: nn.Tensor(np.array([1, 4])).sqrt(), "float32", [1, 2]),
        (lambda: nn.Tensor(np.array([1, 2], np.int8)) + 1, "int8", [2, 3]),
        (lambda: nn.Tensor(np.ones(2, np.float32)) + np.ones(2), "float32", [2, 2]),
        (lambda: nn.Tensor(np.ones(2, np.float64)) * 2, "float64", [2, 2]),
    ],
)
def test_integers_and_booleans_become_what_a_result_needs(
    found: Callable[[], nn.Tensor], dtype: str, value: Any
) -> None:
    result = found()
    assert result.dtype == dtype
    assert result.tolist() == value


def test_empty_batches_are_batches() -> None:
    x = nn.Tensor(np.zeros((0, 3)), requires_grad=True)
    for y in (x.relu(), x @ np.ones((3, 2)), x.softmax(), x.sum(0), x.reshape(3, 0)):
        x.zero_grad()
        y.sum().backward()
        assert x.grad is not None
        assert x.grad.shape == (0, 3)
    assert x.sum().item() == 0
    assert np.isnan(x.mean().item())


def test_backward_takes_the_gradient_of_what_is_no_scalar() -> None:
    x = nn.Tensor(X, requires_grad=True)
    (x * x).backward(np.full(X.shape, 3.0))
    assert x.grad is not None
    np.testing.assert_allclose(x.grad, 6 * X, rtol=1e-13)
    with pytest.raises(NncliError, match=r"\(3, 4\)"):
        (x * x).backward(np.ones(4))


def test_hooks_see_and_replace_gradients() -> None:
    seen = []
    x = nn.Tensor(X, requires_grad=True)
    y = x * 2
    y.register_hook(lambda grad: seen.append(grad.copy()))
    x.register_hook(lambda grad: grad * 10)
    y.sum().backward()
    np.testing.assert_array_equal(seen, [np.ones(X.shape)])
    np.testing.assert_array_equal(x.grad, np.full(X.shape, 20.0))


def test_tensors_are_made_as_arrays_are_and_drawn_from_a_generator() -> None:
    assert nn.zeros(2, 3).tolist() == np.zeros((2, 3)).tolist()
    assert nn.ones((2,)).dtype == "float32"
    assert nn.full((2,), 7.0).tolist() == [7, 7]
    assert nn.eye(2).tolist() == [[1, 0], [0, 1]]
    assert nn.arange(2, 8, 3).tolist() == [2, 5]
    for draw, check in ((nn.rand, "random"), (nn.randn, "standard_normal")):
        found = draw(4, 2, rng=np.random.default_rng(3), dtype="float64")
        expected = getattr(np.random.default_rng(3), check)((4, 2))
        np.testing.assert_array_equal(found.data, expected)


def test_assignment_writes_where_nothing_is_differentiated() -> None:
    t = nn.zeros(2, 3)
    t[0] = 5
    t[:, 1] = nn.Tensor([7.0, 8.0])
    t[t > 7.5] = -1
    assert t.tolist() == [[5, 7, 5], [0, -1, 0]]
    with pytest.raises(IndexError):
        t[2] = 0
    with pytest.raises(IndexError, match="setitem: expected integers"):
        t[nn.Tensor([1.0])] = 0
    w = nn.Tensor(np.ones(3), requires_grad=True)
    with pytest.raises(NncliError, match="setitem"):
        w[0] = 1
    with pytest.raises(NncliError, match="setitem"):
        (w * 2)[0] = 1


def test_an_unbuilt_layer_says_so() -> None:
    with pytest.raises(NncliError, match=r"dense: .*nn\.Model\(\[Dense\(units=3\)"):
        nn.Dense(3)(nn.ones(2, 4))
    assert nn.Relu()(nn.ones(1)).tolist() == [1]
