"""SGD against its formula, written as a plain loop over Python floats."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from nncli.core.errors import ArgumentError
from nncli.optimizers.sgd import Sgd
from tests.optimizers.flats import flat_of

STEPS = 30


def _loop(
    values: list[float],
    gradients: list[list[float]],
    lr: float,
    momentum: float,
    nesterov: bool,
    weight_decay: float,
) -> list[float]:
    """Return the parameters after one step a list of gradients."""
    result = []
    for i, p in enumerate(values):
        v = 0.0
        for gradient in gradients:
            g = gradient[i] + weight_decay * p
            v = momentum * v + g
            p -= lr * (g + momentum * v if nesterov else v)
        result.append(p)
    return result


OPTIONS = [
    (momentum, nesterov, weight_decay)
    for momentum, nesterov, weight_decay in itertools.product(
        (0.0, 0.9), (False, True), (0.0, 0.1)
    )
    if momentum or not nesterov
]


@pytest.mark.parametrize(("momentum", "nesterov", "weight_decay"), OPTIONS)
def test_sgd_is_its_formula(
    momentum: float, nesterov: bool, weight_decay: float
) -> None:
    rng = np.random.default_rng(0)
    start, gradients = rng.normal(size=7), rng.normal(size=(STEPS, 7))
    flat = flat_of(start)
    values, grads = flat.values, flat.grads
    optimizer = Sgd(0.03, momentum, nesterov, weight_decay=weight_decay)
    optimizer = optimizer.over(flat)
    for gradient in gradients:
        grads[:] = gradient
        optimizer.step(0.03)
    expected = _loop(
        start.tolist(), gradients.tolist(), 0.03, momentum, nesterov, weight_decay
    )
    np.testing.assert_allclose(values, expected, rtol=0, atol=1e-13)


def test_sgd_moves_with_the_rate_of_the_step_not_its_own() -> None:
    flat = flat_of(np.ones(3))
    values, grads = flat.values, flat.grads
    grads[:] = np.ones(3)
    optimizer = Sgd(lr=0.5)
    optimizer = optimizer.over(flat)
    optimizer.step(0.25)
    np.testing.assert_array_equal(values, 0.75)


def test_sgd_keeps_the_rate_out_of_the_velocity() -> None:
    flat = flat_of(np.zeros(1))
    values, grads = flat.values, flat.grads
    grads[:] = np.ones(1)
    optimizer = Sgd(lr=1.0, momentum=0.5)
    optimizer = optimizer.over(flat)
    optimizer.step(1.0)
    optimizer.step(0.0)
    # v = 1, then 0.5·1 + 1, whatever the rates were.
    np.testing.assert_array_equal(optimizer.state["velocity"], 1.5)
    np.testing.assert_array_equal(values, -1.0)


def test_sgd_leaves_the_gradient_as_it_is() -> None:
    flat = flat_of(np.ones(3))
    flat.grads.fill(2.0)
    optimizer = Sgd(lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.1)
    optimizer = optimizer.over(flat)
    optimizer.step(0.1)
    np.testing.assert_array_equal(flat.grads, 2.0)


def test_sgd_refuses_nesterov_without_momentum() -> None:
    with pytest.raises(ArgumentError, match="momentum"):
        Sgd(nesterov=True)
