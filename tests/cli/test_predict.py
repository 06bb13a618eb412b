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
    for file, note in ((plain, ""), (turned, "no inputs: z")):
        outcome = command("predict", run, file)
        assert outcome.code == 0, outcome.err
        found = list(csv.DictReader(io.StringIO(outcome.out)))
        assert [row["prediction"] for row in found] == classes
        given = [[float(row[f"probability_{k}"]) for k in (0, 1)] for row in found]
        np.testing.assert_allclose(given, values, rtol=1e-5)
        assert note in outcome.err


def test_predict_reads_and_writes_arrays(
    command: Command, run: Path, tmp_path: Path
) -> None:
    classes, values = expected(run)
    np.savez(tmp_path / "x.npz", x=X)
    np.save(tmp_path / "x.npy", X)
    for name in ("x.npz", "x.npy"):
        out = tmp_path / "out.npz"
        outcome = command("predict", run, tmp_path / name, "-o", out)
        assert outcome.code == 0, outcome.err
        with np.load(out) as found:
            assert list(map(str, found["prediction"])) == classes
            np.testing.assert_array_equal(found["probability_1"], values[:, 1])
    result = command("predict", run, tmp_path / "x.npy", "--json").json()
    assert list(map(str, result["prediction"])) == classes
    assert (
        command("predict", run, tmp_path / "x.npy", "-o", tmp_path / "o.csv").code == 0
    )
    assert (tmp_path / "o.csv").read_text(encoding="utf-8").startswith("prediction,")


def test_predict_reads_standard_input(
    command: Command, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("a,b\n1,2\n"))
    outcome = command("predict", run, "-")
    assert outcome.code == 0
    assert len(outcome.out.splitlines()) == 2


def test_predict_refuses_what_does_not_fit(
    command: Command, run: Path, tmp_path: Path
) -> None:
    for header, rows, text in (
        ("a,c", X, "expected a column 'b', as the model was trained on"),
        ("", np.c_[X, X], "expected 2 columns of inputs, got 4"),
        ("a,b", np.array([["1", "x"]]), "column 'b': expected a number, got 'x'"),
        ("a,b", np.array([["1", "nan"]]), "expected finite inputs"),
    ):
        outcome = command("predict", run, write(tmp_path / "n.csv", header, rows))
        assert outcome.code == 1
        assert text in outcome.err
    outcome = command("predict", run, tmp_path / "n.csv", "-o", "x.txt")
    assert outcome.code == 2
    np.save(tmp_path / "x.npy", np.zeros((2, 3)))
    outcome = command("predict", run, tmp_path / "x.npy")
    assert "expected inputs of shape (N, 2), got (2, 3)" in outcome.err


class Frame:
    """What is asked of a data frame."""

    def __init__(self, **columns: list[float]) -> None:
        self.held = columns
        self.columns = list(columns)

    def __array__(self, dtype: object = None, copy: object = None) -> object:
        return np.array([*self.held.values()]).T

    def __getitem__(self, names: list[str]) -> Frame:
        return Frame(**{name: self.held[name] for name in names})


def test_model_goes_by_the_names_of_a_frame_s_columns(tmp_path: Path) -> None:
    a, b = X.T.tolist()
    model = nn.Model([nn.Dense(2)], seed=1).compile("sgd")
    frame: Any = Frame(a=a, b=b)
    model.fit(frame, (X[:, 0] > 0).astype(int), epochs=2)
    known = model.predict_proba(X)
    model.save(tmp_path / "m.safetensors")
    for one in (model, nn.Model.load(tmp_path / "m.safetensors")):
        turned: Any = Frame(b=b, c=a, a=a)
        np.testing.assert_array_equal(one.predict_proba(turned), known)
        strange: Any = Frame(a=a, c=b)
        with pytest.raises(NncliError, match="expected a column 'b'"):
            one.predict_proba(strange)
