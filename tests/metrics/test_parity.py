"""Every metric against scikit-learn's, whole and batch by batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from nncli.backend import Array
from nncli.metrics.base import Metric
from tests.parity import without_case

scores = pytest.importorskip(
    "sklearn.metrics", reason="scikit-learn is the oracle of these tests"
)

pytestmark = pytest.mark.parity

# What scikit-learn calls it: called as (targets, predictions).
SKLEARN: dict[str, Callable[[Any, Any], float]] = {
    "accuracy": scores.accuracy_score,
    "mse": scores.mean_squared_error,
    "mae": scores.mean_absolute_error,
}
ROWS = 101


def _score(metric: Metric, predictions: Array, targets: Array, size: int) -> float:
    metric.reset()
    for begin in range(0, len(targets), size):
        part = slice(begin, begin + size)
        metric.update(predictions[part], targets[part])
    return metric.result()


@pytest.mark.parametrize("size", [1, 7, 100, ROWS])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["mse", "mae"])
@pytest.mark.parametrize("width", [1, 4])
def test_regression_metric_agrees_with_sklearn(
    name: str, width: int, dtype: str, size: int
) -> None:
    rng = np.random.default_rng(0)
    targets = rng.normal(10.0, 3.0, (ROWS, width)).astype(dtype)
    predictions = (targets + rng.normal(size=targets.shape)).astype(dtype)
    value = _score(Metric.members()[name](), predictions, targets, size)
    # Both in float64: scikit-learn keeps float32, we add up in float64.
    expected = SKLEARN[name](targets.astype(float), predictions.astype(float))
    assert value == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("size", [1, 7, 100, ROWS])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("classes", [2, 3, 10])
def test_accuracy_agrees_with_sklearn(classes: int, dtype: str, size: int) -> None:
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(classes), ROWS).astype(dtype)
    targets = np.where(rng.uniform(size=ROWS) < 0.5, p.argmax(1), 0)
    value = _score(Metric.members()["accuracy"](), p, targets, size)
    assert value == SKLEARN["accuracy"](targets, p.argmax(1))


@pytest.mark.parametrize("size", [1, 7, ROWS])
def test_accuracy_of_one_output_agrees_with_sklearn(size: int) -> None:
    rng = np.random.default_rng(0)
    p = rng.uniform(size=(ROWS, 1))
    targets = rng.integers(0, 2, ROWS)
    value = _score(Metric.members()["accuracy"](), p, targets, size)
    assert value == SKLEARN["accuracy"](targets, (p[:, 0] > 0.5).astype(int))


def test_every_metric_has_a_parity_case() -> None:
    missing = without_case(Metric.members(), set(SKLEARN))
    assert not missing, f"metrics without a comparison with scikit-learn: {missing}"
