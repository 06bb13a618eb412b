"""Layer norm and RMS norm where PyTorch's answer is no help: far out, and in place."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from nncli.autograd.function import Function
from nncli.autograd.tensor import Tensor, apply
from nncli.core.arrays import Array
from nncli.core.errors import ShapeError
from nncli.ops.norm import LayerNorm, RmsNorm

NORMS: list[Callable[[], Function]] = [LayerNorm, RmsNorm]


def _run(make: Callable[[], Function], x: Array) -> tuple[Array, Array]:
    """Return the value with γ = 1, β = 0, and the gradient of a weighted sum."""
    one = Tensor(np.ones(x.shape[-1], x.dtype))
    zero = Tensor(np.zeros(x.shape[-1], x.dtype))
    leaf = Tensor(x, requires_grad=True)
    inputs = (leaf, one, zero) if make is LayerNorm else (leaf, one)
    y = apply(make(), *inputs)
    weights = np.arange(1, x.size + 1, dtype=x.dtype).reshape(x.shape)
    (y * Tensor(weights)).sum().backward()
    assert leaf.grad is not None
    return y.data, leaf.grad


def _by_loops(x: Array, *, centred: bool, eps: float) -> Array:
    """Compute the value of (N, F) one number at a time."""
    y = np.empty_like(x)
    for n, row in enumerate(x):
        mean = sum(row) / len(row) if centred else 0.0
        spread = sum((value - mean) ** 2 for value in row) / len(row)
        for f, value in enumerate(row):
            y[n, f] = (value - mean) / (spread + eps) ** 0.5
    return y


@pytest.mark.parametrize("features", [1, 2, 7])
def test_norms_agree_with_a_plain_loop(features: int) -> None:
    x = np.random.default_rng(0).normal(3.0, 2.0, (5, features))
    y, _ = _run(LayerNorm, x)
    np.testing.assert_allclose(y, _by_loops(x, centred=True, eps=1e-5), atol=1e-12)
    y, _ = _run(RmsNorm, x)
    np.testing.assert_allclose(y, _by_loops(x, centred=False, eps=1e-6), atol=1e-12)


@pytest.mark.parametrize("make", NORMS)
@pytest.mark.parametrize("size", [0.0, 1e-38, 1e4, 1e19, 1e30, 3e38])
def test_norms_stay_finite_wherever_the_mean_is_finite(
    make: Callable[[], Function], size: float
) -> None:
    x = np.array([[1.0, -1.0, 0.5, -0.5]], np.float32) * np.float32(size)
    y, grad = _run(make, x)
    assert np.isfinite(y).all()
    assert np.isfinite(grad).all()
    assert (np.abs(y) <= 2.0).all()


@pytest.mark.parametrize("make", NORMS)
def test_norms_of_numbers_far_out_are_those_of_numbers_near(
    make: Callable[[], Function],
) -> None:
    x = np.random.default_rng(0).normal(size=(3, 8)).astype(np.float32)
    near, _ = _run(make, x * 100)
    far, _ = _run(make, x * np.float32(1e4))
    np.testing.assert_allclose(far, near, rtol=1e-3)


def test_layer_norm_of_equal_features_is_zero() -> None:
    y, grad = _run(LayerNorm, np.full((2, 3), 1e4, np.float32))
    np.testing.assert_array_equal(y, 0)
    assert np.isfinite(grad).all()


@pytest.mark.parametrize("make", NORMS)
def test_norms_pass_on_what_is_no_number_in_its_row_only(
    make: Callable[[], Function],
) -> None:
    x = np.ones((2, 3), np.float32) * np.array([1, 2, 3], np.float32)
    x[0, 1] = np.nan
    y, _ = _run(make, x)
    assert np.isnan(y[0]).all()
    assert np.isfinite(y[1]).all()


@pytest.mark.parametrize("make", NORMS)
def test_norms_refuse_another_number_of_features(
    make: Callable[[], Function],
) -> None:
    gamma = [Tensor(np.ones(4))] * (2 if make is LayerNorm else 1)
    with pytest.raises(ShapeError, match=r"\(\.\.\., 4\), got \(2, 3\)"):
        apply(make(), Tensor(np.ones((2, 3))), *gamma)
