"""Gradcheck of a config: a derivative that is wrong by a thousandth is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nncli.checking.experiment import check_experiment
from nncli.core.arrays import Array
from nncli.ops.attention import Attention
from nncli.ops.lstm import Lstm
from tests.training.jobs import experiment

TEXT = """\
name: sequences
dataset: {type: lines, path: PATH}
layers:
  - {type: embedding, units: 4, name: letters}
  - LAYER
  - {type: tied, to: letters}
loss: softmax_cross_entropy
optimizer: sgd
training: {epochs: 1}
"""
LAYERS: dict[str, tuple[str, Any, int]] = {
    "lstm": ("{type: lstm, units: 4}", Lstm, 2),
    "attention": ("{type: transformer_block, heads: 2, causal: true}", Attention, 0),
}


@pytest.mark.slow
@pytest.mark.parametrize(("layer", "op", "place"), LAYERS.values(), ids=LAYERS)
def test_wrong_derivative_inside_a_config_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, layer: str, op: Any, place: int
) -> None:
    file = tmp_path / "names.txt"
    file.write_text("Ann\nBo\nEve\n", encoding="utf-8")
    text = TEXT.replace("LAYER", layer).replace("PATH", str(file))
    right = op.backward

    def wrong(self: Any, grad: Array, *grads: Array | None) -> None:
        right(self, grad, *grads)
        given = grads[place]
        if given is not None:
            given[...] *= 1.001

    made = experiment("precision=float64", text=text)
    assert all(check.passed for check in check_experiment(made, rows=2))
    monkeypatch.setattr(op, "backward", wrong)
    failed = [
        check.name for check in check_experiment(made, rows=2) if not check.passed
    ]
    assert [name.split()[-1] for name in failed] == [op.type_name, "loss"]
