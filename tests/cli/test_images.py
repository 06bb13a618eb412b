"""predict and eval of networks that take images."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nncli as nn
from nncli.cli.app import run as call
from tests.command import Command
from tests.pictures import picture, write_pictures

pytest.importorskip("PIL")

CONFIG = """
name: pictures
dataset: {type: image_folder, path: data}
layers: [{type: conv2d, filters: 2, kernel: 3}, flatten, {type: dense, units: 2}]
transforms: [pixels]
loss: softmax_cross_entropy
optimizer: sgd
training: {epochs: 1}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with six images and a run that was trained on them."""
    folder = tmp_path_factory.mktemp("images")
    write_pictures(folder / "data")
    (folder / "c.yaml").write_text(CONFIG, encoding="utf-8")
    assert call(["train", str(folder / "c.yaml"), "--runs-dir", str(folder)]) == 0
    return folder


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def expected(folder: Path, files: list[Path]) -> Any:
    from PIL import Image

    pixels = [np.asarray(Image.open(file).convert("RGB")) for file in files]
    model = nn.Model.load(folder / "pictures-1" / "checkpoints" / "best.safetensors")
    return model.predict_proba(np.moveaxis(np.stack(pixels), -1, 1))


def test_predict_takes_folders_and_files_of_images(
    command: Command, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [folder / "data" / "b" / "1.png", *sorted((folder / "data").rglob("*.png"))]
    given = ["predict", folder / "pictures-1", files[0], folder / "data", "--proba"]
    outcome = command(*given)
    assert outcome.code == 0, outcome.err
    found = rows(outcome.out)
    assert list(found[0]) == ["file", "prediction", "probability_a", "probability_b"]
    assert [row["file"] for row in found] == list(map(str, files))
    values = np.array([[row["probability_a"], row["probability_b"]] for row in found])
    known = expected(folder, files)
    np.testing.assert_allclose(values.astype(float), known, rtol=1e-5)
    assert [row["prediction"] for row in found] == ["ab"[k] for k in known.argmax(1)]
    # Chunks of two rows, in batches of one size: the same to the bit.
    monkeypatch.setattr("nncli.network.network.AT_ONCE", 1)
    monkeypatch.setattr("nncli.experiment.predict.AT_ONCE", 2**23)
    monkeypatch.setattr("nncli.cli.inputs.IMAGES", 2)
    np.testing.assert_allclose(
        [float(row["probability_a"]) for row in rows(command(*given).out)],
        values[:, 0].astype(float),
        rtol=1e-6,
    )


def test_predictions_of_images_are_written_to_every_kind_of_file(
    command: Command, folder: Path, tmp_path: Path
) -> None:
    run, data = folder / "pictures-1", folder / "data"
    names = sorted(map(str, data.rglob("*.png")))
    for suffix in ("csv", "npz"):
        out = tmp_path / f"o.{suffix}"
        assert command("predict", run, data, "-o", out).code == 0
    assert [row["file"] for row in rows((tmp_path / "o.csv").read_text())] == names
    with np.load(tmp_path / "o.npz") as found:
        assert found["file"].tolist() == names
    assert command("predict", run, data, "--json").json()["file"] == names
    assert command("predict", run, data, "--columns", "").out.startswith("prediction\n")
    np.save(tmp_path / "x.npy", np.zeros((2, 3, 6, 8), np.uint8))
    assert len(rows(command("predict", run, tmp_path / "x.npy").out)) == 2


def test_predict_refuses_images_that_it_cannot_take(
    command: Command, folder: Path, tmp_path: Path
) -> None:
    run, data = folder / "pictures-1", folder / "data"
    (tmp_path / "empty").mkdir()
    broken = tmp_path / "broken.png"
    broken.write_bytes((data / "a" / "0.png").read_bytes()[:70])
    for given, text in (
        ([data, "x.csv"], "got x.csv among 2 files"),
        ([tmp_path / "empty"], "found none"),
        ([tmp_path / "no.png"], "no.png: expected a PNG"),
        ([broken], "broken.png: expected a PNG"),
        ([data, "--columns", "size"], "expected 'file' as --columns of images"),
    ):
        outcome = command("predict", run, *given, "-o", tmp_path / "out.csv")
        assert outcome.code == 2
        assert text in outcome.err
        assert not (tmp_path / "out.csv").exists()


def test_predict_resizes_images_and_their_colours(
    command: Command, folder: Path, tmp_path: Path
) -> None:
    picture(20, 30, mode="L").save(tmp_path / "large.JPG")
    outcome = command("predict", folder / "pictures-1", tmp_path / "large.JPG")
    assert outcome.code == 0, outcome.err
    assert len(rows(outcome.out)) == 1


def test_eval_names_the_worst_mistakes_among_images(
    command: Command, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = folder / "pictures-1"
    mistakes = command("eval", run, "--json").json()["mistakes"]
    assert 1 <= len(mistakes) <= 5
    (worst,) = command("eval", run, "--mistakes", "1", "--json").json()["mistakes"]
    assert worst == mistakes[0]
    assert Path(worst["name"]).parent.name == worst["class"] != worst["taken_for"]
    assert "mistakes" not in command("eval", run, "--mistakes", "0", "--json").json()
    for width in (40, 60, 200):
        monkeypatch.setenv("COLUMNS", str(width))
        lines = command("eval", run).out.splitlines()
        at = next(i for i, line in enumerate(lines) if line.startswith("worst"))
        # Narrow heads have several lines.
        rule = next(i for i, line in enumerate(lines) if i > at and "──" in line)
        cells = lines[rule + 1].split()
        assert worst["name"].endswith(cells[0].removeprefix("…"))
        assert cells[1:3] == [worst["class"], worst["taken_for"]]
        assert max(map(len, lines[1:])) <= width
    assert cells[3:] == [
        f"{worst[key]:.4f}" for key in ("probability", "probability_of_class")
    ]


def test_eval_names_mistakes_of_tables_when_asked(
    command: Command, tmp_path: Path
) -> None:
    text = """
dataset: spiral
layers: [{type: dense, units: 3}]
loss: softmax_cross_entropy
optimizer: sgd
training: {epochs: 1}
"""
    config = tmp_path / "c.yaml"
    config.write_text(text, encoding="utf-8")
    command.train(config)
    run = command.runs / "c-1"
    assert "mistakes" not in command("eval", run, "--json").json()
    found = command("eval", run, "--mistakes", "3", "--json").json()["mistakes"]
    assert len(found) == 3
    assert f"\n{found[0]['row']:>19}   " in command("eval", run, "--mistakes", "3").out
    config.write_text(
        text.replace("spiral", "linear")
        .replace("units: 3", "units: 1")
        .replace("softmax_cross_entropy", "mse"),
        encoding="utf-8",
    )
    command.train(config)
    outcome = command("eval", command.runs / "c-2", "--mistakes", "3")
    assert outcome.code == 2
    assert "only belongs to data with a class a row" in outcome.err
