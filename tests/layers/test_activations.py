"""What activations tell the layers around them, and which arguments they refuse."""

from __future__ import annotations

import math

import numpy as np
import pytest

from nncli.autograd.tensor import Tensor
from nncli.core.errors import ArgumentError, ShapeError
from nncli.core.randomness import Streams
from nncli.initializers.base import Initializer
from nncli.layers.activations_piecewise import HardTanh, PRelu, Relu6
from nncli.layers.activations_smooth import SELU_ALPHA, SELU_SCALE
from nncli.layers.base import Layer
from nncli.layers.dense import Dense
from nncli.losses.base import Loss
from nncli.network.network import Network

FLOAT64 = np.dtype(np.float64)
ACTIVATIONS = [
    cls
    for cls in Layer.members().values()
    if cls.__module__.startswith("nncli.layers.activations")
]


def ids(cls: type[Layer]) -> str:
    return cls.type_name


@pytest.mark.parametrize("cls", ACTIVATIONS, ids=ids)
def test_activation_names_an_initializer_that_exists(cls: type[Layer]) -> None:
    assert cls.suits in Initializer.members()


def test_selu_keeps_mean_and_variance_through_many_layers() -> None:
    layers: list[Layer] = []
    for _ in range(8):
        layers += [Dense(300), Layer.members()["selu"]()]
    network = Network(layers, (300,), Streams(0), FLOAT64)
    x = np.random.default_rng(0).normal(size=(200, 300))
    y = network(Tensor(x)).data
    assert abs(y.mean()) < 0.1
    assert 0.8 < y.var() < 1.2


def test_selu_has_the_constants_of_the_papers_closed_form() -> None:
    # Klambauer et al. 2017, equation 14: mean 0 and variance 1 map to themselves.
    e, pi, one, two = math.e, math.pi, math.erfc(1 / math.sqrt(2)), math.erfc(2**0.5)
    root = one * math.sqrt(e)
    alpha = math.sqrt(2 / pi) / (1 - root)
    spread = 2 * two * e**2 + pi * root**2 - 2 * (2 + pi) * root + pi + 2
    scale = (1 - root) * math.sqrt(2 * pi) / math.sqrt(spread)
    assert pytest.approx(alpha, rel=1e-14) == SELU_ALPHA
    assert pytest.approx(scale, rel=1e-14) == SELU_SCALE


def test_relu6_is_cut_off_at_six() -> None:
    x = Tensor(
        np.array([-1e4, -1.0, 0.0, 3.0, 5.99, 6.0, 6.5, 1e4]), requires_grad=True
    )
    y = Relu6()(x)
    y.sum().backward()
    np.testing.assert_array_equal(y.data, [0, 0, 0, 3, 5.99, 6, 6, 6])
    assert x.grad is not None
    np.testing.assert_array_equal(x.grad, [0, 0, 0, 1, 1, 0, 0, 0])


def test_losses_accept_what_activations_give() -> None:
    accepted = {
        "hard_sigmoid": "binary_cross_entropy",
        "sigmoid": "binary_cross_entropy",
        "softmax": "categorical_cross_entropy",
        "log_softmax": "softmax_cross_entropy",
        "softplus": "mse",
    }
    for layer, loss in accepted.items():
        kind = Layer.members()[layer].output
        assert kind is not None
        assert Loss.members()[loss]().refuses(kind) is None


def test_log_softmax_is_not_taken_for_a_distribution() -> None:
    kind = Layer.members()["log_softmax"].output
    assert kind == "real"
    assert Loss.members()["categorical_cross_entropy"]().refuses(kind)


@pytest.mark.parametrize(("low", "high"), [(1.0, 1.0), (2.0, -2.0)])
def test_hard_tanh_refuses_an_empty_range(low: float, high: float) -> None:
    with pytest.raises(ArgumentError, match="expected low < high"):
        HardTanh(low, high)


@pytest.mark.parametrize("shared", [True, False])
def test_prelu_begins_with_its_slope(shared: bool) -> None:
    network = Network([PRelu(0.1, shared)], (3, 4), Streams(0), FLOAT64)
    slope = network.layers[0].parameters["slope"].data
    np.testing.assert_array_equal(slope, np.full(1 if shared else 3, 0.1))


def test_prelu_without_channels_needs_one_slope() -> None:
    Network([PRelu()], (), Streams(0), FLOAT64)
    with pytest.raises(ShapeError, match="axis of channels"):
        Network([PRelu(shared=False)], (), Streams(0), FLOAT64)
