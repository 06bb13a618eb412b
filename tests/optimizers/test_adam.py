"""Adam against its paper's algorithm, written as a plain loop over Python floats."""

from __future__ import annotations

import math

import numpy as np
import pytest

from nncli.core.arrays import Array
from nncli.optimizers.adam import Adam
from tests.optimizers.flats import flat_of

STEPS = 30


def _loop(
    values: list[float],
    gradients: list[list[float]],
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
) -> list[float]:
    """Return the parameters after one step a list of gradients."""
    result = []
    for i, p in enumerate(values):
        m = v = 0.0
        for t, gradient in enumerate(gradients, start=1):
            g = gradient[i] + weight_decay * p
            m = beta1 * m + (1 - beta1) * g
            v = beta2 * v + (1 - beta2) * g * g
            m_hat = m / (1 - beta1**t)
            v_hat = v / (1 - beta2**t)
            p -= lr * m_hat / (math.sqrt(v_hat) + eps)
        result.append(p)
    return result


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
@pytest.mark.parametrize("eps", [1e-8, 0.1])
@pytest.mark.parametrize("betas", [(0.9, 0.999), (0.0, 0.9), (0.5, 0.0)])
def test_adam_is_its_algorithm(
    betas: tuple[float, float], eps: float, weight_decay: float
) -> None:
    rng = np.random.default_rng(0)
    start, gradients = rng.normal(size=7), rng.normal(size=(STEPS, 7))
    flat = flat_of(start)
    values, grads = flat.values, flat.grads
    optimizer = Adam(0.03, *betas, eps, weight_decay=weight_decay)
    optimizer = optimizer.over(flat)
    for gradient in gradients:
        grads[:] = gradient
        optimizer.step(0.03)
    expected = _loop(
        start.tolist(), gradients.tolist(), 0.03, *betas, eps, weight_decay
    )
    np.testing.assert_allclose(values, expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size", [1e-3, 1.0, 1e6])
def test_adam_s_first_step_is_the_rate_whatever_the_gradient(
    size: float, dtype: str
) -> None:
    flat = flat_of(np.zeros(2, dtype))
    values, grads = flat.values, flat.grads
    grads[:] = np.array([size, -size], dtype)
    optimizer = Adam(lr=0.01)
    optimizer = optimizer.over(flat)
    optimizer.step(0.01)
    np.testing.assert_allclose(values, [-0.01, 0.01], rtol=2e-5)


def test_adam_stays_where_the_gradient_was_always_zero() -> None:
    flat = flat_of(np.ones(3))
    optimizer = Adam()
    optimizer = optimizer.over(flat)
    for _ in range(3):
        optimizer.step(0.01)
    np.testing.assert_array_equal(flat.values, 1.0)


def test_adam_leaves_the_gradient_as_it_is() -> None:
    flat = flat_of(np.ones(3))
    flat.grads.fill(2.0)
    optimizer = Adam(weight_decay=0.1)
    optimizer = optimizer.over(flat)
    optimizer.step(0.1)
    np.testing.assert_array_equal(flat.grads, 2.0)


def test_adam_in_float32_stays_near_float64() -> None:
    rng = np.random.default_rng(1)
    gradients = rng.normal(size=(200, 50))
    found: list[Array] = []
    for dtype in (np.float32, np.float64):
        flat = flat_of(np.zeros(50, dtype))
        values, grads = flat.values, flat.grads
        optimizer = Adam(lr=0.01)
        optimizer = optimizer.over(flat)
        for gradient in gradients:
            grads[:] = gradient
            optimizer.step(0.01)
        assert values.dtype == dtype
        found.append(values)
    np.testing.assert_allclose(found[0], found[1], atol=1e-5)
