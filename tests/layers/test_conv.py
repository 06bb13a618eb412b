"""Convolutional layers: what they refuse, how large they make images, what they say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from nncli.core.errors import ArgumentError, NncliError
from nncli.core.randomness import Streams
from nncli.layers.base import Layer
from nncli.layers.containers import Sequential
from nncli.layers.conv import Conv1d, Conv2d, Conv3d
from nncli.layers.conv_transpose import ConvTranspose2d
from nncli.network.network import Network
from nncli.ops.conv_choice import choose
from nncli.ops.conv_geometry import Geometry
from nncli.training.cost import layer_facts, layer_table
from tests.command import Command

FLOAT32 = np.dtype(np.float32)


def network_of(layer: Layer, *shape: int) -> Network:
    return Network([layer], shape, Streams(0), FLOAT32)


def plain(channels: int, filters: int, size: int, kernel: int) -> Geometry:
    pair, none = (1, 1), ((0, 0), (0, 0))
    sizes = (size, size), (kernel, kernel)
    return Geometry(channels, filters, *sizes, pair, pair, none)


@pytest.mark.parametrize(
    ("layer", "shape", "words"),
    [
        (Conv2d(2, 5), (1, 4, 9), r"image of size \(4, 9\), got \(5, 5\)"),
        (Conv2d(2, 5, padding=1), (1, 2, 9), r"padded image of size \(4, 11\)"),
        (Conv1d(2, 3, dilation=4), (1, 8), r"\(3,\), dilated to \(9,\)"),
        (Conv2d(2, 3), (9, 9), r"rows of shape \(C, H, W\), got \(9, 9\)"),
        (Conv3d(2, 3), (1, 9, 9), r"rows of shape \(C, D, H, W\)"),
        (Conv2d(4, 3, groups=2), (3, 9, 9), "2 groups divide, got 3 channels"),
        (Conv2d(2, 5, algorithm="winograd"), (1, 9, 9), r"kernel of size \(5, 5\)"),
        (Conv2d(2, 3, padding=9, padding_mode="reflect"), (1, 9, 9), "reflect"),
        (ConvTranspose2d(2, 2, padding=3), (1, 3, 3), "leaves some of the output"),
        (ConvTranspose2d(2, 2, output_padding=1), (1, 3, 3), "below the stride"),
        (Conv2d(2, 3, padding=10**9), (1, 9, 9), "half of this machine's memory"),
    ],
    ids=str,
)
def test_convolution_that_does_not_fit_is_refused_with_its_shapes(
    layer: Layer, shape: tuple[int, ...], words: str
) -> None:
    with pytest.raises(NncliError, match=words):
        network_of(layer, *shape)


def test_convolution_refuses_lists_for_other_axes_and_groups_without_filters() -> None:
    with pytest.raises(ArgumentError, match="kernel: expected one number, or one for"):
        Conv2d(2, [3, 3, 3])
    with pytest.raises(ArgumentError, match="3 filters in 2 groups"):
        Conv2d(3, 3, groups=2)


@pytest.mark.parametrize("size", [7, 8, 9])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("kernel", [1, 2, 3, 5])
def test_same_padding_gives_size_over_stride(
    size: int, stride: int, kernel: int
) -> None:
    layer = Conv1d(2, kernel, stride, "same")
    assert network_of(layer, 1, size).shapes[1] == (2, -(-size // stride))
    larger = ConvTranspose2d(2, kernel, stride, "same")
    assert network_of(larger, 1, size, 4).shapes[1] == (2, size * stride, 4 * stride)


@pytest.mark.parametrize(
    ("geometry", "algorithm"),
    [
        (plain(1, 32, 28, 3), "im2col"),
        (plain(8, 8, 16, 3), "im2col"),
        (plain(32, 64, 26, 3), "winograd"),
        (plain(128, 128, 16, 3), "winograd"),
        (plain(16, 16, 32, 9), "fft"),
        (plain(16, 16, 48, 31), "fft"),
        (plain(64, 64, 16, 1), "direct"),
    ],
)
def test_auto_takes_what_shapes_say(geometry: Geometry, algorithm: str) -> None:
    assert choose(geometry).algorithm == algorithm


def test_auto_takes_depthwise_for_a_channel_a_group() -> None:
    for kernel, filters in ((3, 64), (9, 64), (3, 128)):
        geometry = replace(plain(64, filters, 28, kernel), groups=64)
        assert choose(geometry).algorithm == "depthwise"
    for groups in (1, 32):
        with pytest.raises(NncliError, match="expected one that can compute"):
            network_of(Conv2d(64, 3, groups=groups, algorithm="depthwise"), 64, 8, 8)


def test_summary_says_which_algorithm_was_taken_and_why() -> None:
    network = network_of(Conv2d(16, 9), 16, 32, 32)
    facts = layer_facts(network)
    assert facts[0]["remark"].startswith("fft (im2col would take about")
    assert "layers[0] conv2d: fft (im2col" in layer_table([16, 32, 32], facts, None)
    forced = network_of(Conv2d(16, 9, algorithm="im2col"), 16, 32, 32)
    assert layer_facts(forced)[0]["remark"] == "im2col (as the config says)"
    terms = 2 * 16 * 81 + 1
    assert layer_facts(forced)[0]["flops"] == 16 * 24 * 24 * terms


def test_settled_algorithms_go_into_the_descriptions_of_nested_layers() -> None:
    block = Sequential([Conv2d(4, 3, padding="same")], repeat=2)
    network = network_of(block, 4, 9, 9)
    (settled,) = network.settled([block])
    assert settled == Sequential(
        [Conv2d(4, 3, padding="same", algorithm="im2col")], repeat=2
    )
    # The first copy sees one channel and 1 x 1 of a kernel, the second many.
    other = Sequential([Conv2d(64, 3, padding="same")], repeat=2)
    (mixed,) = network_of(other, 1, 16, 16).settled([other])
    assert mixed == other


def test_run_writes_the_algorithm_into_its_resolved_config(
    tmp_path: Path, command: Command
) -> None:
    config: dict[str, Any] = {
        "dataset": {"type": "digits"},
        "layers": [
            {"type": "reshape", "shape": [1, 8, 8]},
            {"type": "conv2d", "filters": 2, "kernel": 3},
            "flatten",
            {"type": "dense", "units": 10},
        ],
        "loss": "softmax_cross_entropy",
        "optimizer": {"type": "adam", "lr": 0.01},
        "training": {"epochs": 1, "batch_size": 256},
    }
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(config))
    command.train(path)
    (run,) = command.runs.iterdir()
    resolved = yaml.safe_load((run / "resolved.yaml").read_text())
    assert resolved["layers"][1]["algorithm"] == "im2col"
    assert command("eval", run).code == 0
