"""Every metric against scikit-learn's, whole and batch by batch."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from nncli.core.arrays import Array
from nncli.metrics.base import Metric
from nncli.metrics.classification import TopK
from tests.parity import layouts, without_case

scores = pytest.importorskip(
    "sklearn.metrics", reason="scikit-learn is the oracle of these tests"
)

pytestmark = pytest.mark.parity

Oracle = Callable[[Any, Any], Any]
ROWS = 101
SIZES = [1, 7, 100, ROWS]


def _perplexity(targets: Array, p: Array) -> float:
    return math.exp(_log_loss(targets, p))


def _log_loss(targets: Array, p: Array) -> float:
    classes = 2 if p.ndim == 1 else p.shape[1]
    return float(scores.log_loss(targets, y_proba=p, labels=np.arange(classes)))


# What scikit-learn calls it, called as (targets, values).
REGRESSION: dict[str, Oracle] = {
    "mse": scores.mean_squared_error,
    "mae": scores.mean_absolute_error,
    "mape": scores.mean_absolute_percentage_error,
    "rmse": scores.root_mean_squared_error,
    "r2": scores.r2_score,
    "explained_variance": scores.explained_variance_score,
}
# Called as (targets, predicted classes, ...).
DECIDED: dict[str, Callable[..., Any]] = {
    "accuracy": scores.accuracy_score,
    "balanced_accuracy": scores.balanced_accuracy_score,
    "matthews": scores.matthews_corrcoef,
    "precision": scores.precision_score,
    "recall": scores.recall_score,
    "f1": scores.f1_score,
}
AVERAGED = ["precision", "recall", "f1"]
# Called as (targets, probabilities).
PROBABILITY: dict[str, Oracle] = {
    "log_loss": _log_loss,
    "perplexity": _perplexity,
}
# Called as (targets, probabilities, average=...).
RANKED = {"roc_auc": "roc_auc_score", "average_precision": "average_precision_score"}


def _score(metric: Metric, predictions: Array, targets: Array, size: int) -> float:
    metric = metric.live()
    for begin in range(0, len(targets), size):
        part = slice(begin, begin + size)
        metric.update(predictions[part], targets[part])
    return metric.result()


def _rows(classes: int, kind: str) -> tuple[Array, Array]:
    """Draw probabilities and targets, good ones, tied ones, or with missing classes."""
    rng = np.random.default_rng(classes)
    p = rng.dirichlet(np.ones(classes), ROWS)
    if kind == "ties":
        # Few distinct values; they sum to 1 exactly.
        p = rng.multinomial(4, np.full(classes, 1 / classes), ROWS) / 4
    targets = np.where(rng.uniform(size=ROWS) < 0.5, p.argmax(1), rng.integers(classes))
    if kind == "missing":
        # Class 0 has no rows but is predicted; the last has neither.
        targets = np.where(targets == 0, 1, targets)
        targets = np.minimum(targets, max(classes - 2, 1))
        p[:, -1] = 0 if classes > 2 else p[:, -1]
        p /= p.sum(1, keepdims=True)
    return p, targets


KINDS = pytest.mark.parametrize("kind", ["plain", "ties", "missing"])
CLASSES = pytest.mark.parametrize("classes", [2, 3, 10])


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", sorted(REGRESSION))
@pytest.mark.parametrize("width", [1, 4])
@pytest.mark.parametrize("center", [0.0, 10.0, 1e4])
def test_regression_metric_agrees_with_sklearn(
    name: str, width: int, dtype: str, size: int, center: float
) -> None:
    rng = np.random.default_rng(0)
    targets = rng.normal(center, 3.0, (ROWS, width)).astype(dtype)
    predictions = (targets + rng.normal(0.3, 1.0, size=targets.shape)).astype(dtype)
    value = _score(Metric.members()[name](), predictions, targets, size)
    # Both in float64: scikit-learn keeps float32, we add up in float64.
    expected = REGRESSION[name](targets.astype(float), predictions.astype(float))
    assert value == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("name", sorted(REGRESSION))
@pytest.mark.parametrize("size", SIZES)
def test_regression_metric_of_targets_without_spread_is_sklearn_s(
    name: str, size: int
) -> None:
    rng = np.random.default_rng(0)
    targets = np.stack([np.full(ROWS, 0.5), np.full(ROWS, -2.0)], axis=1)
    shifted = targets + np.array([0.0, 0.25])
    noisy = targets + rng.normal(size=targets.shape)
    for predictions in (targets, shifted, noisy):
        value = _score(Metric.members()[name](), predictions, targets, size)
        expected = REGRESSION[name](targets, predictions)
        assert value == pytest.approx(expected, rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("name", sorted(REGRESSION))
def test_regression_metric_takes_zeros_and_every_layout(name: str) -> None:
    rng = np.random.default_rng(2)
    targets = rng.normal(size=(9, 3))
    targets[::2, 1] = 0.0
    predictions = targets + rng.normal(size=targets.shape)
    expected = REGRESSION[name](targets, predictions)
    for (_, x), (_, t) in zip(layouts(predictions), layouts(targets), strict=True):
        value = _score(Metric.members()[name](), x, t, 4)
        assert value == pytest.approx(expected, rel=1e-12)


def test_r2_of_one_row_is_undefined() -> None:
    one = np.ones((1, 2))
    assert math.isnan(_score(Metric.members()["r2"](), one, one, 1))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", sorted(DECIDED))
@KINDS
@CLASSES
def test_metric_of_decided_classes_agrees_with_sklearn(
    name: str, classes: int, kind: str, dtype: str, size: int
) -> None:
    p, targets = _rows(classes, kind)
    p = p.astype(dtype)
    options: list[dict[str, Any]] = [{}]
    if name in AVERAGED:
        options = [{"average": a} for a in ("macro", "micro", "weighted")]
        options += [{"average": "binary"}] * (classes == 2)
    for option in options:
        value = _score(Metric.members()[name](**option), p, targets, size)
        extra = {**option, "zero_division": 0} if option else {}
        with warnings.catch_warnings():
            # Classes that are predicted and have no rows.
            warnings.simplefilter("ignore")
            expected = DECIDED[name](targets, p.argmax(1), **extra)
        assert value == pytest.approx(expected, rel=1e-12, abs=1e-15), option


@pytest.mark.parametrize("size", [1, 7, ROWS])
@pytest.mark.parametrize("name", sorted(DECIDED))
def test_metric_of_one_output_agrees_with_sklearn(name: str, size: int) -> None:
    rng = np.random.default_rng(0)
    p = rng.uniform(size=(ROWS, 1))
    targets = rng.integers(0, 2, ROWS)
    value = _score(Metric.members()[name](), p, targets, size)
    extra = {"average": "macro"} if name in AVERAGED else {}
    expected = DECIDED[name](targets, (p[:, 0] > 0.5).astype(int), **extra)
    assert value == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", sorted(PROBABILITY))
@KINDS
@CLASSES
def test_metric_of_probabilities_agrees_with_sklearn(
    name: str, classes: int, kind: str, size: int
) -> None:
    p, targets = _rows(classes, kind)
    expected = PROBABILITY[name](targets, p)
    for _, laid in layouts(p):
        value = _score(Metric.members()[name](), laid, targets, size)
        assert value == pytest.approx(expected, rel=1e-12)
    if classes == 2:
        one = _score(Metric.members()[name](), p[:, 1:], targets, size)
        assert one == pytest.approx(PROBABILITY[name](targets, p[:, 1]), rel=1e-12)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("k", [1, 2, 3, 9, 12])
@KINDS
@pytest.mark.parametrize("classes", [3, 10])
def test_top_k_agrees_with_sklearn(classes: int, kind: str, k: int, size: int) -> None:
    p, targets = _rows(classes, kind)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = scores.top_k_accuracy_score(
            targets, p, k=k, labels=np.arange(classes)
        )
    for _, laid in layouts(p):
        value = _score(TopK(k), laid, targets, size)
        assert value == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("k", [1, 2])
def test_top_k_of_one_output_agrees_with_sklearn(k: int) -> None:
    rng = np.random.default_rng(0)
    p, targets = rng.integers(0, 5, (ROWS, 1)) / 4, rng.integers(0, 2, ROWS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = scores.top_k_accuracy_score(targets, p[:, 0], k=k)
    assert _score(TopK(k), p, targets, 7) == expected


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", sorted(RANKED))
@pytest.mark.parametrize("kind", ["plain", "ties"])
def test_ranking_of_two_classes_agrees_with_sklearn(
    name: str, kind: str, dtype: str, size: int
) -> None:
    p, _ = _rows(2, kind)
    p = p.astype(dtype)
    targets = np.random.default_rng(0).integers(0, 2, ROWS)
    expected = getattr(scores, RANKED[name])(targets, p[:, 1])
    for predictions in (p, p[:, 1:]):
        for _, laid in layouts(predictions):
            value = _score(Metric.members()[name](), laid, targets, size)
            assert value == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("average", ["macro", "weighted"])
@pytest.mark.parametrize("name", sorted(RANKED))
@pytest.mark.parametrize("kind", ["plain", "ties"])
@pytest.mark.parametrize("classes", [3, 6])
def test_ranking_of_more_classes_agrees_with_sklearn(
    name: str, classes: int, kind: str, average: str
) -> None:
    p, _ = _rows(classes, kind)
    targets = np.random.default_rng(0).integers(0, classes, ROWS)
    options = {"multi_class": "ovr"} if name == "roc_auc" else {}
    expected = getattr(scores, RANKED[name])(targets, p, average=average, **options)
    members: dict[str, Any] = dict(Metric.members())
    value = _score(members[name](average=average), p, targets, 7)
    assert value == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("name", sorted(RANKED))
def test_ranking_leaves_out_classes_without_rows(name: str) -> None:
    p, _ = _rows(5, "ties")
    targets = np.array([1, 2, 4])[np.random.default_rng(0).integers(0, 3, ROWS)]
    of = getattr(scores, RANKED[name])
    expected = np.mean([of(targets == k, p[:, k]) for k in (1, 2, 4)])
    value = _score(Metric.members()[name](), p, targets, 7)
    assert value == pytest.approx(expected, rel=1e-12)


@pytest.mark.filterwarnings("ignore:.*:sklearn.exceptions.UndefinedMetricWarning")
@pytest.mark.filterwarnings("ignore:No positive class:UserWarning")
@pytest.mark.parametrize("label", [0, 1])
@pytest.mark.parametrize("name", sorted(RANKED))
def test_ranking_of_one_class_is_sklearn_s(name: str, label: int) -> None:
    p = np.linspace(0, 1, 9)[:, None]
    targets = np.full(9, label)
    expected = getattr(scores, RANKED[name])(targets, p[:, 0])
    value = _score(Metric.members()[name](), p, targets, 4)
    assert value == pytest.approx(expected, rel=1e-12, nan_ok=True)


def test_every_metric_has_a_parity_case() -> None:
    covered = {*REGRESSION, *DECIDED, *PROBABILITY, *RANKED, "top_k"}
    missing = without_case(Metric.members(), covered)
    assert not missing, f"metrics without a comparison with scikit-learn: {missing}"
