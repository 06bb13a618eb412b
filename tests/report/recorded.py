"""Recorded steps of a run, written by hand."""

from __future__ import annotations

import json
from typing import Any

from nncli.runs.directory import RunDirectory

LAYERS = ("layers[0] dense", "layers[1] tanh", "layers[2] dense")


def recorded(step: int, label: str = "") -> dict[str, Any]:
    """Return a row as the recorder writes it."""
    values = {
        "mean": 0.1,
        "std": 2.0,
        "zeros": 0.05,
        "histogram": {"low": -3.0, "high": 3.0, "counts": [*range(16), *[step] * 16]},
    }
    return {
        "step": step,
        "epoch": step / 10,
        "seconds": step / 100,
        "loss": 1 / step,
        "lr": 0.1,
        "gradient_norm": 2 / step,
        "update_ratio": 0.001,
        "layers": {
            f"layers.{place}": {
                "label": f"{name}{label}",
                "activations": values,
                "gradients": values,
                "update_ratio": None if place == 1 else 0.002,
            }
            for place, name in enumerate(LAYERS)
        },
    }


def write_records(run: RunDirectory, count: int, label: str = "") -> None:
    """Let a run have that many recorded steps: 10, 20, ..."""
    rows = (recorded(10 * (i + 1), label) for i in range(count))
    run.records.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
