"""Initializers: moments and bounds by their formulas, fans, both precisions."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from nncli.core.arrays import Array, Shape
from nncli.core.errors import ArgumentError, NncliError
from nncli.initializers.base import GAINS, Initializer, fans_of
from nncli.initializers.random import GlorotNormal, Uniform
from tests.parity import without_case

OUT, IN = 300, 200
FLOAT64 = np.dtype(np.float64)


@dataclass(frozen=True)
class Drawn:
    """An initializer's arguments, and the distribution for a (300, 200) weight."""

    name: str
    kind: str
    mean: float
    std: float
    arguments: dict[str, Any]


def _uniform(name: str, low: float, high: float, /, **arguments: Any) -> Drawn:
    middle, deviation = (low + high) / 2, (high - low) / math.sqrt(12)
    return Drawn(name, "uniform", middle, deviation, arguments)


def _normal(name: str, mean: float, std: float, /, **arguments: Any) -> Drawn:
    return Drawn(name, "normal", mean, std, arguments)


GLOROT, HE = math.sqrt(6 / (IN + OUT)), math.sqrt(6 / IN)
DRAWN = [
    _normal("normal", 0.0, 0.01),
    _normal("normal", -3.0, 2.0, std=2.0, mean=-3.0),
    _uniform("uniform", -0.05, 0.05),
    _uniform("uniform", 1.0, 4.0, low=1.0, high=4.0),
    _normal("glorot_normal", 0.0, math.sqrt(2 / (IN + OUT))),
    _uniform("glorot_uniform", -GLOROT, GLOROT),
    _normal("he_normal", 0.0, math.sqrt(2 / IN)),
    _uniform("he_uniform", -HE, HE),
    _normal("lecun_normal", 0.0, math.sqrt(1 / IN)),
    _uniform("lecun_uniform", -HE / math.sqrt(2), HE / math.sqrt(2)),
    _normal("he_normal", 0.0, math.sqrt(2 / 1.25 / OUT), slope=0.5, fan="fan_out"),
    _uniform("he_uniform", -HE * 0.1**0.5, HE * 0.1**0.5, slope=3.0),
    _normal("glorot_normal", 0.0, 3 * math.sqrt(2 / (IN + OUT)), gain=3.0),
    _uniform("glorot_uniform", -GLOROT * 5 / 3, GLOROT * 5 / 3, gain="tanh"),
    _normal("lecun_normal", 0.0, 0.75 * math.sqrt(1 / IN), gain="selu"),
    _uniform("lecun_uniform", -HE, HE, gain="relu"),
]
IDS = [f"{drawn.name} {drawn.arguments}" for drawn in DRAWN]
# Tested in test_matrices.py.
NOT_DRAWN = {"zeros", "ones", "constant", "identity", "orthogonal", "truncated_normal"}


def _sample(name: str, shape: Shape = (OUT, IN), seed: int = 0, **kw: Any) -> Array:
    dtype = kw.pop("dtype", FLOAT64)
    rng = np.random.default_rng(seed)
    return Initializer.members()[name](**kw)(shape, rng, np.dtype(dtype))


@pytest.mark.parametrize("drawn", DRAWN, ids=IDS)
def test_initializer_has_its_mean_and_deviation(drawn: Drawn) -> None:
    w = _sample(drawn.name, **drawn.arguments)
    assert w.shape == (OUT, IN)
    # Five standard errors of the mean; of the deviation, at most 5/√(2n) of it.
    assert abs(w.mean() - drawn.mean) < 5 * drawn.std / math.sqrt(w.size)
    assert w.std() == pytest.approx(drawn.std, rel=5 / math.sqrt(2 * w.size))


@pytest.mark.parametrize("drawn", DRAWN, ids=IDS)
def test_initializer_has_its_distribution_s_shape(drawn: Drawn) -> None:
    z = (_sample(drawn.name, **drawn.arguments) - drawn.mean) / drawn.std
    kurtosis = float(np.mean(z**4))
    assert kurtosis == pytest.approx(
        {"normal": 3.0, "uniform": 1.8}[drawn.kind], abs=0.1
    )
    if drawn.kind == "uniform":
        # Everything within the bounds, and both bounds nearly reached.
        assert np.abs(z).max() <= math.sqrt(3) + 1e-12
        assert z.max() > 0.999 * math.sqrt(3)
        assert z.min() < -0.999 * math.sqrt(3)


def test_zeros_are_zeros() -> None:
    np.testing.assert_array_equal(_sample("zeros"), 0.0)


def test_every_initializer_has_its_formula_tested() -> None:
    covered = {drawn.name for drawn in DRAWN} | NOT_DRAWN
    missing = without_case(Initializer.members(), covered)
    assert not missing, f"initializers without a test of their formula: {missing}"


@pytest.mark.parametrize("drawn", DRAWN, ids=IDS)
def test_both_precisions_start_from_the_same_numbers(drawn: Drawn) -> None:
    single = _sample(drawn.name, dtype=np.float32, **drawn.arguments)
    double = _sample(drawn.name, **drawn.arguments)
    assert single.dtype == np.float32
    np.testing.assert_array_equal(single, double.astype(np.float32))


@pytest.mark.parametrize("drawn", DRAWN, ids=IDS)
def test_first_values_are_a_function_of_the_generator(drawn: Drawn) -> None:
    first, again, other = (
        _sample(drawn.name, seed=seed, **drawn.arguments) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((), (1, 1)),
        ((5,), (5, 5)),
        ((5, 3), (3, 5)),
        ((8, 4, 3), (12, 24)),
        ((8, 4, 3, 2), (24, 48)),
        ((8, 4, 3, 2, 2), (48, 96)),
    ],
)
def test_fans_count_the_kernel(shape: Shape, expected: tuple[int, int]) -> None:
    assert fans_of(shape) == expected


@pytest.mark.parity
@pytest.mark.parametrize("shape", [(5, 3), (8, 4, 3), (8, 4, 3, 2), (1, 1)], ids=str)
def test_fans_agree_with_torch(shape: Shape) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle of this test")
    theirs = torch.nn.init._calculate_fan_in_and_fan_out(torch.empty(shape))
    assert fans_of(shape) == theirs


@pytest.mark.parity
@pytest.mark.parametrize(
    ("name", "function", "arguments"),
    [
        ("he_uniform", "kaiming_uniform_", {"nonlinearity": "relu"}),
        ("he_normal", "kaiming_normal_", {"nonlinearity": "relu"}),
        ("glorot_uniform", "xavier_uniform_", {}),
        ("glorot_normal", "xavier_normal_", {}),
        ("lecun_uniform", "kaiming_uniform_", {"nonlinearity": "linear"}),
        ("lecun_normal", "kaiming_normal_", {"nonlinearity": "linear"}),
    ],
)
@pytest.mark.parametrize("shape", [(600, 300), (64, 32, 9, 9)], ids=str)
def test_initializer_has_torch_s_spread(
    name: str, function: str, arguments: dict[str, str], shape: Shape
) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle of this test")
    generator = torch.Generator().manual_seed(0)
    theirs = torch.empty(shape, dtype=torch.float64)
    getattr(torch.nn.init, function)(theirs, generator=generator, **arguments)
    ours = _sample(name, shape)
    error = 5 / math.sqrt(ours.size)
    assert ours.std() == pytest.approx(float(theirs.std()), rel=error)
    if "uniform" in name:
        bound = float(theirs.abs().max())
        assert np.abs(ours).max() == pytest.approx(bound, rel=1e-3)


@pytest.mark.parity
@pytest.mark.parametrize("activation", sorted(GAINS))
def test_gain_is_torch_s(activation: Any) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle of this test")
    expected = torch.nn.init.calculate_gain(activation)
    assert GlorotNormal(activation).factor == pytest.approx(expected, rel=1e-15)
    assert GlorotNormal(1.5).factor == 1.5


def test_uniform_refuses_a_range_that_is_none() -> None:
    with pytest.raises(ArgumentError, match="low < high"):
        Uniform(1.0, 1.0)


def test_weights_larger_than_the_memory_are_refused() -> None:
    with pytest.raises(NncliError, match="memory"):
        _sample("he_normal", (10**7, 10**7))
