"""Explain: each optimizer's step is its formula of the numbers that are shown."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from nncli.checking.explain import explain
from nncli.checking.quantity import Formula
from nncli.config.load import load_values
from nncli.experiment.build import build
from nncli.optimizers.base import Optimizer
from nncli.report.explanation_text import explanation_text
from nncli.training.state import Progress

CONFIG = {
    "dataset": {"type": "spiral", "samples": 10, "classes": 3},
    "layers": [{"type": "dense", "units": 3}],
    "loss": "softmax_cross_entropy",
    "training": {"epochs": 2, "batch_size": 8},
}
LR, DECAY = 0.01, 0.1
Numbers = Mapping[str, float]


def _adam(m_hat: float, v_hat: float) -> float:
    return -LR * m_hat / (math.sqrt(v_hat) + 1e-8)


def _nadam(k: Numbers) -> float:
    look = k["μ_{t+1}"] * k["m"] / (1 - k["Π_{t+1}"])
    look += (1 - k["μ_t"]) * k["g"] / (1 - k["Π_t"])
    return -LR * look / (math.sqrt(k["v_hat"]) + 1e-8)


def _radam(k: Numbers) -> float:
    root = math.sqrt(1 - 0.999**9)
    return -LR * k["r"] * k["m_hat"] * root / (math.sqrt(k["v"]) + 1e-8)


def _lamb(k: Numbers) -> float:
    u = k["m_hat"] / (math.sqrt(k["v_hat"]) + 1e-6) + DECAY * k["decays"] * k["p"]
    return -LR * k["‖p‖ / ‖u‖"] * u


STEPS: list[tuple[dict[str, Any], Callable[[Numbers], float]]] = [
    ({"type": "adam"}, lambda k: _adam(k["m_hat"], k["v_hat"])),
    ({"type": "adam", "amsgrad": True}, lambda k: _adam(k["m_hat"], k["v_hat_max"])),
    (
        {"type": "adamw", "amsgrad": True, "weight_decay": 0.0},
        lambda k: _adam(k["m_hat"], k["v_hat_max"]),
    ),
    ({"type": "adamax"}, lambda k: -LR * k["m_hat"] / k["u"]),
    ({"type": "nadam"}, _nadam),
    ({"type": "radam"}, _radam),
    ({"type": "lamb", "weight_decay": DECAY}, _lamb),
    ({"type": "sgd", "momentum": 0.9}, lambda k: -LR * k["v"]),
    ({"type": "adagrad"}, lambda k: -k["lr_t"] * k["g"] / (math.sqrt(k["s"]) + 1e-10)),
    ({"type": "rmsprop"}, lambda k: -LR * k["g"] / (math.sqrt(k["v"]) + 1e-8)),
    (
        {"type": "rmsprop", "centered": True},
        lambda k: -LR * k["g"] / (math.sqrt(k["v"] - k["m"] ** 2) + 1e-8),
    ),
    ({"type": "rmsprop", "momentum": 0.5}, lambda k: -LR * k["b"]),
]


@pytest.mark.parametrize(("optimizer", "formula"), STEPS)
def test_step_is_the_formula_of_what_is_shown(
    optimizer: dict[str, Any], formula: Callable[[Numbers], float]
) -> None:
    config = CONFIG | {"optimizer": optimizer | {"lr": LR}}
    experiment = build(load_values(config, source="test"))
    grads = experiment.network.flat.grads
    for step in range(8):
        grads[...] = np.random.default_rng(step).normal(0, 1 / (1 + step), grads.size)
        experiment.optimizer.step(0.0)
    found = explain(experiment, Progress(step=8), sample=7)
    numbers = found.update.numbers
    for layer in found.layers:
        for each in layer.parameters:
            assert each.gradient is not None
            for e in each.elements:
                shown = {"g": e.derivative, "p": e.value, **numbers, **e.remembered}
                shown["decays"] = each.name == "weight"
                assert e.step == pytest.approx(formula(shown), rel=1e-5)
    text = explanation_text(found, 200)
    for name, value in numbers.items():
        assert f"{name} = {value:.6g}" in text
    assert found.facts()["update"]["numbers"] == numbers


@pytest.mark.parametrize("name", [*Optimizer.members()])
def test_slots_are_called_by_the_letters_of_the_formula(name: str) -> None:
    kind = Optimizer.members()[name]
    text = Formula.of(kind).whole
    assert all(letter in text for letter in kind.letters.values())
