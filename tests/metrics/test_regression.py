"""Mean squared and mean absolute error against a plain loop."""

from __future__ import annotations

import numpy as np
import pytest

from nncli.metrics.regression import MeanAbsoluteError, MeanSquaredError


def test_errors_are_plain_means_over_all_elements() -> None:
    predictions = np.array([[1.0, 2.0], [3.0, -4.0], [0.0, 0.5]])
    targets = np.array([[1.5, 2.0], [1.0, -1.0], [0.0, 1.0]])
    flat = predictions.ravel().tolist(), targets.ravel().tolist()
    pairs = list(zip(*flat, strict=True))
    squared = sum((x - t) ** 2 for x, t in pairs) / 6
    absolute = sum(abs(x - t) for x, t in pairs) / 6
    for description, expected in (
        (MeanSquaredError(), squared),
        (MeanAbsoluteError(), absolute),
    ):
        metric = description.live()
        metric.update(predictions[:1], targets[:1])
        metric.update(predictions[1:], targets[1:])
        assert metric.result() == pytest.approx(expected, rel=1e-15)
        metric.reset()
        metric.update(targets, targets)
        assert metric.result() == 0.0


def test_errors_of_float32_add_up_in_float64() -> None:
    # A sum of 2**25 ones in float32 would stop at 2**24.
    metric = MeanSquaredError().live()
    metric.reset()
    targets = np.zeros((2**20, 1), np.float32)
    for _ in range(32):
        metric.update(targets + np.float32(1), targets)
    assert metric.result() == 1.0
