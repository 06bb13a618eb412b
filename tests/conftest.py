"""Fixtures that several rooms share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

CONFIGS = Path(__file__).parents[1] / "configs"

SMALL = """\
name: small
seed: 3
dataset: {type: xor, samples: 20, noise: 0.3}
split: {validation: 0.25}
layers:
  - {type: dense, units: 6}
  - tanh
  - {type: dense, units: 2}
loss: softmax_cross_entropy
optimizer: {type: adam, lr: 0.02}
metrics: [accuracy]
training: {epochs: 5, batch_size: 16}
"""


@pytest.fixture
def write_config(tmp_path: Path) -> Callable[[str], Path]:
    """Return a function that writes YAML text to a file and returns its path."""

    def write(text: str = SMALL, name: str = "config.yaml") -> Path:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write
