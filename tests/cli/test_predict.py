"""``nncli predict``: rows of files to predictions, without the training data."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nncli as nn
from nncli.core.arrays import Array
from nncli.core.errors import NncliError
from tests.command import Command

CONFIG = """
dataset: {type: csv, path: d.csv, target: sick, drop: [who]}
transforms: [standardize]
layers: [{type: dense, units: 8}, tanh, {type: dense, units: 2}]
loss: softmax_cross_entropy
optimizer: adam
training: {epochs: 3}
"""
X = np.random.default_rng(0).normal(size=(30, 2)).round(4)


@pytest.fixture
def run(command: Command, tmp_path: Path) -> Path:
    """Return a run whose training data are gone."""
    data = tmp_path / "d.csv"
    lines = [f"{a},{b},x,{int(a > b)}" for a, b in X]
    data.write_text("a,b,who,sick\n" + "\n".join(lines), encoding="utf-8")
    config = tmp_path / "c.yaml"
    config.write_text(CONFIG, encoding="utf-8")
    command.train(config)
    data.unlink()
    return command.runs / "c-1"


def expected(run: Path) -> tuple[list[str], Array]:
    model = nn.Model.load(run / "checkpoints" / "best.safetensors")
    return list(map(str, model.predict(X))), model.predict_proba(X)


def write(path: Path, header: str, rows: Array) -> Path:
    lines = [",".join(map(str, row)) for row in rows]
    path.write_text("\n".join([header, *lines] if header else lines), encoding="utf-8")
    return path


def test_predict_goes_by_the_names_of_columns(
    command: Command, run: Path, tmp_path: Path
) -> None:
    classes, values = expected(run)
    plain = write(tmp_path / "plain.csv", "", X)
    turned = write(tmp_path / "n.csv", "b,z,a", np.c_[X[:, 1], X[:, 0], X[:, 0]])
    for file, names in ((plain, ["a", "b"]), (turned, ["b", "z", "a"])):
        outcome = command("predict", run, file, "--proba")
        assert outcome.code == 0, outcome.err
        found = list(csv.DictReader(io.StringIO(outcome.out)))
        assert [row["prediction"] for row in found] == classes
        given = [[row[f"probability_{k}"] for k in (0, 1)] for row in found]
        np.testing.assert_array_equal(np.array(given, np.float32), values)
        assert list(found[0])[: len(names)] == names
        assert [float(row["a"]) for row in found] == X[:, 0].tolist()


def test_predict_writes_the_columns_that_are_asked_for(
    command: Command, run: Path, tmp_path: Path
) -> None:
    file = write(tmp_path / "n.csv", "b,z,a", np.c_[X[:, 1], X[:, 0], X[:, 0]])
    for given, names in (("z", "z,prediction"), ("", "prediction")):
        outcome = command("predict", run, file, "--columns", given)
        assert outcome.out.splitlines()[0] == names
    outcome = command("predict", run, file, "--columns", "q")
    assert outcome.code == 2
    assert "expected a column 'q'" in outcome.err
    twice = write(tmp_path / "t.csv", "a,b,prediction", np.c_[X, X[:, 0]])
    outcome = command("predict", run, twice)
    assert "expected no column 'prediction'" in outcome.err


def test_predict_reads_and_writes_every_format(
    command: Command, run: Path, tmp_path: Path
) -> None:
    polars = pytest.importorskip("polars")
    classes, _ = expected(run)
    frame = polars.DataFrame({"b": X[:, 1], "a": X[:, 0], "note": ["=1+1"] * len(X)})
    frame.write_csv(tmp_path / "i.tsv", separator="\t")
    frame.write_parquet(tmp_path / "i.parquet")
    frame.write_ipc(tmp_path / "i.arrow")
    frame.write_ndjson(tmp_path / "i.jsonl")
    readers = {
        "csv": polars.read_csv,
        "tsv": lambda file: polars.read_csv(file, separator="\t"),
        "parquet": polars.read_parquet,
        "jsonl": polars.read_ndjson,
    }
    for kind in ("tsv", "parquet", "arrow", "jsonl"):
        for suffix, read in readers.items():
            out = tmp_path / f"o.{suffix}"
            outcome = command("predict", run, tmp_path / f"i.{kind}", "-o", out)
            assert outcome.code == 0, outcome.err
            found = read(out)
            assert list(map(str, found["prediction"])) == classes
            assert found["a"].to_list() == X[:, 0].tolist()
            # A spreadsheet would run it.
            note = "'=1+1" if suffix in ("csv", "tsv") else "=1+1"
            assert found["note"][0] == note
    assert f"{len(X)} rows predicted" in outcome.out


def test_predictions_are_those_of_eval_to_the_bit_whatever_the_chunks(
    command: Command, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nncli.cli import inputs

    file = write(tmp_path / "n.csv", "a,b", X)
    whole = command("predict", run, file, "--proba").out
    monkeypatch.setattr("nncli.network.network.AT_ONCE", 1)
    monkeypatch.setattr("nncli.experiment.predict.AT_ONCE", 2**23)
    monkeypatch.setattr(inputs, "CHUNK", 7)
    assert command("predict", run, file, "--proba").out == whole


def test_predict_reads_and_writes_arrays(
    command: Command, run: Path, tmp_path: Path
) -> None:
    classes, values = expected(run)
    np.savez(tmp_path / "x.npz", x=X)
    np.save(tmp_path / "x.npy", X)
    for name in ("x.npz", "x.npy"):
        out = tmp_path / "out.npz"
        outcome = command("predict", run, tmp_path / name, "-o", out, "--proba")
        assert outcome.code == 0, outcome.err
        with np.load(out) as found:
            assert list(map(str, found["prediction"])) == classes
            np.testing.assert_array_equal(found["probability_1"], values[:, 1])
    result = command("predict", run, tmp_path / "x.npy", "--json").json()
    assert list(map(str, result["prediction"])) == classes
    assert (
        command("predict", run, tmp_path / "x.npy", "-o", tmp_path / "o.csv").code == 0
    )
    assert (tmp_path / "o.csv").read_text(encoding="utf-8").startswith("prediction\n")


def test_predict_reads_standard_input(
    command: Command, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for text in ("a,b\n1,2\n", '{"a": 1, "b": 2}\n'):
        stream = io.TextIOWrapper(io.BytesIO(text.encode()))
        monkeypatch.setattr("sys.stdin", stream)
        outcome = command("predict", run, "-")
        assert outcome.code == 0, outcome.err
        assert len(outcome.out.splitlines()) == 2


def test_predict_refuses_what_does_not_fit(
    command: Command, run: Path, tmp_path: Path
) -> None:
    for header, rows, text in (
        ("a,c", X, "expected a column 'b', as the model was trained on"),
        ("", np.c_[X, X], "expected 2 columns of inputs, got 4"),
        ("a,b", np.array([["1", "x"]]), "column 'b': expected a number, got 'x'"),
        ("a,b", np.array([["1", "inf"]]), "which is not finite"),
    ):
        outcome = command("predict", run, write(tmp_path / "n.csv", header, rows))
        assert outcome.code == 2
        assert text in outcome.err
    outcome = command("predict", run, tmp_path / "n.csv", "-o", "x.txt")
    assert outcome.code == 2
    np.save(tmp_path / "x.npy", np.zeros((2, 3)))
    outcome = command("predict", run, tmp_path / "x.npy")
    assert "expected 2 columns, got 3" in outcome.err


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_model_goes_by_the_names_of_a_frame_s_columns(
    tmp_path: Path, library: str
) -> None:
    frame: Any = pytest.importorskip(library).DataFrame
    a, b = X.T.tolist()
    y = (X[:, 0] > 0).astype(int)
    model = nn.Model([nn.Dense(2)], seed=1).compile("sgd")
    model.fit(frame({"a": a, "b": b}), y, epochs=2)
    known = model.predict_proba(X)
    model.save(tmp_path / "m.safetensors")
    for one in (model, nn.Model.load(tmp_path / "m.safetensors")):
        turned = frame({"b": b, "c": a, "a": a})
        np.testing.assert_array_equal(one.predict_proba(turned), known)
        with pytest.raises(NncliError, match="expected a column 'b'"):
            one.predict_proba(frame({"a": a, "c": b}))
    array = nn.Model([nn.Dense(2)], seed=1).compile("sgd")
    array.fit(X, y, epochs=2)
    np.testing.assert_array_equal(array.predict_proba(X), known)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_frames_with_texts_dates_and_missing_cells_are_trained_on(library: str) -> None:
    frame: Any = pytest.importorskip(library).DataFrame
    held: dict[str, list[Any]] = {
        "n": [1.0, None, 3.0, 4.0] * 5,
        "c": ["x", "y", "x", None] * 5,
    }
    y = np.array(["no", "yes", "no", "yes"] * 5)
    model = nn.Model([nn.Dense(2)], seed=1).compile(nn.Adam(lr=0.1))
    model.fit(frame(held), y, epochs=80)
    assert model.predict(frame(held)).tolist() == y.tolist()
    turned = dict(reversed(held.items()))
    assert model.evaluate(frame(turned), y) == model.evaluate(frame(held), y)
    again = nn.Model([nn.Dense(2)], seed=1).compile(nn.Adam(lr=0.1))
    again.fit(frame(held), y, epochs=80)
    np.testing.assert_array_equal(again.flat.values, model.flat.values)


def test_labels_are_predicted_as_eval_saves_them(
    command: Command, tmp_path: Path
) -> None:
    rows = np.c_[X, X > 0.2].astype(object)
    rows[:, 2:] = rows[:, 2:].astype(int)
    data = write(tmp_path / "d.csv", "a,b,news,sport", rows)
    config = tmp_path / "c.yaml"
    config.write_text(
        CONFIG.replace("target: sick, drop: [who]", "target: [news, sport]").replace(
            "softmax_cross_entropy", "sigmoid_binary_cross_entropy"
        )
    )
    command.train(config)
    run, saved = command.runs / "c-1", tmp_path / "saved.csv"
    assert command("eval", run, "--split", "train", "--save", saved).code == 0
    wanted = saved.read_text().splitlines()
    predicted = ["prediction_news", "prediction_sport"]
    more = ["probability_news", "probability_sport"]
    for options, names in (((), predicted), (("--proba",), [*predicted, *more])):
        outcome = command("predict", run, data, "--columns", "", *options)
        found = list(csv.DictReader(io.StringIO(outcome.out)))
        assert list(found[0]) == names
        saved_rows = csv.DictReader(wanted)
        assert found == [{name: row[name] for name in names} for row in saved_rows]
