"""The wrappers for scikit-learn, by scikit-learn's own checks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")

from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.estimator_checks import check_estimator

from nncli.sklearn import NNClassifier, NNRegressor

FAST = {"type": "adam", "lr": 0.02}
pytestmark = pytest.mark.parity


@pytest.mark.parametrize("cls", [NNClassifier, NNRegressor])
@pytest.mark.filterwarnings("ignore")
def test_wrapper_passes_every_check_of_scikit_learn(cls: Any) -> None:
    results = check_estimator(cls(), on_fail=None, on_skip=None)
    wrong = {
        result["check_name"]: repr(result["exception"])
        for result in results
        if result["status"] not in ("passed", "skipped")
    }
    assert wrong == {}
    # Skipped for the lack of a package, as for scikit-learn's own network.
    own = MLPRegressor if cls is NNRegressor else MLPClassifier
    allowed = check_estimator(own(max_iter=5), on_fail=None, on_skip=None)
    assert _skipped(results) <= _skipped(allowed)


def _skipped(results: list[dict[str, Any]]) -> set[str]:
    return {r["check_name"] for r in results if r["status"] == "skipped"}


def test_classifier_works_in_a_pipeline_and_a_grid() -> None:
    x, y = load_iris(return_X_y=True)
    pipeline = make_pipeline(
        StandardScaler(), NNClassifier(hidden=(16,), optimizer=FAST, epochs=60)
    )
    assert cross_val_score(pipeline, x, y, cv=3).mean() > 0.9
    grid = GridSearchCV(
        pipeline, {"nnclassifier__activation": ["relu", "tanh"]}, cv=2
    ).fit(x, y)
    assert grid.best_score_ > 0.9


def test_classifier_stops_early_and_takes_layers_of_ones_own() -> None:
    x, y = load_iris(return_X_y=True)
    model = NNClassifier(
        layers=[
            {"type": "dense", "units": 12},
            "tanh",
            {"type": "dropout", "rate": 0.1},
        ],
        optimizer={"type": "adam", "lr": 0.02},
        epochs=500,
        patience=10,
        random_state=0,
    ).fit(x, y)
    assert model.n_iter_ < 500
    assert model.score(x, y) > 0.9


def test_regressor_fits_several_columns() -> None:
    x = np.random.default_rng(0).normal(size=(200, 3))
    y = x @ np.array([[1.0, 2.0], [0.0, -1.0], [3.0, 0.5]])
    model = NNRegressor(hidden=(), optimizer={"type": "adam", "lr": 0.05}).fit(x, y)
    assert model.predict(x).shape == (200, 2)
    assert model.score(x, y) > 0.99


def test_class_weight_is_that_of_scikit_learn() -> None:
    x, y = load_iris(return_X_y=True)
    kept = np.r_[0:50, 50:60, 100:120]
    x, y = x[kept], y[kept]
    arguments: dict[str, Any] = {"epochs": 3, "random_state": 0, "optimizer": FAST}
    balanced = NNClassifier(class_weight="balanced", **arguments).fit(x, y)
    weights = compute_sample_weight("balanced", y)
    by_rows = NNClassifier(**arguments).fit(x, y, sample_weight=weights)
    np.testing.assert_array_equal(balanced.predict_proba(x), by_rows.predict_proba(x))
    plain = NNClassifier(**arguments).fit(x, y)
    assert not np.array_equal(balanced.predict_proba(x), plain.predict_proba(x))
