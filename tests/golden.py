"""Where golden numbers come from: inputs that are a formula, and the file itself.

PyTorch's answers for them stand in golden.json, which scripts/golden.py writes, and are
compared where PyTorch is not installed.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from nncli.core.arrays import Array
from nncli.losses.base import Loss
from nncli.losses.binary import Binary
from nncli.losses.classification import Categorical
from nncli.losses.ctc import Ctc
from nncli.losses.distribution import Distributions
from nncli.losses.regression import Counts

FILE = Path(__file__).with_name("golden.json")

LR = 0.1
STEPS_PER_EPOCH, EPOCHS, RATES = 2, 6, 10
TOTAL_STEPS = STEPS_PER_EPOCH * EPOCHS

OPTIMIZER_STEPS = 8

EDGES = np.array([[-30.0, -6, -3, -1.5, -1, -0.5, 0, 0.5, 1, 1.5, 3, 6, 30]])
"""Every kink of every activation, numbers between them, and numbers far away."""

Record = dict[str, Any]


def records(family: str) -> list[Record]:
    """Return what golden.json holds of a family."""
    found: list[Record] = json.loads(FILE.read_text(encoding="utf-8"))[family]
    return found


def named(record: Record) -> str:
    """Return what a test of a record is called."""
    options = (f"{key}={value}" for key, value in record["options"].items())
    return " ".join([record["type"], *options])


def wave(*shape: int, start: float = 1.0) -> Array:
    """Return numbers between -2 and 2 without an order."""
    count = int(np.prod(shape))
    numbers: Array = 2 * np.sin(start + 2.3 * np.arange(count))
    return numbers.reshape(shape)


def gradient(step: int) -> Array:
    """Return four gradients that shrink from step to step, and change their signs."""
    return wave(4, start=1 + 3.1 * step) * 0.7**step


def valley(p: Array) -> tuple[float, Array]:
    """Return Rosenbrock's function of pairs of parameters, and its gradient."""
    x, y = p[0::2], p[1::2]
    slope = np.empty_like(p)
    slope[0::2] = -2 * (1 - x) - 4 * x * (y - x * x)
    slope[1::2] = 2 * (y - x * x)
    return float(((1 - x) ** 2 + (y - x * x) ** 2).sum()), slope


def outputs_and_targets(loss: Loss) -> tuple[Array, Array]:
    """Return three rows of three numbers that a loss takes; for CTC, three steps."""
    if isinstance(loss, Ctc):
        return wave(3, 3, 3), np.array([[1, 2], [2, 2], [1, 0]])
    outputs, targets = wave(3, 3), wave(3, 3, start=5.0)
    if loss.takes == "distribution":
        outputs = _shares(outputs)
    elif loss.takes == "probability" or loss.positive:
        outputs = (outputs + 2.5) / 5
    if isinstance(loss, Categorical):
        return outputs, np.array([0, 2, 1])
    if isinstance(loss, Distributions):
        return outputs, _shares(targets)
    if isinstance(loss, Binary):
        return outputs, (targets > 0).astype(float)
    return outputs, np.round(np.abs(targets)) if isinstance(loss, Counts) else targets


def _shares(rows: Array) -> Array:
    sizes = np.exp(rows)
    shares: Array = sizes / sizes.sum(axis=-1, keepdims=True)
    return shares
