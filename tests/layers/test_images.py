"""Layers for images: what is computed first, which axis, what they refuse."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest

from nncli.autograd.replay import Replay
from nncli.autograd.tape import no_grad, record
from nncli.autograd.tensor import Tensor
from nncli.config.load import load_config
from nncli.core.arrays import Array, Shape, batch_innermost
from nncli.core.errors import ArgumentError, ShapeError
from nncli.core.randomness import Streams
from nncli.experiment.build import build
from nncli.layers.activations import LeakyRelu, Relu, Tanh
from nncli.layers.activations_piecewise import Relu6
from nncli.layers.base import Layer
from nncli.layers.channel_norm import GroupNorm, InstanceNorm
from nncli.layers.containers import Parallel, Scale, Sequential
from nncli.layers.dropout import SpatialDropout
from nncli.layers.normalization import BatchNorm
from nncli.layers.pooling import AveragePool2d, LpPool2d, MaxPool1d, MaxPool2d
from nncli.layers.pooling_whole import (
    AdaptiveMaxPool2d,
    GlobalAveragePool,
    GlobalMaxPool,
)
from nncli.layers.resize import Pad, PixelShuffle, Upsample
from nncli.layers.shape import Flatten, Identity
from nncli.network.network import Network


def _network(layers: list[Layer], row: Shape, dtype: str = "float64") -> Network:
    return Network(layers, row, Streams(0), np.dtype(dtype))


def _differentiated(network: Network, x: Array) -> tuple[Array, Array]:
    leaf = Tensor(x, requires_grad=True)
    y = network(leaf)
    weights = np.random.default_rng(3).normal(size=y.shape).astype(x.dtype)
    (y * Tensor(weights)).sum().backward()
    assert leaf.grad is not None
    return y.data, leaf.grad


POOLS = [
    MaxPool2d(),
    MaxPool2d(3, stride=2, padding=1),
    MaxPool2d([2, 3], stride=[1, 2], dilation=[2, 1], ceil_mode=True),
    AdaptiveMaxPool2d([2, 3]),
    GlobalMaxPool(),
]


@pytest.mark.parametrize("pool", POOLS, ids=repr)
@pytest.mark.parametrize("activation", [Relu(), Relu6()], ids=repr)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_relu_behind_max_pooling_has_the_bits_of_relu_before_it(
    pool: Layer, activation: Layer, dtype: str
) -> None:
    written = _network([activation, Identity(), pool], (3, 6, 7), dtype)
    swapped = _network([activation, pool], (3, 6, 7), dtype)
    rng = np.random.default_rng(0)
    for shift in (0.0, 2.0, -9.0):
        # Many are equal, and of some windows no element is positive.
        x = np.round(rng.normal(shift, 4.0, (4, 3, 6, 7))).astype(dtype)
        for one, two in zip(
            _differentiated(written, x), _differentiated(swapped, x), strict=True
        ):
            np.testing.assert_array_equal(one, two)


def test_relu_works_on_what_max_pooling_leaves() -> None:
    network = _network([Relu(), MaxPool2d(), Flatten()], (3, 6, 8))
    with record() as steps:
        network(Tensor(np.ones((2, 3, 6, 8))))
    assert [step.label for step in steps] == [
        "layers[1] max_pool2d",
        "layers[0] relu",
        "layers[2] flatten",
    ]
    assert steps[1].form.shape == (2, 3, 3, 4)
    assert [layer.output_shape for layer in network.layers[:2]] == [
        (3, 6, 8),
        (3, 3, 4),
    ]


@pytest.mark.parametrize(
    "layers",
    [[LeakyRelu(), MaxPool2d()], [Tanh(), MaxPool2d()], [Relu(), AveragePool2d()]],
    ids=repr,
)
def test_other_activations_and_pools_stay_where_they_are(layers: list[Layer]) -> None:
    network = _network(layers, (1, 4, 4))
    with record() as steps:
        network(Tensor(np.ones((1, 1, 4, 4))))
    assert steps[0].label.startswith("layers[0]")


def test_pools_keep_the_batch_innermost_and_flatten_copies_nothing() -> None:
    network = _network([MaxPool2d(), AveragePool2d(), Flatten()], (3, 8, 8))
    x = batch_innermost((5, 3, 8, 8), np.dtype("float64"))
    x[...] = np.random.default_rng(0).normal(size=x.shape)
    with record() as steps:
        y = network(Tensor(x))
    assert [step.function.is_view for step in steps] == [False, False, True]
    assert y.data.T.flags.c_contiguous


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MaxPool2d(2, padding=2), "padding: expected at most half a window"),
        (lambda: MaxPool2d([2, 2, 2]), "kernel: expected one number, or one for each"),
        (lambda: MaxPool1d(2, stride=[1, 2]), "stride: expected one number"),
        (lambda: AdaptiveMaxPool2d([1]), "size: expected one number"),
        (lambda: MaxPool2d(0), "kernel: expected an integer >= 1"),
        (lambda: LpPool2d(norm=0.5), "norm: expected a number >= 1"),
    ],
)
def test_pools_refuse_sizes_that_fit_no_axes(make: Any, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        make()


@pytest.mark.parametrize(
    ("layer", "row", "message"),
    [
        (MaxPool2d(), (3, 8), r"rows of shape \(C, H, W\), got \(3, 8\)"),
        (MaxPool2d(5), (1, 4, 9), "windows of at most 4 elements"),
        (MaxPool2d(), (1, 0, 9), "rows of shape"),
        (GlobalAveragePool(), (4,), r"rows of shape \(C, L\) or \(C, H, W\)"),
        (GroupNorm(2), (3, 4), "make 2 equal groups"),
        (InstanceNorm(), (3, 1, 1), "one has no variance"),
        (BatchNorm(), (), "an axis of features"),
        (Pad(3, mode="reflect"), (1, 3, 9), "reflect padding of at most 2"),
        (Pad([1, 2]), (1, 5), "a padding for each of 1 axes"),
        (Upsample([2, 2]), (1, 5), "factor: expected one number"),
        (PixelShuffle(2), (6, 2, 2), "multiple of 4 channels"),
        (SpatialDropout(), (6,), "rows of shape"),
        (Scale([GlobalAveragePool()]), (2,), "rows of shape"),
        (Scale([MaxPool2d()]), (2, 4, 4), "one factor for each element"),
    ],
    ids=repr,
)
def test_layers_refuse_rows_that_they_cannot_take(
    layer: Layer, row: Shape, message: str
) -> None:
    with pytest.raises(ShapeError, match=message):
        _network([layer], row)


def test_concat_joins_the_channels_of_images() -> None:
    branches = Parallel([Tanh(), Sequential([Relu(), Pad(0)])], mode="concat")
    network = _network([branches], (2, 3, 4))
    assert network.shapes[1] == (4, 3, 4)
    x = np.random.default_rng(0).normal(size=(5, 2, 3, 4))
    joined = np.concatenate([np.tanh(x), np.maximum(x, 0)], axis=1)
    np.testing.assert_allclose(network(Tensor(x)).data, joined, rtol=1e-15)
    with pytest.raises(ShapeError, match="in all axes but the first"):
        _network([Parallel([Tanh(), Pad(1)], mode="concat")], (2, 3, 4))


def test_spatial_dropout_drops_whole_channels_in_any_memory_order() -> None:
    network = _network([SpatialDropout(0.4)], (50, 3, 4))
    network.set_training(True)
    state = network.streams.noise.bit_generator.state
    x = np.random.default_rng(0).uniform(1, 2, (20, 50, 3, 4))
    y, grad = _differentiated(network, x)
    kept = y[:, :, 0, 0] != 0
    assert abs(np.mean(kept) - 0.6) < 5 * np.sqrt(0.24 / kept.size)
    np.testing.assert_allclose(y, x * kept[:, :, None, None] / 0.6, rtol=1e-15)
    assert ((grad != 0) == kept[:, :, None, None]).all()
    turned = batch_innermost(x.shape, x.dtype)
    turned[...] = x
    network.streams.noise.bit_generator.state = state
    np.testing.assert_array_equal(network(Tensor(turned)).data, y)
    network.set_training(False)
    np.testing.assert_array_equal(network(Tensor(x)).data, x)


def test_one_image_is_a_batch_for_batch_norm_but_one_row_of_features_is_none() -> None:
    assert _network([BatchNorm()], (3, 2, 2)).min_rows == 1
    assert _network([BatchNorm()], (3, 1, 1)).min_rows == 2
    assert _network([BatchNorm()], (3,)).min_rows == 2


def test_batch_norm_in_use_makes_its_output_and_nothing_else() -> None:
    network = _network([BatchNorm()], (8, 32, 32), "float32")
    x = Tensor(np.ones((16, 8, 32, 32), np.float32))
    with no_grad(), record() as steps:
        y = network(x)
    replay = Replay(steps, [y])
    replay.forward()
    assert len(steps) == 1
    assert replay.bytes == 0
    tracemalloc.start()
    replay.forward()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < x.data.nbytes / 4


BLOCKS = """
name: blocks
dataset: {type: digits}
layers:
  - {type: reshape, shape: [1, 8, 8]}
  - {type: pad, padding: 1, mode: reflect}
  # A residual block with projection: a 1x1 convolution is a dense on the channels.
  - type: parallel
    branches:
      - type: sequential
        layers:
          - {type: permute, axes: [1, 2, 0]}
          - {type: dense, units: 4}
          - {type: permute, axes: [2, 0, 1]}
          - batch_norm
          - relu
          - max_pool2d
      - type: sequential
        layers:
          - average_pool2d
          - {type: permute, axes: [1, 2, 0]}
          - {type: dense, units: 4}
          - {type: permute, axes: [2, 0, 1]}
  # Squeeze and excite, inside a residual block.
  - type: residual
    layers:
      - {type: group_norm, groups: 2}
      - relu
      - type: scale
        layers:
          - global_average_pool
          - {type: dense, units: 2}
          - relu
          - {type: dense, units: 4}
          - sigmoid
  - global_average_pool
  - {type: dense, units: 10}
loss: softmax_cross_entropy
optimizer: {type: adam, lr: 0.01}
training: {epochs: 1, batch_size: 50}
"""


def test_squeeze_and_excite_and_projections_are_written_with_what_there_is(
    tmp_path: Any,
) -> None:
    path = tmp_path / "blocks.yaml"
    path.write_text(BLOCKS)
    network = build(load_config(path, [])).network
    assert network.shapes[3] == (4, 5, 5)
    assert network.shapes[4] == (4, 5, 5)
    scale = network.nested["layers.3.layers.2"]
    x = np.random.default_rng(0).normal(size=(3, 4, 5, 5)).astype(np.float32)
    hidden = x.mean(axis=(2, 3))
    for name in ("layers.1", "layers.3"):
        dense = scale.children[name].parameters
        hidden = hidden @ dense["weight"].data.T + dense["bias"].data
        hidden = np.maximum(hidden, 0) if name == "layers.1" else hidden
    factor = 1 / (1 + np.exp(-hidden))
    np.testing.assert_allclose(
        scale(Tensor(x)).data, x * factor[:, :, None, None], rtol=1e-5
    )
