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
from nncli.metrics.calibration import CalibrationError
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
    "token_accuracy": scores.accuracy_score,
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
    "bits_per_character": lambda targets, p: _log_loss(targets, p) / math.log(2),
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


KINDS = ("plain", "ties", "missing")


def _check(
    metric: Metric,
    predictions: Array,
    targets: Array,
    expected: float,
    what: object = "",
    least: float = 0.0,
) -> None:
    """Compare a metric with what it should be, whatever batches the rows come in."""
    for size in SIZES:
        value = _score(metric, predictions, targets, size)
        wanted = pytest.approx(expected, rel=1e-12, abs=least)
        assert value == wanted, f"{metric.arguments} {what}, {size} rows at a time"


@pytest.mark.parametrize("name", sorted(REGRESSION))
def test_regression_metric_agrees_with_sklearn(name: str) -> None:
    for center, width, dtype in (
        *((0.0, 1, "float64"), (10.0, 4, "float64"), (1e4, 4, "float64")),
        *((0.0, 4, "float32"), (10.0, 1, "float32"), (1e4, 1, "float32")),
    ):
        rng = np.random.default_rng(0)
        targets = rng.normal(center, 3.0, (ROWS, width)).astype(dtype)
        predictions = (targets + rng.normal(0.3, 1.0, size=targets.shape)).astype(dtype)
        # Both in float64: scikit-learn keeps float32, we add up in float64.
        expected = REGRESSION[name](targets.astype(float), predictions.astype(float))
        case = center, width, dtype
        _check(Metric.members()[name](), predictions, targets, expected, case)


@pytest.mark.parametrize("name", sorted(REGRESSION))
def test_regression_metric_of_targets_without_spread_is_sklearn_s(name: str) -> None:
    rng = np.random.default_rng(0)
    targets = np.stack([np.full(ROWS, 0.5), np.full(ROWS, -2.0)], axis=1)
    shifted = targets + np.array([0.0, 0.25])
    noisy = targets + rng.normal(size=targets.shape)
    for predictions in (targets, shifted, noisy):
        expected = REGRESSION[name](targets, predictions)
        _check(Metric.members()[name](), predictions, targets, expected, least=1e-15)


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


@pytest.mark.parametrize("name", sorted(DECIDED))
def test_metric_of_decided_classes_agrees_with_sklearn(name: str) -> None:
    for classes, dtype in ((2, "float64"), (3, "float32"), (10, "float64")):
        options: list[dict[str, Any]] = [{}]
        if name in AVERAGED:
            options = [{"average": a} for a in ("macro", "micro", "weighted")]
            options += [{"average": "binary"}] * (classes == 2)
        for kind in KINDS:
            p, targets = _rows(classes, kind)
            p = p.astype(dtype)
            for option in options:
                extra = {**option, "zero_division": 0} if option else {}
                with warnings.catch_warnings():
                    # Classes that are predicted and have no rows.
                    warnings.simplefilter("ignore")
                    expected = DECIDED[name](targets, p.argmax(1), **extra)
                metric, case = Metric.members()[name](**option), (classes, kind)
                _check(metric, p, targets, expected, case, least=1e-15)


@pytest.mark.parametrize("name", sorted(DECIDED))
def test_metric_of_one_output_agrees_with_sklearn(name: str) -> None:
    rng = np.random.default_rng(0)
    p = rng.uniform(size=(ROWS, 1))
    targets = rng.integers(0, 2, ROWS)
    extra = {"average": "macro"} if name in AVERAGED else {}
    expected = DECIDED[name](targets, (p[:, 0] > 0.5).astype(int), **extra)
    _check(Metric.members()[name](), p, targets, expected)


@pytest.mark.parametrize("name", sorted(PROBABILITY))
def test_metric_of_probabilities_agrees_with_sklearn(name: str) -> None:
    metric = Metric.members()[name]()
    for classes in (2, 3, 10):
        for kind in KINDS:
            p, targets = _rows(classes, kind)
            expected = PROBABILITY[name](targets, p)
            for layout, laid in layouts(p):
                _check(metric, laid, targets, expected, (classes, kind, layout))
            if classes == 2:
                alone = PROBABILITY[name](targets, p[:, 1])
                _check(metric, p[:, 1:], targets, alone, kind)


@pytest.mark.parametrize("k", [1, 2, 3, 9, 12])
def test_top_k_agrees_with_sklearn(k: int) -> None:
    for classes in (3, 10):
        for kind in KINDS:
            p, targets = _rows(classes, kind)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                expected = scores.top_k_accuracy_score(
                    targets, p, k=k, labels=np.arange(classes)
                )
            for layout, laid in layouts(p):
                _check(TopK(k), laid, targets, expected, (classes, kind, layout))


@pytest.mark.parametrize("k", [1, 2])
def test_top_k_of_one_output_agrees_with_sklearn(k: int) -> None:
    rng = np.random.default_rng(0)
    p, targets = rng.integers(0, 5, (ROWS, 1)) / 4, rng.integers(0, 2, ROWS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = scores.top_k_accuracy_score(targets, p[:, 0], k=k)
    assert _score(TopK(k), p, targets, 7) == expected


@pytest.mark.parametrize("name", sorted(RANKED))
def test_ranking_of_two_classes_agrees_with_sklearn(name: str) -> None:
    metric = Metric.members()[name]()
    for kind in ("plain", "ties"):
        for dtype in ("float32", "float64"):
            p = _rows(2, kind)[0].astype(dtype)
            targets = np.random.default_rng(0).integers(0, 2, ROWS)
            expected = getattr(scores, RANKED[name])(targets, p[:, 1])
            for predictions in (p, p[:, 1:]):
                for layout, laid in layouts(predictions):
                    _check(metric, laid, targets, expected, (kind, dtype, layout))


@pytest.mark.parametrize("name", sorted(RANKED))
def test_ranking_of_more_classes_agrees_with_sklearn(name: str) -> None:
    members: dict[str, Any] = dict(Metric.members())
    options = {"multi_class": "ovr"} if name == "roc_auc" else {}
    for classes in (3, 6):
        for kind in ("plain", "ties"):
            p, _ = _rows(classes, kind)
            targets = np.random.default_rng(0).integers(0, classes, ROWS)
            for average in ("macro", "weighted"):
                expected = getattr(scores, RANKED[name])(
                    targets, p, average=average, **options
                )
                value = _score(members[name](average=average), p, targets, 7)
                case = f"{classes} classes, {kind}, {average}"
                assert value == pytest.approx(expected, rel=1e-12), case


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


def _calibration_error(confidence: Array, right: Array, bins: int) -> float:
    """Add up Guo et al.'s equation 3 as it is written, bin by bin and row by row."""
    total = 0.0
    for b in range(1, bins + 1):
        inside = [i for i, c in enumerate(confidence) if (b - 1) / bins < c <= b / bins]
        if inside:
            accuracy = sum(bool(right[i]) for i in inside) / len(inside)
            mean = math.fsum(float(confidence[i]) for i in inside) / len(inside)
            total += len(inside) / len(confidence) * abs(accuracy - mean)
    return total


@pytest.mark.parametrize("bins", [1, 4, 15])
def test_calibration_error_agrees_with_a_slow_loop_and_sklearn(bins: int) -> None:
    calibration = pytest.importorskip("sklearn.calibration")
    metric = CalibrationError() if bins == 15 else CalibrationError(bins)
    for classes, kind in ((2, "plain"), (3, "ties"), (10, "missing")):
        p, targets = _rows(classes, kind)
        confidence, right = p.max(axis=1), p.argmax(axis=1) == targets
        expected = _calibration_error(confidence, right, bins)
        for layout, laid in layouts(p):
            _check(metric, laid, targets, expected, (classes, kind, layout))
        if classes == 2:
            _check(metric, p[:, 1:], targets, expected, "one output")
        # scikit-learn draws the same bins, and leaves out the empty ones.
        shares, means = calibration.calibration_curve(right, confidence, n_bins=bins)
        rows = np.bincount(np.searchsorted(np.arange(1, bins) / bins, confidence))
        total = (rows[rows > 0] * np.abs(shares - means)).sum() / ROWS
        assert total == pytest.approx(expected, rel=1e-12)


def test_every_metric_has_a_parity_case() -> None:
    covered = {*REGRESSION, *DECIDED, *PROBABILITY, *RANKED}
    covered |= {"top_k", "calibration_error", "sequence_accuracy"}
    missing = without_case(Metric.members(), covered)
    assert not missing, f"metrics without a comparison with scikit-learn: {missing}"
