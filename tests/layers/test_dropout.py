"""Dropout: its mask, the scale of what stays, and one mask for both directions."""

from __future__ import annotations

import numpy as np
import pytest

from nncli.autograd.tensor import Tensor
from nncli.core.arrays import Array
from nncli.core.errors import ArgumentError
from nncli.core.randomness import Streams
from nncli.layers.dropout import Dropout
from nncli.network.network import Network

ROWS, FEATURES = 400, 100


def _dropped(
    rate: float, training: bool = True, dtype: str = "float64", seed: int = 0
) -> tuple[Array, Array, Array]:
    """Return input, output and the gradient of the output's sum."""
    layer = Dropout(rate)
    network = Network([layer], (FEATURES,), Streams(seed), np.dtype(dtype))
    network.set_training(training)
    rng = np.random.default_rng(1)
    x = rng.uniform(1.0, 2.0, (ROWS, FEATURES)).astype(dtype)
    leaf = Tensor(x, requires_grad=True)
    y = network(leaf)
    (y * 1.0).sum().backward()
    assert leaf.grad is not None
    return x, y.data, leaf.grad


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("rate", [0.05, 0.3, 0.5, 0.95])
def test_dropout_drops_the_given_share(rate: float, dtype: str) -> None:
    _, y, _ = _dropped(rate, dtype=dtype)
    share = float(np.mean(y == 0))
    # Five standard deviations of a binomial share.
    assert abs(share - rate) < 5 * np.sqrt(rate * (1 - rate) / y.size)


@pytest.mark.parametrize("rate", [0.3, 0.5])
def test_dropout_drops_elements_independently(rate: float) -> None:
    _, y, _ = _dropped(rate)
    kept = (y != 0).astype(float) - (1 - rate)
    spread = rate * (1 - rate) / np.sqrt(kept.size)
    # Neighbours along both axes, and rows and columns as wholes.
    assert abs(np.mean(kept[1:] * kept[:-1])) < 5 * spread
    assert abs(np.mean(kept[:, 1:] * kept[:, :-1])) < 5 * spread
    deviation = np.sqrt(rate * (1 - rate))
    assert np.abs(kept.mean(axis=0)).max() < 5 * deviation / np.sqrt(ROWS)
    assert np.abs(kept.mean(axis=1)).max() < 5 * deviation / np.sqrt(FEATURES)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_dropout_divides_what_stays_by_one_minus_rate(rate: float, dtype: str) -> None:
    x, y, _ = _dropped(rate, dtype=dtype)
    kept = y != 0
    assert y.dtype == dtype
    np.testing.assert_allclose(y[kept], x[kept] / (1 - rate), rtol=1e-6)


def test_dropout_keeps_the_expected_value() -> None:
    x, y, _ = _dropped(0.5)
    spread = float(np.sqrt(np.mean(x**2) / x.size))
    assert abs(y.mean() - x.mean()) < 5 * spread


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_dropout_uses_one_mask_forward_and_backward(rate: float, dtype: str) -> None:
    _, y, grad = _dropped(rate, dtype=dtype)
    np.testing.assert_array_equal(grad != 0, y != 0)
    np.testing.assert_allclose(grad[grad != 0], 1 / (1 - rate), rtol=1e-6)


def test_dropout_draws_a_new_mask_every_time() -> None:
    layer = Dropout(0.5)
    network = Network([layer], (FEATURES,), Streams(0), np.dtype(np.float64))
    network.set_training(True)
    x = Tensor(np.ones((ROWS, FEATURES)))
    first, second = network(x).data, network(x).data
    assert 0.45 < np.mean(first != second) < 0.55


def test_dropout_repeats_its_masks_with_the_seed() -> None:
    np.testing.assert_array_equal(_dropped(0.5, seed=3)[1], _dropped(0.5, seed=3)[1])
    assert (_dropped(0.5, seed=3)[1] != _dropped(0.5, seed=4)[1]).any()


def test_dropout_masks_column_major_inputs_in_the_same_way() -> None:
    def masked(x: Array) -> Array:
        network = Network([Dropout(0.5)], (5,), Streams(2), np.dtype(np.float64))
        network.set_training(True)
        return network(Tensor(x)).data

    x = np.random.default_rng(0).normal(size=(7, 5))
    np.testing.assert_array_equal(masked(x), masked(np.asfortranarray(x)))


@pytest.mark.parametrize(("rate", "training"), [(0.0, True), (0.7, False)])
def test_dropout_hands_the_input_on(rate: float, training: bool) -> None:
    x, y, grad = _dropped(rate, training)
    np.testing.assert_array_equal(y, x)
    np.testing.assert_array_equal(grad, 1.0)


@pytest.mark.parametrize("rate", [-0.1, 1.0, 1.5])
def test_dropout_refuses_rates_that_are_no_probability_below_one(rate: float) -> None:
    with pytest.raises(ArgumentError, match="rate"):
        Dropout(rate)
