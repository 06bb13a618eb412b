"""Class imbalance: balanced weights in the loss, and factors of classes in fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nncli as nn
from nncli.core.balance import balanced_weights
from nncli.core.errors import NncliError
from nncli.core.signature import signature_of
from nncli.losses.base import Loss, Targets
from nncli.runs.checkpoint import load_checkpoint
from tests.command import Command
from tests.conftest import SMALL

rng = np.random.default_rng(0)
X = rng.normal(size=(90, 3)).astype(np.float32)
Y = np.repeat(["many", "some", "few"], [60, 20, 10])
WEIGHED = [
    name
    for name, cls in Loss.members().items()
    if "class_weights" in signature_of(cls).arguments
]
# Their mean divides by the weights, as PyTorch's.
INSIDE = {"softmax_cross_entropy", "categorical_cross_entropy", "softmax_focal"}
BALANCED = {"few": 3.0, "many": 0.5, "some": 1.5}


def model(loss: Any = "softmax_cross_entropy") -> nn.Model:
    return nn.Model([nn.Dense(3)]).compile(loss=loss, optimizer="sgd")


def test_balanced_weights_are_n_over_k_times_count() -> None:
    np.testing.assert_allclose(balanced_weights(np.array([10, 60, 20])), [3, 0.5, 1.5])
    np.testing.assert_allclose(balanced_weights(np.array([5, 0, 5])), [1, 0, 1])


@pytest.mark.parity
def test_balanced_weights_are_those_of_scikit_learn() -> None:
    weights = pytest.importorskip("sklearn.utils.class_weight")
    wanted = weights.compute_class_weight("balanced", classes=np.unique(Y), y=Y)
    _, counts = np.unique(Y, return_counts=True)
    np.testing.assert_allclose(balanced_weights(counts), wanted)


def fitting(name: str, weights: Any) -> tuple[nn.Model, Any]:
    """Return a model that ends as a loss wants it, and targets of its classes."""
    end: dict[str, list[Any]] = {
        "probability": [nn.layers.Sigmoid()],
        "distribution": [nn.layers.Softmax()],
    }
    units, y = (1, Y == "few") if name == "hinge" else (3, Y)
    layers = [nn.Dense(units), *end.get(Loss.members()[name].takes, [])]
    loss = {"type": name, "class_weights": weights}
    return nn.Model(layers).compile(loss=loss, optimizer="sgd"), y


@pytest.mark.parametrize("name", WEIGHED)
def test_balanced_loss_is_the_loss_with_the_numbers(name: str) -> None:
    numbers = [90 / 160, 90 / 20] if name == "hinge" else [3.0, 0.5, 1.5]
    found = []
    for weights in ("balanced", numbers):
        net, y = fitting(name, weights)
        history = net.fit(X, y, epochs=2)
        found.append((history.last["train"]["loss"], net.flat.values.tolist()))
    assert found[0] == found[1]


def test_every_loss_of_classes_can_be_balanced() -> None:
    members = Loss.members().items()
    takes = {n for n, cls in members if cls.takes != "anything" and cls.aligned}
    assert takes == set(WEIGHED)


@pytest.mark.parametrize("name", [n for n in WEIGHED if n not in INSIDE])
def test_balanced_loss_is_that_of_rows_with_a_class_weight(name: str) -> None:
    by_loss, y = fitting(name, "balanced")
    by_row, _ = fitting(name, None)
    by_loss.fit(X, y, epochs=2)
    by_row.fit(X, y, epochs=2, class_weight="balanced")
    np.testing.assert_allclose(by_loss.flat.values, by_row.flat.values, rtol=1e-5)
    plain, _ = fitting(name, None)
    plain.fit(X, y, epochs=2)
    assert not np.allclose(by_loss.flat.values, plain.flat.values, rtol=1e-5)


@pytest.mark.parametrize("name", ["sigmoid_binary_cross_entropy", "hinge"])
def test_one_output_has_the_weights_of_two_classes(name: str) -> None:
    targets = Targets(np.array([0, 1]), ("no", "yes"), (1,), np.dtype(float))
    cls: Any = Loss.members()[name]
    assert cls(class_weights=[1.0, 2.0]).encode(targets).tolist() == [[0.0], [1.0]]
    with pytest.raises(NncliError, match="each of the 2 classes, got 3"):
        cls(class_weights=[1.0, 2.0, 3.0]).encode(targets)


def test_numbers_cannot_be_balanced() -> None:
    loss = {"type": "sigmoid_binary_cross_entropy", "class_weights": "balanced"}
    net = nn.Model([nn.Dense(3)]).compile(loss=loss)
    with pytest.raises(NncliError, match="balanced expects classes as targets"):
        net.fit(X, np.abs(X) % 1)


def test_balanced_counts_the_training_part_alone() -> None:
    net = model({"type": "softmax_cross_entropy", "class_weights": "balanced"})
    net.fit(X[:85], Y[:85], validation_data=(X, Y))
    weights = net._built.loss.arguments["class_weights"]
    np.testing.assert_allclose(weights, [85 / 15, 85 / 180, 85 / 60])


def test_class_without_training_rows_has_no_balanced_weight() -> None:
    net = model({"type": "softmax_cross_entropy", "class_weights": "balanced"})
    net.fit(X, Y)
    again = model({"type": "softmax_cross_entropy", "class_weights": "balanced"})
    again._labels = net._labels
    with pytest.raises(NncliError, match="training rows of every class, got none of f"):
        again.fit(X[:80], Y[:80])


def test_ignored_class_is_not_balanced() -> None:
    loss = {
        "type": "softmax_cross_entropy",
        "class_weights": "balanced",
        "ignore_label": 0,
    }
    net = model(loss)
    net.fit(X, Y)
    weights = net._built.loss.arguments["class_weights"]
    np.testing.assert_allclose(weights, [0, 80 / 120, 2])


def test_single_steps_cannot_balance() -> None:
    net = model({"type": "softmax_cross_entropy", "class_weights": "balanced"})
    with pytest.raises(NncliError, match="only fit can compute"):
        net.train_on_batch(X, Y)


def test_checkpoint_holds_the_numbers(command: Command, tmp_path: Path) -> None:
    config = tmp_path / "small.yaml"
    config.write_text(SMALL)
    balance = "loss.class_weights=balanced"
    command.train(config, balance)
    run = command.runs / "small-1"
    checkpoint = load_checkpoint(run / "checkpoints" / "last.safetensors")
    weights = checkpoint.meta["config"]["loss"]["class_weights"]
    np.testing.assert_allclose(weights, [1, 1])
    assert "balanced" in (run / "config.yaml").read_text()
    assert "balanced" not in (run / "resolved.yaml").read_text()
    assert command("eval", run).code == 0
    assert command("train", "--resume", run, "training.epochs=7").code == 0


@pytest.mark.parametrize("given", ["balanced", BALANCED])
def test_class_weight_of_fit_weighs_the_rows(given: Any) -> None:
    by_class, by_row = model(), model()
    by_class.fit(X, Y, class_weight=given, epochs=2)
    weights = np.array([BALANCED[label] for label in Y])
    by_row.fit(X, Y, sample_weight=weights, epochs=2)
    np.testing.assert_array_equal(by_class.flat.values, by_row.flat.values)
    both = model()
    both.fit(X, Y, class_weight=given, sample_weight=np.full(90, 2.0), epochs=2)
    assert not np.array_equal(both.flat.values, by_row.flat.values)


def test_class_weight_leaves_the_validation_rows_alone() -> None:
    net = model()
    history = net.fit(X, Y, validation_data=(X, Y), class_weight={"few": 100.0})
    last = history.last
    assert last["validation"]["loss"] == pytest.approx(net.evaluate(X, Y)["loss"])
    assert last["train"]["loss"] != pytest.approx(last["validation"]["loss"])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("balance", "expected numbers by class, or 'balanced', got 'balance'"),
        ({"fwe": 2.0}, "expected one of the classes few, many, some, got fwe"),
        ({"few": "2"}, "expected a number of at least 0 for class few, got '2'"),
        ({"few": -1.0}, "expected a number of at least 0 for class few, got -1.0"),
    ],
)
def test_wrong_class_weight_is_refused(given: Any, message: str) -> None:
    with pytest.raises(NncliError, match=message):
        model().fit(X, Y, class_weight=given)


def test_class_weight_wants_classes() -> None:
    net = nn.Model([nn.Dense(1)]).compile(loss="mse")
    with pytest.raises(NncliError, match="expected targets of one class a row"):
        net.fit(X, X[:, 0], class_weight="balanced")
