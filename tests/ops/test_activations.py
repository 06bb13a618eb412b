"""Activations at the ends of the floats, and erf against other people's erf."""

from __future__ import annotations

import copy
import math
import tracemalloc
from typing import Any

import numpy as np
import pytest

from nncli.autograd.buffers import Form, scratches
from nncli.autograd.function import FUNCTIONS, Function
from nncli.autograd.tensor import Tensor, apply
from nncli.core.arrays import Array
from nncli.layers.activations_smooth import SELU_ALPHA, SELU_SCALE
from nncli.ops.activations import HardTanh, PRelu
from nncli.ops.activations_smooth import Elu, Softplus
from nncli.ops.elementwise import Unary
from nncli.ops.erf import BLOCK, erf_forms
from nncli.ops.erf import erf as write_erf

LARGEST = float(np.finfo(np.float32).max)

# The straight lines that it nears far below and far above zero: slope, value at 0.
LIMITS: dict[str, tuple[tuple[float, float], tuple[float, float]]] = {
    "relu": ((0, 0), (1, 0)),
    "leaky_relu": ((0.01, 0), (1, 0)),
    "sigmoid": ((0, 0), (0, 1)),
    "tanh": ((0, -1), (0, 1)),
    "hard_tanh": ((0, -1), (0, 1)),
    "hard_sigmoid": ((0, 0), (0, 1)),
    "hard_swish": ((0, 0), (1, 0)),
    "silu": ((0, 0), (1, 0)),
    "softplus": ((0, 0), (1, 0)),
    "elu": ((0, -1), (1, 0)),
    "mish": ((0, 0), (1, 0)),
    "gelu": ((0, 0), (1, 0)),
    "gelu_tanh": ((0, 0), (1, 0)),
}
SETTINGS: list[tuple[str, Function]] = [
    *((name, FUNCTIONS.scan()[name]()) for name in LIMITS),
    ("softsign", FUNCTIONS.scan()["softsign"]()),
    ("relu6", HardTanh(0.0, 6.0)),
    ("softplus 30", Softplus(30.0)),
    ("softplus 0.001", Softplus(0.001)),
    ("softplus to 1e3", Softplus(1.0, 1e3)),
    ("celu 0.01", Elu(0.01, width=0.01)),
    ("celu 1e3", Elu(1e3, width=1e3)),
    ("selu", Elu(SELU_ALPHA, scale=SELU_SCALE)),
]
NAMES = [name for name, _ in SETTINGS]


def whole_range(dtype: Any) -> Array:
    """Return numbers of every size that float32 has, both zeros and the ends."""
    sizes = np.concatenate([np.logspace(-45, 38.5, 400), np.linspace(0.0, 110.0, 441)])
    sizes = np.append(sizes, [1e4, LARGEST / 2, LARGEST])
    return np.concatenate([-sizes, sizes]).astype(dtype)


def value_and_slope(function: Function, x: Array) -> tuple[Array, Array]:
    tensor = Tensor(x, requires_grad=True)
    y = apply(copy.copy(function), tensor)
    y.sum().backward()
    assert tensor.grad is not None
    return y.data, tensor.grad


def value_and_slope_alone(function: Any, x: Array) -> tuple[Array, Array]:
    """Call the op itself: the sum of numbers so large would overflow."""
    function = copy.copy(function)
    function.differentiated = True
    with np.errstate(all="ignore"):
        out = function.allocate(x)
        function.forward(x, out)
        slope = np.ones_like(x)
        function.backward(slope, slope)
    return out, slope


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", LIMITS)
def test_activation_has_the_right_limits(name: str, dtype: Any) -> None:
    x = np.array([-1e4, 1e4], dtype)
    value, slope = value_and_slope(FUNCTIONS.scan()[name](), x)
    for i, (steepness, offset) in enumerate(LIMITS[name]):
        expected = steepness * x[i].item() + offset
        assert value[i] == pytest.approx(expected, rel=1e-6, abs=0.0)
        assert slope[i] == pytest.approx(steepness, rel=1e-6, abs=0.0)


def test_softsign_goes_to_one_slowly() -> None:
    value, slope = value_and_slope(
        FUNCTIONS.scan()["softsign"](), np.array([-1e4, 1e4])
    )
    np.testing.assert_allclose(value, [-1e4 / 10001, 1e4 / 10001], rtol=1e-15)
    np.testing.assert_allclose(slope, [10001**-2.0] * 2, rtol=1e-15)


@pytest.mark.parametrize(("name", "function"), SETTINGS, ids=NAMES)
def test_activation_is_finite_over_the_whole_float32_range(
    name: str, function: Function
) -> None:
    x = whole_range(np.float32)
    value, slope = value_and_slope_alone(function, x)
    representable = np.abs(x) < (LARGEST / SELU_SCALE if name == "selu" else np.inf)
    assert np.isfinite(value[representable]).all()
    assert np.isfinite(slope).all()


@pytest.mark.parametrize(("name", "function"), SETTINGS, ids=NAMES)
def test_activation_in_float32_is_near_that_in_float64(
    name: str, function: Function
) -> None:
    x = whole_range(np.float32)
    x = x[np.abs(x) < 1e30]
    value, slope = value_and_slope_alone(function, x)
    exact, exact_slope = value_and_slope_alone(function, x.astype(np.float64))
    # Below zero, x·(1 + erf) and the like lose digits in proportion to x.
    absolute = 3e-6
    np.testing.assert_allclose(value, exact, rtol=2e-6, atol=absolute)
    np.testing.assert_allclose(slope, exact_slope, rtol=2e-6, atol=absolute)


@pytest.mark.parametrize(("name", "function"), SETTINGS, ids=NAMES)
def test_activation_of_not_a_number_is_not_a_number(
    name: str, function: Function
) -> None:
    x = np.array([1.0, np.nan, -1.0])
    value = apply(copy.copy(function), Tensor(x)).data
    np.testing.assert_array_equal(np.isnan(value), [False, True, False])


@pytest.mark.parametrize(("name", "function"), SETTINGS, ids=NAMES)
def test_activation_allocates_nothing_that_grows_with_the_batch(
    name: str, function: Any
) -> None:
    x = np.random.default_rng(0).normal(size=2**18).astype(np.float32)
    function = copy.copy(function)
    function.differentiated = True
    # What is scratch is asked for once.
    value_and_slope_alone(function, x)
    out, grad = function.allocate(x), np.ones_like(x)
    tracemalloc.start()
    function.forward(x, out)
    function.backward(grad, grad)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # NumPy's buffers for a change of type take up to 0.13 MiB, x takes 1 MiB.
    assert peak < x.nbytes / 4


def test_every_activation_is_tested_at_its_limits() -> None:
    elsewhere = {"negative", "exp", "log", "power", "softsign", "dropout"}
    ours = {
        name
        for name, cls in FUNCTIONS.scan().items()
        if cls.__module__.startswith("nncli.ops.activations")
        or cls.__module__ in ("nncli.ops.gelu", "nncli.ops.elementwise")
        if issubclass(cls, Unary)
    }
    assert ours - elsewhere == set(LIMITS)


def test_prelu_sums_each_channel_as_a_plain_loop_does() -> None:
    rng = np.random.default_rng(3)
    x, slope = rng.normal(size=(2, 3, 4)), np.array([0.25, -0.5, 2.0])
    tensors = Tensor(x, requires_grad=True), Tensor(slope, requires_grad=True)
    y = apply(PRelu(), *tensors)
    weights = rng.normal(size=x.shape)
    (y * Tensor(weights)).sum().backward()
    value, total = np.zeros_like(x), np.zeros(3)
    for n, c, t in np.ndindex(x.shape):
        if x[n, c, t] > 0:
            value[n, c, t] = x[n, c, t]
        else:
            value[n, c, t] = slope[c] * x[n, c, t]
            total[c] += weights[n, c, t] * x[n, c, t]
    np.testing.assert_array_equal(y.data, value)
    assert tensors[1].grad is not None
    np.testing.assert_allclose(tensors[1].grad, total, rtol=1e-14)


def test_prelu_with_a_steep_slope_overflows_without_a_warning() -> None:
    x = np.array([[-LARGEST, LARGEST]], np.float32)
    y = apply(PRelu(), Tensor(x), Tensor(np.array([2.0], np.float32)))
    np.testing.assert_array_equal(y.data, [[-np.inf, LARGEST]])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_softmax_family_takes_scores_from_both_ends_of_float32(dtype: Any) -> None:
    scores = np.array([[LARGEST, -LARGEST, 0.0], [-LARGEST] * 3, [1e4, -1e4, 1e4]])
    x = scores.astype(dtype)
    third = 1 / 3
    softmax = np.array([[1, 0, 0], [third] * 3, [0.5, 0, 0.5]])
    value, slope = value_and_slope_alone(FUNCTIONS.scan()["softmax"](), x)
    np.testing.assert_allclose(value, softmax, rtol=1e-6)
    np.testing.assert_allclose(slope, np.zeros((3, 3)), atol=1e-6)
    log_softmax, slope = value_and_slope_alone(FUNCTIONS.scan()["log_softmax"](), x)
    assert not np.isnan(log_softmax).any()
    np.testing.assert_allclose(np.exp(log_softmax), softmax, rtol=1e-6)
    np.testing.assert_allclose(log_softmax[2, 1], -2e4 - np.log(2), rtol=1e-6)
    np.testing.assert_allclose(slope, 1 - 3 * softmax, rtol=1e-6, atol=1e-6)
    function: Any = FUNCTIONS.scan()["logsumexp"]()
    out = function.allocate(x)
    with np.errstate(over="ignore"):
        function.forward(x, out)
    np.testing.assert_allclose(out, [LARGEST, -LARGEST, 1e4 + np.log(2)], rtol=1e-6)
    function.backward(np.ones_like(out), x)
    np.testing.assert_allclose(x, softmax, rtol=1e-6)


def erf(x: Array) -> Array:
    out = np.empty_like(x)
    write_erf(x, scratches(*erf_forms(Form.of(x))), out)
    return out


def erf_points() -> Array:
    sizes = np.concatenate(
        [
            np.linspace(0.0, 7.0, 20_001),
            np.logspace(-300, 300, 1201),
            # Where one quotient of polynomials takes over from the other.
            [np.nextafter(0.46875, 0), 0.46875, np.nextafter(0.46875, 1), 4.0, 6.0],
        ]
    )
    return np.concatenate([-sizes, sizes])


def test_erf_agrees_with_the_standard_library_to_the_last_bits() -> None:
    x = erf_points()
    expected = np.array([math.erf(number) for number in x])
    np.testing.assert_allclose(erf(x), expected, rtol=6e-16, atol=0)


@pytest.mark.parity
def test_erf_agrees_with_scipy() -> None:
    special = pytest.importorskip("scipy.special")
    x = erf_points()
    np.testing.assert_allclose(erf(x), special.erf(x), rtol=1e-15, atol=0)


def test_erf_in_float32_is_right_to_its_last_bits() -> None:
    x = erf_points()
    x = x[(np.abs(x) < LARGEST) & (np.abs(x) > 1e-37)].astype(np.float32)
    expected = np.array([math.erf(number) for number in x])
    np.testing.assert_allclose(erf(x), expected, rtol=5e-7, atol=0)


def test_erf_keeps_signs_and_what_is_not_a_number() -> None:
    y = erf(np.array([0.0, -0.0, np.inf, -np.inf, np.nan]))
    np.testing.assert_array_equal(y, [0.0, 0.0, 1.0, -1.0, np.nan])
    np.testing.assert_array_equal(np.signbit(y[:2]), [False, True])


@pytest.mark.parametrize("size", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK + 5])
def test_erf_is_the_same_in_blocks_of_any_number_and_in_place(size: int) -> None:
    x = np.linspace(-3, 3, size)
    expected = np.array([math.erf(number) for number in x])
    np.testing.assert_allclose(erf(x), expected, rtol=6e-16, atol=0)
    write_erf(x, scratches(*erf_forms(Form.of(x))), x)
    np.testing.assert_allclose(x, expected, rtol=6e-16, atol=0)
