"""Subjects: runs that were trained for a moment, as pictures see them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nncli.config.load import load_values
from nncli.experiment.build import build
from nncli.report.plots.subject import Subject
from nncli.training.session import create_run
from nncli.training.state import Progress
from nncli.training.trainer import Trainer


def subject_of(folder: Path, epochs: int = 2, **config: Any) -> Subject:
    """Train a config, and return its run.

    Args:
        folder: Where the run is made.
        epochs: How long.
        config: Its sections; what is missing is that of a small classifier.
    """
    values = {
        "name": "small",
        "seed": 3,
        "dataset": {"type": "xor", "samples": 20, "noise": 0.3},
        "split": {"validation": 0.25},
        "layers": [{"type": "dense", "units": 2}],
        "loss": "softmax_cross_entropy",
        "optimizer": {"type": "adam", "lr": 0.02},
        "metrics": ["accuracy"],
        "training": {"epochs": epochs, "batch_size": 16},
    }
    loaded = load_values(values | config, source="test", allow_plugins=False)
    experiment = build(loaded)
    run = create_run(experiment, loaded, folder, ["nncli", "train"])
    Trainer(experiment, run, [], Progress()).fit()
    return Subject(run)
