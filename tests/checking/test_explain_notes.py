"""Explain: what stands where a derivative and its numeric one cannot be compared."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nncli.checking.explain import explain
from nncli.checking.explanation import Explanation
from nncli.config.load import load_values
from nncli.core.arrays import Array
from nncli.experiment.build import build
from nncli.report.explanation_page import explanation_page
from nncli.report.explanation_text import explanation_text
from nncli.training.state import Progress

pytestmark = pytest.mark.usefixtures("own_registries")

HALF = """\
from nncli.autograd.tensor import apply
from nncli.layers.base import Layer
from nncli.ops.elementwise import Unary


class HalfSquareFunction(Unary, name="my_half"):
    def forward(self, x, out):
        self.x = x
        out[...] = x * x

    def backward(self, grad, dx):
        dx[...] = grad * self.x


class HalfSquare(Layer, name="my_half"):
    op = HalfSquareFunction
"""


def explained(folder: Path, x: Array, *layers: Any, **changes: Any) -> Explanation:
    np.savez(folder / "rows.npz", x=x, y=np.arange(len(x)) % 2)
    config = {
        "dataset": {"type": "npz", "path": "rows.npz"},
        "layers": [*layers, {"type": "dense", "units": 2}],
        "loss": "softmax_cross_entropy",
        "optimizer": "sgd",
        "training": {"epochs": 1},
    }
    loaded = load_values(
        config | changes, source="test", folder=folder, allow_plugins=True
    )
    return explain(build(loaded), Progress())


@pytest.mark.parametrize("layer", ["layer_norm", "batch_norm", "rms_norm"])
@pytest.mark.parametrize(("x", "eps"), [(0.0, 1e-12), (0.0, 1e-9), (1.0, 1e-12)])
def test_sharp_bends_of_a_norm_are_no_kinks(
    tmp_path: Path, layer: str, x: float, eps: float
) -> None:
    """Equal numbers make a root of eps, so that y bends within 1e-6 of them."""
    found = explained(tmp_path, np.full((4, 3), x), {"type": layer, "eps": eps})
    norm = found.layers[0]
    assert found.wrong == []
    assert norm.x.gradient is not None
    if x == 0 or layer == "layer_norm":
        assert abs(norm.x.gradient).max() > 1e3
    assert {element.note for element in norm.x.elements} == {""}
    assert found.worst < 1e-6


def test_bends_that_no_step_can_follow_are_called_so(tmp_path: Path) -> None:
    found = explained(tmp_path, np.zeros((4, 3)), {"type": "rms_norm", "eps": 1e-24})
    notes = [element.note for element in found.layers[0].x.elements]
    assert notes == ["too sharp"] * 3
    text = " ".join(explanation_text(found, 200).split())
    assert "3 elements where the value bends too sharply for differences" in text
    assert (
        text.count(" too sharp ") == explanation_page(found).count(">too sharp<") == 3
    )


def test_derivatives_too_small_to_compare_are_not_shown_beside_each_other(
    tmp_path: Path,
) -> None:
    (tmp_path / "half.py").write_text(textwrap.dedent(HALF), encoding="utf-8")
    x = np.full((4, 3), 1e-9)
    x[0] = [1e-9, 2e-9, 1e-2]
    found = explained(tmp_path, x, "my_half", plugins=["half.py"])
    small, smaller, large = found.layers[0].x.elements
    assert (small.note, smaller.note, large.note) == ("too small", "too small", "")
    assert (small.wrong, large.wrong) == (False, True)
    assert found.wrong == ["layers[0] my_half"]
    facts = found.facts()["layers"][0]["x"]["elements"][0]
    assert facts["note"] == "too small"
    assert facts["numeric"] == pytest.approx(2 * facts["derivative"], rel=0.5)
    text = explanation_text(found, 100)
    assert text.count(" too small\n") >= 2
    assert f"{small.numeric:.6g}" not in text
