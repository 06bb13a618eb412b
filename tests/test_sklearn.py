"""The wrappers for scikit-learn, by scikit-learn's own checks."""

from __future__ import annotations

import ast
from pathlib import Path
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

import nncli as nn
import nncli.sklearn
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


def test_learning_rate_can_be_searched() -> None:
    x, y = load_iris(return_X_y=True)
    x = StandardScaler().fit_transform(x)
    for optimizer in ("adam", {"type": "adam", "beta1": 0.8}, nn.Adam(beta1=0.8)):
        model = NNClassifier(hidden=(8,), optimizer=optimizer, epochs=30)
        for key in ("lr", "optimizer__lr"):
            grid = GridSearchCV(model, {key: [1e-7, 0.05]}, cv=2).fit(x, y)
            assert grid.best_params_ == {key: 0.05}
            trained = grid.best_estimator_.model_.config.optimizer
            assert trained.lr == 0.05
            assert trained.beta1 == (0.9 if optimizer == "adam" else 0.8)
    # The estimator that was searched over is as it was.
    assert model.optimizer == nn.Adam(beta1=0.8)
    model.set_params(optimizer="sgd", optimizer__momentum=0.5, lr=0.2)
    assert (model.optimizer, model.lr) == ({"type": "sgd", "momentum": 0.5}, 0.2)
    model.set_params(schedule__type="cosine")
    assert model.schedule == {"type": "cosine"}
    with pytest.raises(ValueError, match="nonsense"):
        model.set_params(nonsense=1)
    with pytest.raises(ValueError, match="momentumm"):
        NNClassifier().set_params(optimizer__momentumm=1).fit(x, y)


def test_loss_curve_has_a_loss_for_each_epoch() -> None:
    x, y = load_iris(return_X_y=True)
    model = NNClassifier(hidden=(8,), epochs=12, lr=0.02, random_state=0).fit(x, y)
    assert len(model.loss_curve_) == model.n_iter_ == 12
    assert model.loss_curve_[-1] == model.loss_ < model.loss_curve_[0]
    # l2 aside, it is the loss of the probabilities.
    chosen = model.predict_proba(x)[np.arange(len(y)), y]
    assert model.loss_ == pytest.approx(-np.log(chosen).mean(), rel=1e-6)


@pytest.mark.parametrize("end", [nn.Dense(3), {"type": "dense", "units": 3}, "softmax"])
def test_layers_with_an_output_layer_are_refused(end: Any) -> None:
    x, y = load_iris(return_X_y=True)
    whole = NNClassifier(layers=[nn.Dense(8), "relu", end], epochs=1)
    message = r"NNClassifier\.layers: .*but the last one.*ends with (Dense|Softmax)\("
    with pytest.raises(ValueError, match=message) as caught:
        whole.fit(x, y)
    assert "3 units is added" in str(caught.value)
    # As many units with an activation behind them are a hidden layer.
    NNClassifier(layers=[nn.Dense(3), "relu"], epochs=1).fit(x, y)
    NNClassifier(layers=[], epochs=1).fit(x, y)


def test_sample_weights_are_one_number_a_row() -> None:
    x, y = load_iris(return_X_y=True)
    model = NNClassifier(hidden=(), epochs=1)
    with pytest.raises(ValueError, match="one number a row"):
        model.fit(x, y, sample_weight=np.ones((len(x), 2)))
    with pytest.raises(ValueError, match="inconsistent"):
        model.fit(x, y, sample_weight=[1.0])


def test_wrapper_imports_nothing_private() -> None:
    files = Path(nncli.sklearn.__file__).parent.glob("*.py")
    names = [
        part
        for file in files
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom)
        for text in (node.module or "", *(alias.name for alias in node.names))
        for part in text.split(".")
    ]
    private = {name for name in names if name.startswith("_")} - {"__future__"}
    assert private == set()


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


def test_search_reaches_layers_rate_and_class_weight_in_a_pipeline() -> None:
    x, y = load_iris(return_X_y=True)
    pipeline = make_pipeline(StandardScaler(), NNClassifier(epochs=5, random_state=0))
    wide: list[Any] = [nn.Dense(9), "tanh"]
    for key, values in {
        "lr": [1e-7, 0.05],
        "optimizer__lr": [1e-7, 0.05],
        "layers": [[], wide],
        "class_weight": [{0: 1e-6, 1: 1e-6}, "balanced"],
    }.items():
        place = f"nnclassifier__{key}"
        grid = GridSearchCV(pipeline, {place: values}, cv=2).fit(x, y)
        assert [found[place] for found in grid.cv_results_["params"]] == values
        scores = grid.cv_results_["mean_test_score"]
        assert scores[0] != scores[1], key
    # The first grid's values are no part of the pipeline that was searched over.
    assert pipeline.get_params()["nnclassifier__lr"] is None
    pipeline.set_params(nnclassifier__layers=wide).fit(x, y)
    assert pipeline[-1].model_.layers[0].units == 9


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_frames_with_texts_need_no_preparation(library: str) -> None:
    frame: Any = pytest.importorskip(library).DataFrame
    held: dict[str, list[Any]] = {
        "size": [100.0, None, 300.0, 400.0] * 10,
        "colour": ["red", "blue", "red", None] * 10,
    }
    labels = np.array(["no", "yes", "no", "yes"] * 10)
    turned = frame(dict(reversed(held.items())))
    model = make_pipeline(NNClassifier(lr=0.05, epochs=60, random_state=0))
    model.fit(frame(held), labels)
    assert model.score(frame(held), labels) == 1
    assert (model.predict(turned) == labels).all()
    numbers = np.arange(40.0) % 4
    regressor = NNRegressor(lr=0.05, epochs=60, random_state=0)
    regressor.fit(frame(held), numbers, sample_weight=np.ones(40))
    assert regressor.score(frame(held), numbers) > 0.9
