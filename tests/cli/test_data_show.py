"""data show: the batch of the first step, before and after augmentation."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import numpy as np
import pytest

from nncli.core.arrays import Array
from nncli.report.image_grid import CELL, LINE, MARGIN, image_grid
from tests.command import Command
from tests.conftest import CONFIGS

pillow = pytest.importorskip("PIL.Image")

DIGITS = CONFIGS / "digits.yaml"


def opened(source: Path | bytes) -> Array:
    file = io.BytesIO(source) if isinstance(source, bytes) else source
    return np.asarray(pillow.open(file))


def cell(picture: Array, row: int, place: int, height: int, width: int) -> Array:
    """Return an image of a grid, as it was before it was enlarged."""
    factor = CELL // max(height, width)
    top = MARGIN + row * (height * factor + MARGIN + 2 * LINE) + LINE
    begin = MARGIN + place * (width * factor + MARGIN)
    return picture[
        top : top + height * factor : factor, begin : begin + width * factor : factor
    ]


def test_grid_holds_the_images() -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (3, 3, 6, 8)).astype(np.float32)
    images[0, 0, 0, :2] = 0, 255
    labels = ["a", "b", "ä" * 50]
    dark = images[:2] - 300
    picture = opened(image_grid([("one", images, labels), ("two", dark, labels[:2])]))
    for place in range(3):
        wanted = np.moveaxis(images[place], 0, -1)
        np.testing.assert_array_equal(cell(picture, 0, place, 6, 8), wanted)
    # All rows are drawn on the scale of the first one.
    assert (cell(picture, 1, 0, 6, 8) == 0).all()
    below = picture[MARGIN + LINE + 6 * (CELL // 8) :][:LINE]
    assert (below < 128).any()


def test_show_draws_what_the_first_step_gets(command: Command, tmp_path: Path) -> None:
    flip = "augmentations=[{type: flip, probability: 1.0}]"
    for name, changes in (("plain", []), ("flipped", [flip])):
        output = tmp_path / f"{name}.png"
        outcome = command("data", "show", DIGITS, *changes, "-o", output, "--count", 3)
        assert outcome.code == 0, outcome.err
        assert f"{output}: 3 images" in outcome.out
    plain, both = opened(tmp_path / "plain.png"), opened(tmp_path / "flipped.png")
    assert both.shape[0] > plain.shape[0]
    for place in range(3):
        before = cell(both, 0, place, 8, 8)
        assert before.std() > 20
        np.testing.assert_array_equal(cell(plain, 0, place, 8, 8), before)
        np.testing.assert_array_equal(cell(both, 1, place, 8, 8), before[:, ::-1])


def test_show_names_mixed_classes(command: Command, tmp_path: Path) -> None:
    output = tmp_path / "new" / "x.png"
    changes = ("loss=softmax_kl_divergence", "augmentations=[{type: mixup, alpha: 1}]")
    result = command("data", "show", DIGITS, *changes, "-o", output, "--json").json()
    assert result == {"output": str(output), "images": 10, "augmentations": ["mixup"]}


def test_show_refuses_what_cannot_be_drawn(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = command("data", "show", CONFIGS / "spiral.yaml", "-o", tmp_path / "x.png")
    assert outcome.code == 2
    assert "expected images, inputs of shape (N, 1 or 3, H, W)" in outcome.err
    assert command("data", "show", DIGITS, "-o", tmp_path / "x.jpg").code == 2
    monkeypatch.setitem(sys.modules, "PIL", None)
    outcome = command("data", "show", DIGITS, "-o", tmp_path / "x.png")
    assert outcome.code == 2
    assert 'pip install "nncli[images]"' in outcome.err
    assert list(tmp_path.glob("x.*")) == []
