"""Tables from a file to predictions: columns by name, targets in their own units."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import nncli as nn
from tests.command import Command

pytest.importorskip("polars", reason="tables are read by polars")

RNG = np.random.default_rng(0)
CONFIG = """
dataset: {type: csv, path: d.csv, target: %s}
split: {test: 0.25}
layers: [{type: dense, units: 8}, tanh, {type: dense, units: %d}]
loss: %s
optimizer: {type: adam, lr: 0.02}
metrics: [%s]
training: {epochs: 60}
"""


def write(folder: Path, rows: int = 80) -> None:
    size = RNG.normal(50, 10, rows).round(2)
    colour = RNG.choice(["red", "blue", ""], rows)
    price = 1e6 + 3000 * size + 20000 * (colour == "red")
    lines = [
        f"{s},{c},{p:.1f},{'yes' if p > 1.16e6 else 'no'}"
        for s, c, p in zip(size, colour, price, strict=True)
    ]
    text = "\n".join(["size,colour,price,dear", *lines])
    (folder / "d.csv").write_text(text, encoding="utf-8")


def trained(command: Command, folder: Path, *parts: object) -> Path:
    write(folder)
    (folder / "c.yaml").write_text(CONFIG % parts, encoding="utf-8")
    command.train(folder / "c.yaml")
    return command.runs / "c-1"


def test_targets_are_scaled_inside_and_scored_in_their_units(
    command: Command, tmp_path: Path
) -> None:
    run = trained(command, tmp_path, "price", 1, "mse", "rmse")
    scores = command("eval", run, "--json").json()
    # Without scaling, prices of a million are out of reach of 60 epochs.
    assert 0 < scores["rmse"] < 15_000
    assert scores["loss"] < 0.5
    out = tmp_path / "p.csv"
    saved = command("eval", run, "--save", out)
    assert saved.code == 0
    found = np.genfromtxt(out, delimiter=",", names=True)
    rmse = np.sqrt(((found["target"] - found["prediction"]) ** 2).mean())
    np.testing.assert_allclose(rmse, scores["rmse"], rtol=1e-4)
    assert abs(found["prediction"] - 1.15e6).max() < 2e5


def test_predict_gives_the_numbers_of_eval_to_the_bit(
    command: Command, tmp_path: Path
) -> None:
    run = trained(command, tmp_path, "price", 1, "mse", "rmse")
    command("eval", run, "--save", tmp_path / "e.csv")
    lines = (tmp_path / "d.csv").read_text().splitlines()
    saved = np.genfromtxt(tmp_path / "e.csv", delimiter=",", names=True, dtype=None)
    chosen = [lines[0], *(lines[1 + int(row)] for row in saved["row"])]
    (tmp_path / "n.csv").write_text("\n".join(chosen), encoding="utf-8")
    out = command("predict", run, tmp_path / "n.csv", "--columns", "").out
    evaluated = (tmp_path / "e.csv").read_text().splitlines()[1:]
    assert out.splitlines()[1:] == [line.split(",")[-1] for line in evaluated]
    # Turned columns, one more, and the target left out.
    cells = [line.split(",") for line in chosen]
    turned = [",".join(["more", row[3], row[1], row[0]]) for row in cells]
    (tmp_path / "t.csv").write_text("\n".join(turned), encoding="utf-8")
    outcome = command("predict", run, tmp_path / "t.csv", "--columns", "")
    assert outcome.out == out, outcome.err


def test_a_resumed_run_and_a_loaded_model_know_the_columns(
    command: Command, tmp_path: Path
) -> None:
    polars = pytest.importorskip("polars")
    run = trained(command, tmp_path, "dear", 2, "softmax_cross_entropy", "accuracy")
    model = nn.Model.load(run)
    frame = polars.read_csv(tmp_path / "d.csv")
    dear = frame["dear"].to_numpy()
    assert (model.predict(frame) == dear).mean() > 0.8
    outcome = command("train", "--resume", run, "training.epochs=90")
    assert outcome.code == 0, outcome.err
    whole = command.runs.parent / "whole"
    command("train", tmp_path / "c.yaml", "training.epochs=90", "--runs-dir", whole)
    ours, theirs = (
        nn.Model.load(path / "checkpoints" / "last.safetensors").flat.values
        for path in (run, whole / "c-1")
    )
    np.testing.assert_array_equal(ours, theirs)


def test_categories_of_many_values_are_embedded_in_front_of_the_network(
    command: Command, tmp_path: Path
) -> None:
    config = CONFIG % ("price", 1, "mse", "rmse")
    columns = "columns: {colour: {one_hot: 1}}}"
    config = config.replace("target: price}", f"target: price, {columns}")
    write(tmp_path)
    (tmp_path / "c.yaml").write_text(config, encoding="utf-8")
    facts = command("summary", tmp_path / "c.yaml", "--json").json()
    assert facts["layers"][0]["layer"] == "layers[0] embed_columns"
    wrong = config.replace("units: 1}", "units: 3}")
    (tmp_path / "w.yaml").write_text(wrong, encoding="utf-8")
    outcome = command("train", tmp_path / "w.yaml")
    # The place is that of the file, which names no embedding.
    assert "layers[2].units" in outcome.err
    command.train(tmp_path / "c.yaml")
    run = command.runs / "c-1"
    assert command("eval", run, "--json").json()["rmse"] < 20_000
    resolved = (run / "resolved.yaml").read_text()
    assert "type: embed_columns" in resolved
    assert command("train", run / "resolved.yaml", "name=again").code == 0
    assert command("gradcheck", tmp_path / "c.yaml").code == 0


def test_a_missing_column_is_refused_by_name(command: Command, tmp_path: Path) -> None:
    run = trained(command, tmp_path, "price", 1, "mse", "rmse")
    (tmp_path / "n.csv").write_text("sise,colour\n1,red\n", encoding="utf-8")
    outcome = command("predict", run, tmp_path / "n.csv")
    assert outcome.code == 2
    assert "expected a column 'size'" in outcome.err
    assert "'sise'" in outcome.err
