"""Alpha dropout and Gaussian noise: statistics, gradients, and silence in use."""

from __future__ import annotations

import numpy as np
import pytest

from nncli.autograd.tensor import Tensor
from nncli.core.arrays import Array
from nncli.core.errors import ArgumentError
from nncli.core.randomness import Streams
from nncli.layers.base import Layer
from nncli.layers.dropout import AlphaDropout, GaussianNoise
from nncli.network.network import Network

ROWS, FEATURES = 500, 400
SATURATED = -1.7580993408473766


def _noisy(
    layer: Layer, training: bool = True, dtype: str = "float64", seed: int = 0
) -> tuple[Array, Array, Array]:
    """Return normal input, output and the gradient of the output's sum."""
    network = Network([layer], (FEATURES,), Streams(seed), np.dtype(dtype))
    network.set_training(training)
    x = np.random.default_rng(1).normal(size=(ROWS, FEATURES)).astype(dtype)
    leaf = Tensor(x, requires_grad=True)
    y = network(leaf)
    (y * 1.0).sum().backward()
    assert leaf.grad is not None
    assert y.dtype == dtype
    return x, y.data, leaf.grad


def _formula(rate: float) -> tuple[float, float]:
    """Return a and b of Klambauer et al. 2017, with the paper's α' = −λα."""
    q = 1 - rate
    a = (q + SATURATED**2 * q * (1 - q)) ** -0.5
    return a, -a * (1 - q) * SATURATED


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("rate", [0.05, 0.3, 0.5, 0.9])
def test_alpha_dropout_keeps_mean_zero_and_variance_one(
    rate: float, dtype: str
) -> None:
    _, y, _ = _noisy(AlphaDropout(rate), dtype=dtype)
    # Five standard deviations; the kurtosis of y is at most that of the worst rate.
    spread = 5 / np.sqrt(y.size)
    assert abs(float(y.mean(dtype=float))) < spread
    kurtosis = float(np.mean(y.astype(float) ** 4))
    assert abs(float(y.var(dtype=float)) - 1) < spread * np.sqrt(kurtosis)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_alpha_dropout_follows_the_formula_of_its_mask(rate: float, dtype: str) -> None:
    x, y, grad = _noisy(AlphaDropout(rate), dtype=dtype)
    a, b = _formula(rate)
    kept = grad != 0
    share = float(kept.mean())
    assert abs(share - (1 - rate)) < 5 * np.sqrt(rate * (1 - rate) / y.size)
    tolerance = 1e-12 if dtype == "float64" else 2e-5
    np.testing.assert_allclose(grad[kept], a, rtol=1e-6)
    np.testing.assert_allclose(y[kept], a * x[kept] + b, atol=tolerance)
    np.testing.assert_allclose(y[~kept], a * SATURATED + b, atol=tolerance)


@pytest.mark.parity
@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_alpha_dropout_gives_the_two_lines_of_torch(rate: float) -> None:
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    x, y, grad = _noisy(AlphaDropout(rate))
    leaf = torch.tensor(x, requires_grad=True)
    theirs = torch.nn.functional.alpha_dropout(leaf, rate, training=True)
    theirs.sum().backward()
    other, slope = theirs.detach().numpy(), leaf.grad.numpy()
    # Other masks, the same lines: slope and offset of what is kept, and the constant.
    kept, their_kept = grad != 0, slope != 0
    assert abs(grad[kept][0] - slope[their_kept][0]) < 1e-10
    ours_b = y[kept] - grad[kept] * x[kept]
    theirs_b = other[their_kept] - slope[their_kept] * x[their_kept]
    assert np.abs(ours_b - theirs_b.mean()).max() < 1e-10
    assert np.abs(y[~kept] - other[~their_kept].mean()).max() < 1e-10


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("std", [0.01, 1.0, 30.0])
def test_gaussian_noise_is_normal_with_its_std(std: float, dtype: str) -> None:
    x, y, grad = _noisy(GaussianNoise(std), dtype=dtype)
    noise = (y.astype(float) - x) / std
    spread = 5 / np.sqrt(noise.size)
    tolerance = 1e-4 if dtype == "float32" else 1e-12
    assert abs(noise.mean()) < spread + tolerance
    assert abs(noise.var() - 1) < spread * np.sqrt(2) + tolerance
    assert abs(np.mean(noise**3)) < spread * np.sqrt(15) + tolerance
    assert abs(np.mean(noise**4) - 3) < spread * np.sqrt(96) + tolerance
    assert abs(np.mean(noise[:, 1:] * noise[:, :-1])) < spread + tolerance
    assert abs(np.mean(noise * x)) < spread + tolerance
    np.testing.assert_array_equal(grad, 1)


@pytest.mark.parametrize(
    "make", [lambda: AlphaDropout(0.5), lambda: GaussianNoise(0.5)]
)
def test_noise_repeats_with_the_seed_and_is_new_every_time(make: type[Layer]) -> None:
    first, again = _noisy(make(), seed=3)[1], _noisy(make(), seed=3)[1]
    np.testing.assert_array_equal(first, again)
    assert (first != _noisy(make(), seed=4)[1]).any()
    network = Network([make()], (FEATURES,), Streams(0), np.dtype("float64"))
    network.set_training(True)
    x = Tensor(np.ones((ROWS, FEATURES)))
    assert (network(x).data != network(x).data).mean() > 0.4


@pytest.mark.parametrize(
    "make", [lambda: AlphaDropout(0.5), lambda: GaussianNoise(0.5)]
)
def test_noise_is_the_same_for_column_major_inputs(make: type[Layer]) -> None:
    def noisy(x: Array) -> Array:
        network = Network([make()], (5,), Streams(2), np.dtype("float64"))
        network.set_training(True)
        return network(Tensor(x)).data

    x = np.random.default_rng(0).normal(size=(7, 5))
    np.testing.assert_array_equal(noisy(x), noisy(np.asfortranarray(x)))
    np.testing.assert_array_equal(noisy(x), noisy(np.repeat(x, 2, axis=1)[:, ::2]))


@pytest.mark.parametrize(
    ("layer", "training"),
    [
        (AlphaDropout(0.0), True),
        (AlphaDropout(0.7), False),
        (GaussianNoise(0.0), True),
        (GaussianNoise(0.7), False),
    ],
)
def test_noise_hands_the_input_on_in_use(layer: Layer, training: bool) -> None:
    x, y, grad = _noisy(layer, training)
    np.testing.assert_array_equal(y, x)
    np.testing.assert_array_equal(grad, 1)


@pytest.mark.parametrize("rate", [-0.1, 1.0, 1.5])
def test_alpha_dropout_refuses_rates_that_are_no_probability_below_one(
    rate: float,
) -> None:
    with pytest.raises(ArgumentError, match="rate"):
        AlphaDropout(rate)


def test_gaussian_noise_refuses_a_negative_std() -> None:
    with pytest.raises(ArgumentError, match="std"):
        GaussianNoise(-0.1)
