"""Explain: what is to be known of the row beside its numbers."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nncli.checking.explain import explain
from nncli.checking.explanation import Explanation
from nncli.config.load import load_values
from nncli.core.arrays import xp
from nncli.experiment.build import build
from nncli.report.explanation_page import explanation_page
from nncli.report.explanation_text import explanation_text
from nncli.report.explanation_words import selection
from nncli.training.state import Progress

CONFIG = {
    "dataset": {"type": "npz", "path": "rows.npz"},
    "layers": [{"type": "dense", "units": 3}],
    "loss": "softmax_cross_entropy",
    "optimizer": "sgd",
    "training": {"epochs": 1, "batch_size": 1},
}


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=(9, 2)), rng.uniform(0.5, 1.5, 9)
    np.savez(tmp_path / "rows.npz", x=x, y=np.arange(9) % 3, w=w)
    return tmp_path


def explained(folder: Path, sample: int = 0, **changes: Any) -> Explanation:
    loaded = load_values(CONFIG | changes, source="test", folder=folder)
    return explain(build(loaded), Progress(), sample=sample)


def shown(found: Explanation) -> list[str]:
    """What the terminal, on one line, and the page say."""
    return [" ".join(explanation_text(found, 200).split()), explanation_page(found)]


def test_weight_of_the_row_is_the_factor_that_the_loss_has(rows: Path) -> None:
    dataset = CONFIG["dataset"] | {"weights": "w"}  # type: ignore[operator]
    weights = {"type": "softmax_cross_entropy", "class_weights": [0.5, 1.0, 2.0]}
    found = explained(rows, 4, dataset=dataset, loss=weights)
    loss = found.loss
    (weight,) = loss.weights
    assert weight == pytest.approx(np.load(rows / "rows.npz")["w"][4], rel=1e-6)
    p = loss.predictions[0, loss.targets[0]]
    # The class weight is a factor too, and what the mean divides by.
    assert loss.value == pytest.approx(-weight * np.log(p), rel=1e-12)
    assert found.facts()["loss"]["weights"] == [weight]
    for text in shown(found):
        assert f"weight of this row, a factor of the loss: {weight:.6g}" in text


def test_rows_without_weights_and_lengths_say_nothing_of_them(rows: Path) -> None:
    found = explained(rows)
    assert found.remarks == ()
    facts = found.facts()["loss"]
    assert (facts["weights"], facts["lengths"]) == (None, None)
    for text in shown(found):
        assert "weight of this row" not in text
        assert "steps that count" not in text
        assert "), length" not in text


def test_steps_that_count_are_told_of_sequences_with_lengths(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("anna\nbo\nchristopher\n" * 4)
    layers = [
        {"type": "embedding", "units": 3},
        {"type": "gru", "units": 4},
        {"type": "dense", "units": 13},
    ]
    dataset = {"type": "lines", "path": "names.txt"}
    found = explained(tmp_path, dataset=dataset, layers=layers)
    loss, steps = found.loss, len("anna") + 1
    assert loss.lengths == found.layers[0].x.lengths == (steps,)
    targets = loss.targets[0, :steps]
    p = loss.predictions[0, np.arange(steps), targets]
    assert loss.value == pytest.approx(-np.log(p).mean(), rel=1e-12)
    facts = found.facts()
    assert facts["loss"]["lengths"] == facts["layers"][0]["x"]["lengths"] == [steps]
    for text in shown(found):
        assert f"steps that count: the first {steps}" in text
        assert f"x (1, {loss.targets.shape[1]}), length {steps}" in text


@pytest.mark.parametrize(
    ("training", "remark"),
    [
        ({"batch_size": 4}, "A step of training takes 4 rows; here"),
        (
            {"batch_size": 4, "accumulate": 2},
            "A step of training takes 8 rows (accumulate: 2); here",
        ),
        (
            {"batch_size": 1, "accumulate": 20},
            "A step of training takes 9 rows (accumulate: 20); here",
        ),
    ],
)
def test_remark_says_how_many_rows_a_step_takes(
    rows: Path, training: dict[str, int], remark: str
) -> None:
    (found,) = explained(rows, training={"epochs": 1} | training).remarks
    assert found == f"{remark} the sample is a batch of its own."


def test_remark_says_that_the_average_is_what_is_used(rows: Path) -> None:
    training = CONFIG["training"] | {"average": {"decay": 0.9}}  # type: ignore[operator]
    (remark,) = explained(rows, training=training).remarks
    assert "their moving average instead (training.average)" in remark


def test_remark_says_what_became_of_the_columns_of_a_table(tmp_path: Path) -> None:
    lines = [f"{i},{2**i},{i % 2},{'no' if i % 3 else 'yes'}" for i in range(9)]
    (tmp_path / "t.csv").write_text("\n".join(["a\x1b,b,c,y", *lines]))
    columns = {"b": {"scaling": "log"}, "c": {"type": "category"}}
    dataset = {"type": "csv", "path": "t.csv", "target": "y", "columns": columns}
    found = explained(
        tmp_path, 5, dataset=dataset, layers=[{"type": "dense", "units": 2}]
    )
    a, b = xp.arange(9.0), xp.log1p(2.0 ** xp.arange(9))
    x = [(a - a.mean())[5] / a.std(), (b - b.mean())[5] / b.std(), 0, 1]
    assert found.layers[0].x.value[0] == pytest.approx(x, rel=1e-6)
    (remark,) = found.remarks
    assert remark == (
        f"Inputs are columns of the table: (a\\x1b − 4) / {a.std():.6g}, "
        f"(b as ±ln(1 + |v|) − {b.mean():.6g}) / {b.std():.6g}, c=0, c=1."
    )


def test_step_behind_the_last_one_says_that_training_ended(rows: Path) -> None:
    training = {"steps": 10, "batch_size": 3}
    schedule = {"type": "linear", "final": 0.0}
    optimizer = {"type": "sgd", "lr": 0.1}
    changes = {"training": training, "schedule": schedule, "optimizer": optimizer}
    loaded = load_values(CONFIG | changes, source="test", folder=rows)
    experiment = build(loaded)
    last = explain(experiment, Progress(step=9, epoch=3)).update
    assert (last.number, last.ended) == (10, 0)
    behind = explain(experiment, Progress(step=10, epoch=3))
    update = behind.update
    assert (update.number, update.ended, update.lr) == (11, 10, last.lr)
    ended = "the last one of training, which ended after 10 steps"
    assert all(ended in text for text in shown(behind))
    assert behind.facts()["update"]["training_ended"] == 10


@pytest.mark.parametrize("width", [30, 40, 80, 100])
def test_narrow_text_loses_no_number(rows: Path, width: int) -> None:
    loss = {"type": "softmax_cross_entropy", "class_weights": [2 / 3, 4 / 3, 1 / 3]}
    optimizer = {"type": "adam", "amsgrad": True}
    found = explained(rows, loss=loss, optimizer=optimizer)
    lines = explanation_text(found, width).splitlines()
    assert max(map(len, lines)) <= width
    update = [line.split() for line in lines[lines.index("UPDATE") :]]
    words = [word for line in update for word in line]
    for each in found.layers[0].parameters:
        for e in each.elements:
            for name, value in e.remembered.items():
                assert name in words
                assert f"{value:.6g}" in words
            told = [e.value, e.derivative] if width >= 80 else []
            for number in [*told, e.step, e.after]:
                assert f"{number:.6g}" in words
    words = [word for line in lines for word in re.split(r"[][(), ]", line)]
    assert str(2 / 3) in words


def test_one_derivative_of_many_is_the_largest(rows: Path) -> None:
    (layer,) = explained(rows).layers
    weight = layer.parameters[0]
    assert selection(weight) == ""
    assert selection(replace(weight, elements=weight.elements[:2])) == (
        ", the 2 largest of 6"
    )
    assert selection(replace(weight, elements=weight.elements[:1])) == (
        ", the largest of 6"
    )
