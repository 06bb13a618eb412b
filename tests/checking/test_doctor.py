"""The doctor: each planted fault is found, its override mends it, and health is silent."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from nncli.checking.doctor.base import Finding
from nncli.checking.doctor.examine import examine
from nncli.config.load import load_config

Write = Callable[..., Path]

HEALTHY = """\
dataset: {type: two_ellipses, samples: 100}
split: {validation: 0.2}
transforms: [standardize]
layers:
  - {type: dense, units: 16}
  - relu
  - {type: dense, units: 2}
loss: softmax_cross_entropy
optimizer: {type: adam, lr: 0.01}
training: {epochs: 20, batch_size: 32}
"""
SIGMOIDS = ", ".join(["{type: dense, units: 16}, sigmoid"] * 8)
BLOCK = "{type: residual, layers: [{type: dense, units: 16}, relu, {type: dense, units: 16}]}"
STACK = f"{{type: sequential, repeat: 20, layers: [{BLOCK}]}}"

FAULTS = {
    "lr too large": ("learning_rate", ["optimizer.lr=20"]),
    "lr too small": ("learning_rate", ["optimizer.lr=1e-7"]),
    "unscaled inputs": (
        "input_scale",
        [
            "dataset=digits",
            "transforms=[]",
            "layers=[flatten, {type: dense, units: 10}]",
        ],
    ),
    "dead ReLUs by bad init": (
        "dead_units",
        [
            "transforms=[{type: scale, low: 0, high: 1}]",
            "layers[0].init={type: constant, value: -1}",
        ],
    ),
    "vanishing sigmoids": (
        "gradients",
        [f"layers=[{SIGMOIDS}, {{type: dense, units: 2}}]"],
    ),
    "wrong loss for the output": ("loss_fit", ["loss=mse"]),
    "wrong loss, refused": ("refused", ["loss=binary_cross_entropy"]),
    "batch of one with batch_norm": (
        "refused",
        ["layers[1]=batch_norm", "training.batch_size=1"],
    ),
    "frozen layer": ("frozen_layers", ["layers[0].trainable=false"]),
    "exploding residual stack": (
        "activations",
        [f"layers=[{{type: dense, units: 16}}, {STACK}, {{type: dense, units: 2}}]"],
    ),
}


def diagnose(path: Path, overrides: list[str]) -> dict[str, Finding]:
    found = examine(lambda more: load_config(path, [*overrides, *more]))
    return {finding.check: finding for finding in found}


@pytest.mark.parametrize("fault", FAULTS)
def test_fault_is_found_and_its_override_mends_it(fault, write_config):
    check, plant = FAULTS[fault]
    path = write_config(HEALTHY)
    found = diagnose(path, plant)
    for f in found.values():
        print(f)
    assert check in found
    after = diagnose(path, [*plant, *found[check].overrides])
    print("AFTER")
    for f in after.values():
        print(f)
    assert found[check].overrides
    assert check not in after
