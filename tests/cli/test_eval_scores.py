"""``nncli eval``: scores beside a guess, and predictions in a file."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.cells import cell_len

import nncli as nn
from nncli.cli.app import run as call
from nncli.core.arrays import Array
from nncli.network.network import Network
from nncli.runs.checkpoint import load_checkpoint, save_checkpoint
from tests.command import Command

TEXT = """
dataset: {{type: npz, path: {name}.npz, targets: {targets}}}
split: {{test: 0.4, stratify: false}}
transforms: [standardize]
layers: [{{type: dense, units: 8}}, relu, {{type: dense, units: {units}}}]
loss: {loss}
metrics: {metrics}
optimizer: {{type: adam, lr: 0.03}}
training: {{epochs: 6, batch_size: 16}}
"""
ODD = ["=1+1", "-2", "größe, with a comma"]
"""Names of classes: what a spreadsheet would run, a number, and what needs quotes."""


@dataclass(frozen=True)
class Kind:
    """What a network is trained to tell."""

    targets: str
    units: int
    loss: str
    metrics: str = "[]"


KINDS = {
    "classes": Kind("classes", 3, "softmax_cross_entropy", "[f1, accuracy]"),
    "two": Kind("classes", 1, "sigmoid_binary_cross_entropy", "[roc_auc]"),
    "labels": Kind("numbers", 3, "sigmoid_binary_cross_entropy", "[mse]"),
    "numbers": Kind("numbers", 2, "mse", "[mae, explained_variance]"),
    "number": Kind("numbers", 1, "mse"),
    "steps": Kind("classes", 3, "softmax_cross_entropy"),
}


def data(name: str) -> tuple[Array, Array]:
    """Return rows whose classes, labels or numbers depend on the inputs, with noise."""
    rng = np.random.default_rng(0)
    x, noise = rng.normal(size=(120, 4)), rng.normal(size=(120, 3))
    if name == "steps":
        x = rng.normal(size=(40, 5, 2))
        return x, (x.sum(axis=-1) > 0).astype(int) + (rng.uniform(size=(40, 5)) < 0.3)
    values = x[:, :3] + 0.7 * noise
    if name == "classes":
        return x, np.array(ODD)[(values * [1, 2, 1.5]).argmax(axis=1)]
    if name == "two":
        return x, (values[:, 0] > 0.4).astype(int)
    if name == "labels":
        return x, (values > [0, 0.4, 0.8]).astype(int)
    numbers = np.stack([1000 + 300 * values[:, 0], values[:, 1]], axis=1)
    return x, numbers if name == "numbers" else numbers[:, 1]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return runs of each kind."""
    folder = tmp_path_factory.mktemp("kinds")
    for name, kind in KINDS.items():
        x, y = data(name)
        np.savez(folder / f"{name}.npz", x=x, y=y)
        config = folder / f"{name}.yaml"
        config.write_text(TEXT.format(name=name, **vars(kind)), encoding="utf-8")
        runs = folder / "runs"
        arguments = [str(config), "--quiet", "--runs-dir", str(runs)]
        assert call(["train", *arguments]) == 0
    return runs


def saved(path: Path) -> dict[str, list[str]]:
    """Return the columns of a CSV file."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return {name: [row[name] for row in rows] for name in rows[0]}


def wide(columns: dict[str, list[str]], name: str) -> Array:
    """Return the columns of a name, name_0, name_1, ... side by side."""
    chosen = [v for k, v in columns.items() if k == name or k.startswith(f"{name}_")]
    return np.array(chosen, float).T


@dataclass(frozen=True)
class Found:
    """What ``eval --json --save`` gave."""

    result: dict[str, Any]
    columns: dict[str, list[str]]
    trained: Array


def evaluated(command: Command, runs: Path, name: str, folder: Path) -> Found:
    path = folder / "saved.csv"
    outcome = command("eval", runs / f"{name}-1", "--json", "--save", path)
    assert outcome.code == 0, outcome.err
    columns = saved(path)
    rows = np.array(columns["row"], int)
    y = data(name)[1]
    rest = np.setdiff1d(np.arange(len(y)), rows)
    return Found(outcome.json(), columns, y[rest])


def close(value: object) -> Any:
    return pytest.approx(value, rel=2e-6, abs=1e-7)


@pytest.mark.parity
@pytest.mark.parametrize("name", ["classes", "two"])
def test_eval_of_classes_is_scikit_learn_s_of_the_saved_rows(
    command: Command, runs: Path, tmp_path: Path, name: str
) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    dummy = pytest.importorskip("sklearn.dummy")
    found = evaluated(command, runs, name, tmp_path)
    known = sorted(set(data(name)[1].tolist()))
    names = ["'=1+1" if k == "=1+1" else str(k) for k in known]
    t = np.array([names.index(cell) for cell in found.columns["target"]])
    p = wide(found.columns, "probability")
    guess = dummy.DummyClassifier(strategy="prior")
    guess.fit(np.zeros((len(found.trained), 1)), found.trained)
    q = guess.predict_proba(np.zeros((len(t), 1)))
    result, baseline = found.result, found.result["baseline"]
    assert baseline["class"] == str(guess.predict([[0]])[0])
    for scores, given in ((result, p), (baseline["scores"], q)):
        area = {"multi_class": "ovr"} if len(known) > 2 else {}
        of = given if len(known) > 2 else given[:, 1]
        assert scores["accuracy"] == metrics.accuracy_score(t, given.argmax(axis=1))
        assert scores["roc_auc"] == close(metrics.roc_auc_score(t, of, **area))
        # In float32 they do not add up to 1 as scikit-learn wants it.
        shares = given / given.sum(axis=1, keepdims=True)
        expected = metrics.log_loss(t, y_proba=shares, labels=range(len(known)))
        assert scores["log_loss"] == close(expected)
    mine, theirs = p[np.arange(len(t)), t], q[np.arange(len(t)), t]
    assert result["better_than_baseline"] == close((mine > theirs).mean())
    assert 0.5 < result["better_than_baseline"] < 1
    predicted = [names.index(cell) for cell in found.columns["prediction"]]
    assert predicted == p.argmax(axis=1).tolist()


@pytest.mark.parity
def test_eval_of_labels_is_scikit_learn_s_of_the_saved_rows(
    command: Command, runs: Path, tmp_path: Path
) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    found = evaluated(command, runs, "labels", tmp_path)
    t, p = wide(found.columns, "target"), wide(found.columns, "probability")
    decided = wide(found.columns, "prediction")
    np.testing.assert_array_equal(decided, p > 0.5)
    q = np.broadcast_to(found.trained.mean(axis=0), p.shape)
    result, baseline = found.result, found.result["baseline"]["scores"]
    for scores, given in ((result, p), (baseline, q)):
        right = (given > 0.5) == t
        assert scores["accuracy"] == close(right.mean())
        exact = metrics.accuracy_score(t, (given > 0.5).astype(int))
        assert scores["subset_accuracy"] == close(exact)
        area = metrics.roc_auc_score(t, given, average="macro")
        assert scores["roc_auc"] == close(area)
        every = metrics.log_loss(t.ravel(), given.ravel())
        assert scores["log_loss"] == close(every)
    lost = [-np.log(np.where(t == 1, g, 1 - g)).sum(axis=1) for g in (p, q)]
    assert result["better_than_baseline"] == close((lost[0] < lost[1]).mean())
    expected = metrics.precision_recall_fscore_support(t, decided, zero_division=0)
    for key, values in zip(
        ("precision", "recall", "f1", "rows"), expected, strict=True
    ):
        assert [line[key] for line in result["labels"]] == close(values.tolist())
    areas = metrics.roc_auc_score(t, p, average=None)
    assert [line["roc_auc"] for line in result["labels"]] == close(areas.tolist())


@pytest.mark.parity
@pytest.mark.parametrize("name", ["numbers", "number"])
def test_eval_of_numbers_is_scikit_learn_s_of_the_saved_rows(
    command: Command, runs: Path, tmp_path: Path, name: str
) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    dummy = pytest.importorskip("sklearn.dummy")
    found = evaluated(command, runs, name, tmp_path)
    t, p = wide(found.columns, "target"), wide(found.columns, "prediction")
    guess = dummy.DummyRegressor()
    guess.fit(np.zeros((len(found.trained), 1)), found.trained)
    q = guess.predict(np.zeros((len(t), 1))).reshape(t.shape)
    of = {
        "rmse": metrics.root_mean_squared_error,
        "mae": metrics.mean_absolute_error,
        "r2": metrics.r2_score,
        "explained_variance": metrics.explained_variance_score,
    }
    result, baseline = found.result, found.result["baseline"]["scores"]
    assert set(baseline) == set(of) - (
        set() if name == "numbers" else {"explained_variance"}
    )
    nearer = np.abs(p - t) < np.abs(q - t)
    assert result["better_than_baseline"] == close(nearer.mean())
    for key in baseline:
        assert result[key] == close(of[key](t, p))
        assert baseline[key] == close(of[key](t, q))
    assert ("columns" in result) == (name == "numbers")
    for k, line in enumerate(result.get("columns", ())):
        assert line["better_than_baseline"] == close(nearer[:, k].mean())
        for key in ("rmse", "mae", "r2"):
            assert line[key] == close(of[key](t[:, k], p[:, k]))
            assert line["baseline"][key] == close(of[key](t[:, k], q[:, k]))


def test_eval_of_constant_guesses_of_the_training_part_explains_nothing(
    command: Command, runs: Path
) -> None:
    result = command("eval", runs / "number-1", "--split", "train", "--json").json()
    assert result["baseline"]["scores"]["r2"] == pytest.approx(0, abs=1e-6)
    assert result["baseline"]["scores"]["rmse"] > result["rmse"]


@pytest.mark.parametrize("name", KINDS)
def test_eval_is_the_same_in_batches_of_any_size(
    command: Command,
    runs: Path,
    tmp_path: Path,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = evaluated(command, runs, name, tmp_path)
    monkeypatch.setattr(Network, "rows_within", lambda network, nbytes: 7)
    cut = evaluated(command, runs, name, tmp_path)
    for found in (whole, cut):
        del found.result["evaluated"]
    assert flat(cut.result) == pytest.approx(flat(whole.result), rel=1e-5, nan_ok=True)
    command("eval", runs / f"{name}-1", "--save", tmp_path / "saved.npz")
    with np.load(tmp_path / "saved.npz", allow_pickle=False) as archive:
        for key, array in archive.items():
            if array.dtype.kind != "U":
                assert np.array(cut.columns[key], float) == close(array)
            if key == "row" or key.startswith("target"):
                assert cut.columns[key] == whole.columns[key]


def flat(value: Any, at: str = "") -> dict[str, float]:
    """Return every number in a JSON value, by where it stands."""
    if isinstance(value, dict):
        return {
            k: v for key in value for k, v in flat(value[key], f"{at}.{key}").items()
        }
    if isinstance(value, list):
        inner = enumerate(value)
        return {k: v for i, each in inner for k, v in flat(each, f"{at}[{i}]").items()}
    return {at: value} if isinstance(value, int | float) else {}


@pytest.mark.parametrize("name", KINDS)
def test_saved_predictions_are_those_of_the_model_to_the_bit(
    command: Command, runs: Path, tmp_path: Path, name: str
) -> None:
    path = tmp_path / "new" / "saved.npz"
    outcome = command("eval", runs / f"{name}-1", "--save", path)
    assert outcome.out.endswith(f"{path}\n")
    with np.load(path, allow_pickle=False) as archive:
        arrays = dict(archive)
    columns = evaluated(command, runs, name, tmp_path).columns
    assert list(columns) == list(arrays)
    for key, array in arrays.items():
        if array.dtype.kind == "f":
            assert np.array(columns[key], array.dtype).tobytes() == array.tobytes()
        elif array.dtype.kind == "i":
            assert columns[key] == list(map(str, array))
    model = nn.Model.load(runs / f"{name}-1" / "checkpoints" / "best.safetensors")
    x, y = data(name)
    rows = np.unique(arrays["row"])
    given = (
        model.predict_proba if name in ("classes", "two", "steps") else model.predict
    )
    values = given(x[rows])
    prefix = "prediction" if name.startswith("number") else "probability"
    kept = [a for k, a in arrays.items() if k.startswith(prefix)]
    expected = values.reshape(-1, values.shape[-1])
    np.testing.assert_array_equal(np.stack(kept, axis=1), expected)
    if name == "steps":
        place = arrays["row"], arrays["step"]
        np.testing.assert_array_equal(arrays["target"], y[place])
    if name == "classes":
        assert set(columns["target"]) == {"'=1+1", "-2", "größe, with a comma"}
        assert set(arrays["target"].tolist()) == set(ODD)


def test_save_that_fails_leaves_the_old_file_and_nothing_else(
    command: Command, runs: Path, tmp_path: Path
) -> None:
    run = runs / "number-1"
    place = Path(__file__) / "saved.csv"
    outcome = command("eval", run, "--save", place)
    assert outcome.code == 1
    assert outcome.out == ""
    assert f"{place}: expected a place to write to, got: Not a dir" in outcome.err
    outcome = command("eval", run, "--save", tmp_path / "saved.xlsx")
    assert outcome.code == 2
    assert "--save: expected FILE.csv or FILE.npz" in outcome.err
    checkpoint = load_checkpoint(run / "checkpoints" / "best.safetensors")
    checkpoint.arrays["layers.0.weight"][:] = np.nan
    folder = tmp_path / "folder"
    folder.mkdir()
    save_checkpoint(tmp_path / "broken.safetensors", checkpoint)
    shutil.copy(runs.parent / "number.npz", tmp_path)
    (folder / "saved.csv").write_text("old")
    arguments = (tmp_path / "broken.safetensors", "--save", folder / "saved.csv")
    assert command("eval", *arguments).code == 4
    assert (folder / "saved.csv").read_text() == "old"
    assert list(folder.iterdir()) == [folder / "saved.csv"]


def test_eval_of_a_checkpoint_outside_a_run_leaves_nothing(
    command: Command, runs: Path, tmp_path: Path
) -> None:
    alone = tmp_path / "alone.safetensors"
    shutil.copy(runs / "two-1" / "checkpoints" / "best.safetensors", alone)
    shutil.copy(runs.parent / "two.npz", tmp_path)
    before = sorted(tmp_path.iterdir())
    assert command("eval", alone).code == 0
    assert sorted(tmp_path.iterdir()) == before


def test_eval_leaves_checkpoint_date_and_versions_in_the_run(
    command: Command, runs: Path
) -> None:
    run = runs / "two-1"
    command("eval", run)
    kept = json.loads((run / "eval-test.json").read_text(encoding="utf-8"))
    manifest = json.loads((run / "manifest.json").read_text(encoding="utf-8"))
    assert kept["checkpoint"] == str(run / "checkpoints" / "best.safetensors")
    assert kept["versions"] == {name: manifest[name] for name in kept["versions"]}
    assert {"nncli", "numpy", "python"} <= set(kept["versions"])
    assert kept["evaluated"] >= manifest["started"]


@pytest.mark.parametrize("width", [40, 80])
@pytest.mark.parametrize("name", ["classes", "labels", "numbers"])
def test_eval_shows_scores_in_the_width_of_the_terminal(
    command: Command,
    runs: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    width: int,
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    run = runs / f"{name}-1"
    text = command("eval", run).out
    result = json.loads((run / "eval-test.json").read_text(encoding="utf-8"))
    # The first lines are a path.
    lines = text[text.index("test: ") :].splitlines()
    assert max(map(cell_len, lines)) <= width
    rows = [line.split() for line in lines]
    for key, guessed in result["baseline"]["scores"].items():
        assert [key, *(shown(v) for v in (result[key], guessed))] in rows
    assert ["beats", "baseline", f"{result['better_than_baseline']:.1%}"] in rows
    for noun in ("label", "column"):
        for line in result.get(f"{noun}s", ()):
            assert any(row[:1] == [line[noun]] for row in rows)


def shown(value: float) -> str:
    return f"{value:.4f}" if abs(value) < 10 else f"{value:.2f}"
