"""Kinds: what is drawn is what the engine says, and the metrics."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nncli.autograd.tensor import Tensor
from nncli.cli.completion import kind_names
from nncli.core.randomness import Streams
from nncli.data.table import Table
from nncli.experiment.predict import predictions
from nncli.layers.attention import Attention
from nncli.metrics.classification import Accuracy
from nncli.metrics.ranking import AveragePrecision, RocAuc
from nncli.network.network import Network
from nncli.report.plots.base import KINDS, kinds
from nncli.report.plots.decisions import Decision, titled
from nncli.report.plots.decisions import drawn as decided
from nncli.report.plots.kinds.attention import attention_weights
from nncli.report.plots.logs import some_rows
from nncli.report.plots.panels import Images, Lines, Matrix, Panel, Regions
from nncli.report.plots.subject import Subject
from nncli.training.evaluate import Evaluator
from tests.report.plots.trained import subject_of
from tests.runs.made import make_run

THREE: dict[str, Any] = {
    "dataset": {"type": "spiral", "samples": 30, "classes": 3, "noise": 0.3},
    "layers": [{"type": "dense", "units": 8}, "relu", {"type": "dense", "units": 3}],
}


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Subject:
    """A run of three classes and two inputs."""
    return subject_of(tmp_path_factory.mktemp("three"), **THREE)


def drawn(kind: str, subject: Subject) -> list[Panel]:
    """Return the panels of a kind."""
    found: list[Panel] = KINDS.scan()[kind]().panels(subject)
    return found


def test_kinds_are_called_as_their_files() -> None:
    names = [kind.name for kind in kinds()]
    assert sorted(names) == kind_names()
    assert all(type(kind).__doc__ for kind in kinds())
    assert all(kind.title for kind in kinds())


def test_curves_hold_the_rows_and_mark_the_best(tmp_path: Path) -> None:
    subject = Subject(make_run(tmp_path))
    loss, accuracy = drawn("curves", subject)
    assert isinstance(loss, Lines)
    assert isinstance(accuracy, Lines)
    assert [panel.title for panel in (loss, accuracy)] == ["loss", "accuracy"]
    train, validation = loss.series
    assert train.y.tolist() == [0.9, 0.5, 0.7]
    assert validation.y.tolist() == pytest.approx([1.0, 0.6, 0.8])
    # The best is that of step 20, of the part that decided.
    assert (train.marked, validation.marked) == (None, 1)
    assert loss.x_label == "epoch"


def test_curves_of_many_rows_keep_the_best(tmp_path: Path) -> None:
    losses = tuple(1 + abs(n - 733) / 1000 for n in range(1500))
    (loss, _) = drawn("curves", Subject(make_run(tmp_path, losses=losses)))
    assert isinstance(loss, Lines)
    series = loss.series[1]
    assert len(series.x) <= 1001
    assert series.marked is not None
    assert series.y[series.marked] == pytest.approx(1.1)


def test_very_many_rows_are_thinned_over_the_whole_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nncli.report.plots.logs.MOST_ROWS", 12)
    losses = tuple(1 + abs(n - 33) / 1000 for n in range(72))
    run = make_run(tmp_path, losses=losses)
    steps = [row["step"] for row in Subject(run).rows]
    # Every eighth, the best and the last.
    assert steps == [10, 90, 170, 250, 330, 340, 410, 490, 570, 650, 720]
    assert [row["step"] for row in some_rows(run.metrics)][-2:] == [650, 720]
    assert len(some_rows(tmp_path / "none.jsonl")) == 0


def test_gradients_come_from_records_however_damaged(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    assert drawn("gradients", Subject(run)) == []
    rows = [
        {"step": 1, "gradient_norm": 2.0, "update_ratio": 0.1},
        {"step": 2, "gradient_norm": None},
        {"step": 3, "gradient_norm": "many", "update_ratio": 1e999},
        {"gradient_norm": 4.0},
        {"step": 5, "gradient_norm": 8.0, "update_ratio": 0.3},
    ]
    text = "\n".join(map(json.dumps, rows)) + '\n{"step": 6, "gradient_n'
    (run.path / "records.jsonl").write_text(text)
    norm, ratio = drawn("gradients", Subject(run))
    assert isinstance(norm, Lines)
    assert isinstance(ratio, Lines)
    wanted = [2.0, np.nan, np.nan, 4.0, 8.0]
    np.testing.assert_array_equal(norm.series[0].y, wanted)
    assert np.isfinite(ratio.series[0].y).sum() == 2


def test_gradients_of_many_steps_keep_the_largest(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    norms = np.ones(5000)
    norms[3210] = 99.0
    rows = [{"step": n, "gradient_norm": float(g)} for n, g in enumerate(norms)]
    (run.path / "records.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")
    (panel,) = drawn("gradients", Subject(run))
    assert isinstance(panel, Lines)
    median, largest = panel.series
    assert len(median.x) == 500
    assert (median.y.max(), largest.y.max()) == (1.0, 99.0)


def test_roc_and_precision_have_the_scores_of_the_metrics(three: Subject) -> None:
    found = three.predicted
    for kind, metric in (("roc", RocAuc()), ("precision_recall", AveragePrecision())):
        (panel,) = drawn(kind, three)
        assert isinstance(panel, Lines)
        scores = [float(each.name.split("(")[1][:-1]) for each in panel.series]
        live = metric.live()
        live.update(found.predictions, found.targets)
        assert np.mean(scores) == pytest.approx(live.result(), abs=6e-4)


def test_decisions_say_whose_scores_are_told_and_show_beneath_each_other() -> None:
    counts = np.ones(2)
    some = [(Decision(f"{n}", counts, counts), n / 9, counts, counts) for n in range(8)]
    few, one = some[:4], some[1:2]
    assert titled("test part", "area", few) == "test part; area in brackets"
    assert titled("test part", "area", one) == "test part; area 0.111 for 1"
    told = titled("test part", "area", some)
    assert told == "test part; area in brackets; the 3 worst of 8 in colour"
    assert [each.name for each in decided(some) if each.name] == [
        "0 (0.000)",
        "1 (0.111)",
        "2 (0.222)",
    ]
    assert len({each.style for each in decided(few)}) == 4


@pytest.mark.parity
def test_curves_of_decisions_are_those_of_scikit_learn(three: Subject) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    truth = three.predicted.targets.ravel() == 1
    scores = three.probabilities[:, 1]
    (roc,), (curve,) = drawn("roc", three), drawn("precision_recall", three)
    assert isinstance(roc, Lines)
    assert isinstance(curve, Lines)
    wrong, right, _ = metrics.roc_curve(truth, scores)
    ours = next(each for each in roc.series if each.name.startswith("1 "))
    assert np.interp(wrong, ours.x, ours.y).max() == 1.0
    pairs = {(round(x, 9), round(y, 9)) for x, y in zip(ours.x, ours.y, strict=True)}
    assert pairs <= {
        (round(x, 9), round(y, 9)) for x, y in zip(wrong, right, strict=True)
    }
    precision, recall, _ = metrics.precision_recall_curve(truth, scores)
    given = {(round(x, 9), round(y, 9)) for x, y in zip(recall, precision, strict=True)}
    mine = next(each for each in curve.series if each.name.startswith("1 "))
    # Ours begins at the first precision, theirs at 1.
    points = list(zip(mine.x, mine.y, strict=True))[1:]
    assert {(round(x, 9), round(y, 9)) for x, y in points} <= given


def test_confusion_counts_as_the_evaluator(three: Subject) -> None:
    evaluator = Evaluator(three.experiment, three.part, confusion=True)
    evaluator.run()
    (panel,) = drawn("confusion", three)
    assert isinstance(panel, Matrix)
    assert evaluator.confusion is not None
    assert panel.values.tolist() == evaluator.confusion.tolist()
    accuracy = Accuracy().live()
    accuracy.update(three.predicted.predictions, three.predicted.targets)
    right = round(accuracy.result() * len(three.part))
    assert f" {right} of {len(three.part)} rows" in kinds()[4].alt([panel])


def test_regions_say_what_the_network_predicts_there(three: Subject) -> None:
    (panel,) = drawn("regions", three)
    assert isinstance(panel, Regions)
    assert panel.sure is not None
    place = np.array([[panel.x[150], panel.y[20]]])
    given = predictions(three.experiment, Table(place))[0]
    assert panel.values[20, 150] == given.argmax()
    assert panel.sure[20, 150] == pytest.approx(given.max(), abs=1e-5)
    assert len(panel.points) == len(three.part)
    assert three.part.index is not None
    whole = three.part.rows.read("x", three.part.index)
    np.testing.assert_array_equal(panel.points, whole)


def test_regions_of_a_table_are_in_the_units_of_its_columns(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    cells = np.column_stack([rng.normal(170, 8, 40), rng.normal(70, 9, 40)]).round(1)
    cells = np.column_stack([cells, cells[:, 1] > 70])
    table = tmp_path / "people.csv"
    np.savetxt(table, cells, "%g", ",", header="height,weight,heavy", comments="")
    dataset = {"type": "csv", "path": str(table), "target": "heavy"}
    subject = subject_of(tmp_path, dataset=dataset)
    (panel,) = drawn("regions", subject)
    assert isinstance(panel, Regions)
    assert (panel.x_label, panel.y_label) == ("height", "weight")
    known = cells[subject.part.index]
    np.testing.assert_allclose(panel.points, known[:, :2], rtol=1e-6)
    for ends, values in ((panel.x, known[:, 0]), (panel.y, known[:, 1])):
        margin = 0.08 * np.ptp(values)
        assert ends[0] == pytest.approx(values.min() - margin)
        assert ends[-1] == pytest.approx(values.max() + margin)


def test_pictures_do_not_look_at_the_test_part(tmp_path: Path) -> None:
    parts = {"validation": 0.3, "test": 0.3}
    subject = subject_of(tmp_path, split=parts, **THREE)
    assert subject.split == "validation"
    assert Subject(subject.run, split="test").shown == "test part"


def test_residuals_are_in_the_units_of_the_data(tmp_path: Path) -> None:
    table = tmp_path / "houses.csv"
    lines = [f"{n % 7}.5,{1000 + 50 * n}" for n in range(40)]
    table.write_text("\n".join(["rooms,price", *lines]))
    subject = subject_of(
        tmp_path,
        dataset={"type": "csv", "path": str(table), "target": "price"},
        layers=[{"type": "dense", "units": 1}],
        loss="mse",
        metrics=["rmse"],
    )
    points, bars = drawn("residuals", subject)
    assert isinstance(points, Lines)
    (series,) = points.series
    assert (points.x_label, points.y_label) == ("price", "predicted price")
    assert series.x.min() >= 1000
    assert series.x.max() <= 3000
    rmse = np.sqrt(((series.y - series.x) ** 2).mean())
    assert bars.title == f"residuals, RMSE {rmse:.4g}"
    assert drawn("confusion", subject) == drawn("roc", subject) == []


def test_images_show_filters_and_mistakes(tmp_path: Path) -> None:
    layers = ["flatten", {"type": "dense", "units": 5}, {"type": "dense", "units": 10}]
    subject = subject_of(tmp_path, 1, dataset="digits", layers=layers)
    (filters,) = drawn("filters", subject)
    assert isinstance(filters, Images)
    weight = subject.experiment.network.layers[1].parameters["weight"].data
    np.testing.assert_allclose(filters.images.reshape(5, -1), weight)
    (mistakes,) = drawn("mistakes", subject)
    assert isinstance(mistakes, Images)
    worst = subject.predicted.mistakes[0]
    image = subject.part.rows.read("x", np.array([worst["row"]]))[0]
    np.testing.assert_array_equal(mistakes.images[0], image)
    numbers = f"{worst['probability_of_class']:.2f} → {worst['probability']:.2f}"
    names = f"{worst['class']}\n→ {worst['taken_for']}"
    assert mistakes.captions[0] == f"{names}\n{numbers}"
    own = [float(caption.split()[3]) for caption in mistakes.captions]
    assert own == sorted(own)
    assert drawn("regions", subject) == drawn("attention", subject) == []


@pytest.mark.parametrize("causal", [False, True])
def test_attention_weights_are_those_of_a_slow_loop(causal: bool) -> None:
    description = Attention(heads=4, kv_heads=2, causal=causal)
    streams = Streams(0)
    network = Network([description], (7, 8), streams, np.dtype(np.float64))
    layer = network.layers[0]
    assert isinstance(layer, Attention)
    x = np.random.default_rng(0).normal(size=(1, 7, 8))
    packed = x[0] @ layer.parameters["weight"].data.T
    q, k = packed[:, :8].reshape(7, 4, 2), packed[:, 8:12].reshape(7, 2, 2)
    found = attention_weights(layer, Tensor(x))
    for head in range(4):
        scores = q[:, head] @ k[:, head // 2].T / np.sqrt(2)
        if causal:
            scores[np.triu_indices(7, 1)] = -np.inf
        wanted = np.exp(scores)
        wanted /= wanted.sum(axis=1, keepdims=True)
        np.testing.assert_allclose(found[head], wanted, atol=1e-12)


def test_text_shows_attention_and_hidden_states(tmp_path: Path) -> None:
    table = tmp_path / "names.txt"
    table.write_text("\n".join(["anna", "berta", "carl", "dora"] * 5))
    subject = subject_of(
        tmp_path,
        1,
        dataset={"type": "lines", "path": str(table)},
        layers=[
            {"type": "embedding", "units": 4},
            {"type": "attention", "heads": 2, "causal": True},
            {"type": "gru", "units": 6},
            {"type": "dense", "units": 11},
        ],
        metrics=["token_accuracy"],
    )
    heads = drawn("attention", subject)
    (states,) = drawn("hidden_states", subject)
    assert len(heads) == 2
    for panel in heads:
        assert isinstance(panel, Matrix)
        np.testing.assert_allclose(panel.values.sum(axis=1), 1, atol=1e-5)
        assert not np.triu(panel.values, 1).any()
    assert isinstance(states, Matrix)
    assert states.values.shape == (6, len(states.columns))
    assert set("".join(states.columns)) <= set("abcdeorltn\\")


def test_hidden_states_end_with_what_the_layer_gives(tmp_path: Path) -> None:
    table = tmp_path / "texts.csv"
    lines = [f"{'good fine' if n % 2 else 'bad poor day'},{n % 2}" for n in range(20)]
    table.write_text("\n".join(["text,label", *lines]))
    subject = subject_of(
        tmp_path,
        1,
        dataset={
            "type": "text_table",
            "path": str(table),
            "text": "text",
            "target": "label",
        },
        layers=[
            {"type": "embedding", "units": 4},
            {"type": "lstm", "units": 3, "return_sequences": False},
            {"type": "dense", "units": 2},
        ],
    )
    from nncli.report.plots.sequences import sample_of

    sample = sample_of(subject)
    assert sample is not None
    (states,) = drawn("hidden_states", subject)
    assert isinstance(states, Matrix)
    last = sample.calls[1].y.data[0]
    np.testing.assert_allclose(states.values[:, -1], last, atol=1e-6)
