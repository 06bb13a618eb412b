"""Initializers that are tested as a whole: constants, matrices, the cut normal."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from nncli.core.arrays import Array, Shape
from nncli.core.errors import ArgumentError, ShapeError
from nncli.initializers.base import Initializer
from nncli.initializers.constant import Constant, Ones
from nncli.initializers.matrices import Identity, Orthogonal
from nncli.initializers.random import GlorotNormal, TruncatedNormal

FLOAT64 = np.dtype(np.float64)


def _sample(initializer: Initializer, shape: Shape, seed: int = 0) -> Array:
    return initializer(shape, np.random.default_rng(seed), FLOAT64)


@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (2, 3, 4)], ids=str)
def test_constants_fill_every_element(shape: Shape) -> None:
    np.testing.assert_array_equal(_sample(Ones(), shape), np.ones(shape))
    np.testing.assert_array_equal(_sample(Constant(-2.5), shape), np.full(shape, -2.5))


@pytest.mark.parametrize("shape", [(3, 3), (2, 5), (5, 2), (1, 1)], ids=str)
def test_identity_hands_inputs_on(shape: tuple[int, int]) -> None:
    expected = np.eye(shape[0], shape[1])
    np.testing.assert_array_equal(_sample(Identity(), shape), expected)
    np.testing.assert_array_equal(_sample(Identity(gain=2.0), shape), 2 * expected)


@pytest.mark.parity
@pytest.mark.parametrize("shape", [(3, 3, 5), (2, 5, 3, 4), (5, 2, 1, 2, 3)], ids=str)
def test_identity_of_kernels_is_torch_s_dirac(shape: Shape) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle of this test")
    theirs = torch.nn.init.dirac_(torch.empty(shape, dtype=torch.float64))
    np.testing.assert_array_equal(_sample(Identity(), shape), theirs.numpy())


def test_identity_of_a_vector_is_refused() -> None:
    with pytest.raises(ShapeError, match="rows and columns"):
        _sample(Identity(), (3,))


@pytest.mark.parametrize(
    "shape", [(4, 4), (3, 7), (7, 3), (1, 5), (5,), (), (6, 2, 3, 3)], ids=str
)
def test_orthogonal_has_orthonormal_rows_or_columns(shape: Shape) -> None:
    w = _sample(Orthogonal(gain=1.5), shape)
    assert w.shape == shape
    flat = w.reshape(shape[0] if shape else 1, -1)
    small = flat @ flat.T if len(flat) <= flat.shape[1] else flat.T @ flat
    np.testing.assert_allclose(small, 1.5**2 * np.eye(len(small)), atol=1e-14)


@pytest.mark.parity
@pytest.mark.parametrize("shape", [(5, 5), (4, 9), (9, 4), (6, 2, 3, 3)], ids=str)
@pytest.mark.parametrize("gain", [1.0, 2.5])
def test_orthogonal_agrees_with_torch_on_the_same_numbers(
    shape: Shape, gain: float
) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle of this test")
    rows, columns = shape[0], math.prod(shape[1:])
    tall = np.random.default_rng(0).normal(size=sorted((rows, columns), reverse=True))
    # PyTorch draws rows x columns and turns a wide matrix; it is given our numbers.
    drawn = torch.tensor(tall if rows >= columns else tall.T.copy())

    # A tensor whose sisters are filled with our numbers.
    fill = {"normal_": lambda *_, **__: drawn.clone()}
    filled: Any = type("Filled", (torch.Tensor,), fill)
    theirs = torch.empty(shape, dtype=torch.float64)
    twin = theirs.as_subclass(filled)
    torch.nn.init.orthogonal_(twin, gain)
    np.testing.assert_allclose(
        _sample(Orthogonal(gain), shape),
        twin.as_subclass(torch.Tensor).numpy(),
        atol=1e-13,
    )


def test_orthogonal_matrices_are_spread_evenly() -> None:
    # Without the sign fix, LAPACK's QR favours one sign of each diagonal element.
    rng = np.random.default_rng(0)
    corner = [Orthogonal()((3, 3), rng, FLOAT64)[0, 0] for _ in range(400)]
    assert abs(np.mean(corner)) < 5 / math.sqrt(3 * 400)


@pytest.mark.parity
@pytest.mark.parametrize("cut", [0.1, 1.0, 2.0, 4.0])
@pytest.mark.parametrize(("mean", "std"), [(0.0, 0.01), (-3.0, 2.0)])
def test_truncated_normal_is_scipy_s(mean: float, std: float, cut: float) -> None:
    stats = pytest.importorskip("scipy.stats", reason="SciPy is the oracle")
    w = _sample(TruncatedNormal(std, mean, cut), (100, 600))
    truth = stats.truncnorm(-cut, cut, loc=mean, scale=std)
    assert np.abs(w - mean).max() <= cut * std * (1 + 1e-12)
    assert abs(w.mean() - mean) < 5 * truth.std() / math.sqrt(w.size)
    assert w.std() == pytest.approx(truth.std(), rel=5 / math.sqrt(2 * w.size))
    # Kolmogorov and Smirnov: the largest distance of the distribution functions.
    distance = stats.kstest(w.ravel(), truth.cdf).statistic
    assert distance < 1.95 / math.sqrt(w.size)


def test_truncated_normal_of_one_number_is_drawn() -> None:
    assert abs(float(_sample(TruncatedNormal(1.0), ()))) <= 2.0


def test_gain_is_a_number_or_the_name_of_an_activation() -> None:
    with pytest.raises(ArgumentError, match="'tanh'"):
        GlorotNormal("tan")  # type: ignore[arg-type]
    with pytest.raises(ArgumentError):
        GlorotNormal(0.0)
