"""LAMB against its paper's algorithm, written as a plain loop over Python floats."""

from __future__ import annotations

import math

import numpy as np
import pytest

from nncli.optimizers.lamb import Lamb
from tests.optimizers.flats import flat_of

STEPS = 300


def _loop(
    start: list[float],
    gradients: list[list[float]],
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    decay: float,
) -> list[float]:
    """Return one parameter after one step a list of gradients."""
    p = list(start)
    m, v = [0.0] * len(p), [0.0] * len(p)
    for t, gradient in enumerate(gradients, start=1):
        u = []
        for i, g in enumerate(gradient):
            m[i] = beta1 * m[i] + (1 - beta1) * g
            v[i] = beta2 * v[i] + (1 - beta2) * g * g
            m_hat, v_hat = m[i] / (1 - beta1**t), v[i] / (1 - beta2**t)
            u.append(m_hat / (math.sqrt(v_hat) + eps) + decay * p[i])
        size = math.sqrt(sum(x * x for x in p))
        length = math.sqrt(sum(x * x for x in u))
        ratio = size / length if size > 0 and length > 0 else 1.0
        p = [x - lr * ratio * y for x, y in zip(p, u, strict=True)]
    return p


@pytest.mark.parametrize("decay_bias_and_norm", [True, False])
@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
@pytest.mark.parametrize(
    ("beta1", "beta2", "eps"), [(0.9, 0.999, 1e-6), (0.0, 0.9, 0.1), (0.5, 0.0, 1e-3)]
)
def test_lamb_is_its_algorithm(
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
    decay_bias_and_norm: bool,
) -> None:
    rng = np.random.default_rng(0)
    flat = flat_of(rng.normal(size=(2, 3)), np.zeros(4), rng.normal(size=(5, 1)))
    start, gradients = flat.values.tolist(), rng.normal(size=(STEPS, 15))
    optimizer = Lamb(
        0.03,
        beta1,
        beta2,
        eps,
        weight_decay=weight_decay,
        decay_bias_and_norm=decay_bias_and_norm,
    )
    optimizer = optimizer.over(flat)
    for gradient in gradients:
        flat.grads[:] = gradient
        optimizer.step(0.03)
    expected = []
    for part in (slice(0, 6), slice(6, 11), slice(11, 15)):
        decay = weight_decay if part.start < 11 or decay_bias_and_norm else 0.0
        given = gradients[:, part].tolist()
        expected += _loop(start[part], given, 0.03, beta1, beta2, eps, decay)
    np.testing.assert_allclose(flat.values, expected, rtol=0, atol=1e-11)


def test_lamb_leaves_the_gradient_as_it_is() -> None:
    flat = flat_of(np.ones((3, 1)))
    flat.grads.fill(2.0)
    optimizer = Lamb(weight_decay=0.1)
    optimizer = optimizer.over(flat)
    optimizer.step(0.1)
    np.testing.assert_array_equal(flat.grads, 2.0)


def test_lamb_changes_each_parameter_by_the_same_share() -> None:
    flat = flat_of(np.full((2, 2), 100.0), np.full((3, 1), 0.01))
    flat.grads[:] = 1.0
    optimizer = Lamb()
    optimizer = optimizer.over(flat)
    optimizer.step(0.1)
    big, small = flat.leaves
    np.testing.assert_allclose(big.data, 90.0)
    np.testing.assert_allclose(small.data, 0.009)
