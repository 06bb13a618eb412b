"""Lion against its paper's algorithm, written as a plain loop over Python floats."""

from __future__ import annotations

import math

import numpy as np
import pytest

from nncli.optimizers.lion import Lion
from tests.optimizers.flats import flat_of

STEPS = 300


@pytest.mark.parametrize("decay_bias_and_norm", [True, False])
@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
@pytest.mark.parametrize("betas", [(0.9, 0.99), (0.0, 0.5), (0.5, 0.0)])
def test_lion_is_its_algorithm(
    betas: tuple[float, float], weight_decay: float, decay_bias_and_norm: bool
) -> None:
    rng = np.random.default_rng(0)
    flat = flat_of(rng.normal(size=(2, 3)), rng.normal(size=4))
    start, gradients = flat.values.tolist(), rng.normal(size=(STEPS, 10))
    optimizer = Lion(
        0.03,
        *betas,
        weight_decay=weight_decay,
        decay_bias_and_norm=decay_bias_and_norm,
    )
    optimizer = optimizer.over(flat)
    for gradient in gradients:
        flat.grads[:] = gradient
        optimizer.step(0.03)
    expected = []
    for i, p in enumerate(start):
        m = 0.0
        decay = weight_decay if i < 6 or decay_bias_and_norm else 0.0
        for g in gradients[:, i].tolist():
            p -= 0.03 * decay * p
            p -= 0.03 * math.copysign(1.0, betas[0] * m + (1 - betas[0]) * g)
            m = betas[1] * m + (1 - betas[1]) * g
        expected.append(p)
    np.testing.assert_allclose(flat.values, expected, rtol=0, atol=1e-12)


def test_lion_stays_where_the_gradient_was_always_zero() -> None:
    flat = flat_of(np.ones(3))
    optimizer = Lion()
    optimizer = optimizer.over(flat)
    optimizer.step(0.1)
    np.testing.assert_array_equal(flat.values, 1.0)
