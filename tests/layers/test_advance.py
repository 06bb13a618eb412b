"""Layers that take the steps of a sequence one by one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nncli as nn
from nncli.autograd.tensor import Tensor
from nncli.core.arrays import Shape
from nncli.core.randomness import Streams
from nncli.layers.base import InputSpec, Layer, LayerError
from nncli.network.network import Network

FLOAT64 = np.dtype(np.float64)


def build(layers: list[Layer], spec: Shape | InputSpec) -> Network:
    """Return a network in float64, in use."""
    return Network(layers, spec, Streams(0), FLOAT64)


def steps(network: Network, x: Any) -> Any:
    """Return the outputs of steps that come one by one."""
    outputs, state = [], None
    for t in range(x.shape[1]):
        y, state = network.advance(Tensor(x[:, t : t + 1]), state)
        outputs.append(y.data)
    return np.concatenate(outputs, axis=1)


@pytest.mark.parametrize(
    "layer",
    [
        nn.Dense(2),
        nn.Residual([nn.Dense(3), nn.layers.Tanh()]),
        nn.Sequential([nn.Dense(2), nn.layers.LayerNorm()], repeat=2),
        nn.Parallel([nn.Dense(2), nn.Dense(3)], mode="concat"),
    ],
    ids=lambda layer: layer.type_name,
)
def test_advance_gives_what_a_call_gives_for_all_steps(layer: Layer) -> None:
    network = build([layer], (4, 3))
    x = np.random.default_rng(0).normal(size=(2, 4, 3))
    np.testing.assert_allclose(
        steps(network, x), network(Tensor(x)).data, rtol=1e-12, atol=1e-14
    )


@pytest.mark.parametrize("layer", [nn.Flatten(), nn.layers.Permute([1, 0])])
def test_advance_refuses_a_layer_that_mixes_steps(layer: Layer) -> None:
    network = build([layer], (4, 3))
    with pytest.raises(LayerError):
        network.advance(Tensor(np.zeros((2, 1, 3))))
