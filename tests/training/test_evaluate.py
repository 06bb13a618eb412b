"""Evaluator: the numbers are those of a plain loop, of NumPy, and of scikit-learn."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from nncli.core.arrays import Array
from nncli.core.errors import DivergedError
from nncli.data.table import Table
from nncli.experiment.experiment import Experiment
from nncli.experiment.part import Part
from nncli.network.network import AT_ONCE
from nncli.training.evaluate import (
    Evaluator,
    labels_of,
    per_class,
    scored_parts,
)
from tests.training.jobs import all_of, experiment, state_of, trainer

NOISY = "layers=[{type: dense, units: 6}, batch_norm, relu, dropout, "
NOISY += "{type: dense, units: 3}]"
SPIRAL = (NOISY, "dataset={type: spiral, samples: 30}", "precision=float64")


def trained(*overrides: str) -> Experiment:
    made = trainer(*overrides)
    made.fit()
    return made.experiment


def predicted(made: Experiment, part: Part) -> Array:
    """Return the class of each row, from the layers' formulas in float64."""
    tensors = {
        name: tensor.data.astype(float)
        for name, tensor in made.network.flat.tensors.items()
    }
    x = all_of(part).x.data.astype(float)
    x = x @ tensors["layers.0.weight"].T + tensors["layers.0.bias"]
    state = made.network.state
    x = (x - state["layers.1.running_mean"]) / np.sqrt(
        state["layers.1.running_var"] + 1e-5
    )
    x = x * tensors["layers.1.gamma"] + tensors["layers.1.beta"]
    x = np.maximum(x, 0) @ tensors["layers.4.weight"].T + tensors["layers.4.bias"]
    return np.asarray(x)


@pytest.mark.parametrize("part", ["train", "validation"])
def test_evaluator_gives_loss_and_accuracy_of_the_network_in_use(part: str) -> None:
    made = trained(*SPIRAL)
    rows = made.parts[part]
    logits = predicted(made, rows)
    labels = labels_of(all_of(rows).targets.data)
    logs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    scores = Evaluator(made, rows).run()
    assert scores["loss"] == pytest.approx(
        -logs[np.arange(len(labels)), labels].mean(), rel=1e-12
    )
    assert scores["accuracy"] == (logits.argmax(axis=1) == labels).mean()


def test_evaluator_leaves_prices_of_weights_out() -> None:
    made = trained()
    plain = Evaluator(made, made.parts["train"]).run()
    priced = experiment("layers[0].l2=1.0")
    np.copyto(priced.network.flat.values, made.network.flat.values)
    assert Evaluator(priced, priced.parts["train"]).run() == plain


@pytest.mark.parametrize("size", [1, 7, 59])
def test_evaluator_adds_batches_up(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    made = trained("precision=float64", "training.batch_size=1")
    part = made.parts["train"]
    whole = Evaluator(made, part, confusion=True)
    monkeypatch.setattr(made.network, "rows_within", lambda nbytes: size)
    cut = Evaluator(made, part, confusion=True)
    assert cut.batches.size == size
    first, second = whole.run(), cut.run()
    assert second["loss"] == pytest.approx(first["loss"], rel=1e-12)
    assert second["accuracy"] == first["accuracy"]
    np.testing.assert_array_equal(whole.confusion, cut.confusion)


def test_evaluator_gives_the_same_again_and_changes_nothing() -> None:
    made = trainer(*SPIRAL)
    made.fit()
    before = state_of(made)
    noise = made.experiment.network.streams.noise.bit_generator.state
    evaluator = made.evaluators["train"]
    assert evaluator.run() == evaluator.run()
    for name, array in state_of(made).items():
        np.testing.assert_array_equal(array, before[name])
    assert made.experiment.network.streams.noise.bit_generator.state == noise


def test_evaluator_of_one_output_decides_at_one_half() -> None:
    made = trained(
        "layers=[{type: dense, units: 4}, tanh, {type: dense, units: 1}, sigmoid]",
        "loss=binary_cross_entropy",
        "training.epochs=30",
    )
    part = made.parts["train"]
    evaluator = Evaluator(made, part, confusion=True)
    scores = evaluator.run()
    assert evaluator.confusion is not None
    assert evaluator.confusion.shape == (2, 2)
    assert np.trace(evaluator.confusion) / len(part) == scores["accuracy"]
    assert scores["accuracy"] != 0


def test_evaluator_of_numbers_counts_no_classes() -> None:
    made = trained(
        "dataset={type: linear, samples: 50}",
        "layers=[{type: dense, units: 1}]",
        "loss=mse",
        "metrics=[mae, mse]",
    )
    evaluator = Evaluator(made, made.parts["validation"], confusion=True)
    scores = evaluator.run()
    assert evaluator.confusion is None
    assert scores["mse"] == pytest.approx(scores["loss"], rel=1e-6)


def test_evaluator_names_the_layer_that_is_not_finite() -> None:
    made = experiment()
    made.network.flat.tensors["layers.2.bias"].data[0] = np.nan
    with pytest.raises(DivergedError, match=r"layers\[2\] dense is not finite"):
        Evaluator(made, made.parts["train"]).run()


def test_labels_are_the_same_in_every_encoding() -> None:
    labels = np.array([0, 1, 1, 0])
    assert labels_of(labels) is labels
    np.testing.assert_array_equal(labels_of(labels[:, None].astype(np.float32)), labels)
    np.testing.assert_array_equal(labels_of(np.eye(2)[labels]), labels)


def test_confusion_counts_rows_by_class_and_prediction() -> None:
    made = trained(*SPIRAL)
    part = made.parts["train"]
    evaluator = Evaluator(made, part, confusion=True)
    evaluator.run()
    expected = np.zeros((3, 3), int)
    chosen = predicted(made, part).argmax(axis=1)
    labels = labels_of(all_of(part).targets.data)
    for label, choice in zip(labels, chosen, strict=True):
        expected[label, choice] += 1
    np.testing.assert_array_equal(evaluator.confusion, expected)


def test_confusion_begins_anew_with_every_run() -> None:
    made = trained()
    evaluator = Evaluator(made, made.parts["train"], confusion=True)
    evaluator.run()
    assert evaluator.confusion is not None
    first = evaluator.confusion.copy()
    evaluator.run()
    np.testing.assert_array_equal(evaluator.confusion, first)


def test_per_class_says_nothing_of_what_there_is_none_of() -> None:
    # Class a is never predicted, class b has no rows, c has neither.
    table = per_class(np.array([[0, 3, 0], [0, 0, 0], [0, 0, 0]]), ("a", "b", "c"))
    assert table[0] == {
        "class": "a",
        "rows": 3,
        "precision": None,
        "recall": 0.0,
        "f1": 0.0,
    }
    assert (table[1]["precision"], table[1]["recall"]) == (0.0, None)
    assert (table[2]["precision"], table[2]["recall"]) == (None, None)
    assert table[2]["f1"] is None


@pytest.mark.parity
@pytest.mark.parametrize("classes", [2, 3, 10])
def test_per_class_agrees_with_scikit_learn(classes: int) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(classes)
    for rows in (1, 5, 500):
        truth, guess = rng.integers(0, classes, (2, rows))
        guess = np.where(rng.random(rows) < 0.5, truth, guess)
        confusion = np.zeros((classes, classes), int)
        np.add.at(confusion, (truth, guess), 1)
        np.testing.assert_array_equal(
            confusion,
            metrics.confusion_matrix(truth, guess, labels=range(classes)),
        )
        expected = metrics.precision_recall_fscore_support(
            truth, guess, labels=range(classes), zero_division=np.nan
        )
        table = per_class(confusion, tuple(map(str, range(classes))))
        for key, values in zip(
            ("precision", "recall", "f1", "rows"), expected, strict=True
        ):
            ours = [np.nan if line[key] is None else line[key] for line in table]
            np.testing.assert_allclose(ours, values, rtol=1e-12)


@pytest.mark.parametrize(
    ("rows", "split", "expected"),
    [
        ("null", "{validation: 0.25}", 20),
        ("all", "{validation: 0.25}", 60),
        ("7", "{validation: 0.25}", 7),
        ("60", "{validation: 0.25}", 60),
        ("1000", "{validation: 0.25}", 60),
        ("null", "{}", 80),
        ("null", "{validation: 0.75}", 20),
        ("9", "{}", 9),
        ("null", "{test: 0.25}", 60),
    ],
)
def test_training_rows_that_are_scored_are_as_many_as_asked_for(
    rows: str, split: str, expected: int
) -> None:
    config = (f"training.evaluate_rows={rows}", f"split={split}")
    made = experiment(*config)
    parts = scored_parts(made)
    assert parts.keys() == made.parts.keys() - {"test"}
    assert len(parts["train"]) == expected
    drawn = all_of(parts["train"]).x.data
    whole = all_of(made.parts["train"]).x.data
    assert len(np.unique(drawn, axis=0)) == expected
    assert set(map(bytes, drawn)) <= set(map(bytes, whole))


def test_training_rows_that_are_scored_are_drawn_by_the_seed_alone() -> None:
    def places(*overrides: str) -> list[int]:
        chosen = scored_parts(experiment("split.seed=1", *overrides))["train"].index
        assert chosen is not None
        return [int(place) for place in chosen]

    first = places()
    assert first == places() == places("training.epochs=9", "training.batch_size=3")
    # Other numbers in the same places: they do not hang on what is loaded.
    assert first == places("dataset.noise=2.0", "transforms=[standardize]")
    assert first == sorted(first) != places("seed=4")
    made = trainer("training.evaluate_rows=7")
    part = made.evaluators["train"].batches.part
    scores = Evaluator(made.experiment, scored_parts(made.experiment)["train"]).run()
    assert made.evaluators["train"].run() == scores
    assert len(part) == 7


def test_evaluator_of_a_wide_network_takes_bounded_memory() -> None:
    x = np.zeros((5000, 2))
    made = experiment("layers[0].units=4096", "training.evaluate_rows=all")
    part = made.prepare(Table(x, np.zeros(len(x), int), (0, 1)))
    tracemalloc.start()
    try:
        Evaluator(made, part).run()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # The hidden values of all rows would take 82 MB, and their tanh as many.
    assert peak < 3 * AT_ONCE
