"""Every benchmark runs, at its smallest; what it measures is for people to read."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "benchmarks"

SMALLEST = {
    "convolution_growth": ["--rounds", "1", "--rows", "2", "--largest", "8"],
    "cost_model": ["--nets", "mlp", "--rounds", "1"],
    "generation": ["--nets", "lstm", "--rounds", "1", "--tokens", "5"],
    "large_table": ["--rows", "2000"],
    "mlp": ["--rows", "500", "--epochs", "1"],
    "optimizers": ["--sizes", "100", "--rounds", "2"],
    "overhead": ["--configs", "digits", "--rounds", "1", "--epochs", "1"],
    "sequence": ["--nets", "gru", "--steps", "1"],
    "shards": ["--nets", "mlp", "--rounds", "2"],
    "spiral": ["--steps", "20", "--rounds", "1"],
    "startup": ["--rounds", "1"],
    "vision_memory": ["--nets", "mlp"],
    "vision": ["--steps", "1", "--nets", "lenet"],
    "tables": ["--tables", "iris", "--folds", "2"],
}

pytestmark = [pytest.mark.parity, pytest.mark.slow]


def test_every_benchmark_is_tried() -> None:
    assert {path.stem for path in FOLDER.glob("[!_]*.py")} == set(SMALLEST)


@pytest.mark.parametrize("name", SMALLEST)
def test_benchmark_runs(name: str) -> None:
    if name not in ("startup", "overhead"):
        pytest.importorskip("torch", reason="PyTorch is what it is measured beside")
    command = [sys.executable, "-m", f"benchmarks.{name}", *SMALLEST[name]]
    done = subprocess.run(
        command, cwd=FOLDER.parent, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "nncli" in done.stdout
