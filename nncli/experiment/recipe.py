"""Recipe: a network and a training that suit a table, by its task and its size."""

from __future__ import annotations

from typing import Any

from nncli.experiment.survey import Survey, Task

LOSSES: dict[Task, str] = {
    "classes": "softmax_cross_entropy",
    "labels": "sigmoid_binary_cross_entropy",
    "numbers": "mse",
    "counts": "log_poisson",
}

SHARE = 0.15
"""Of the rows, for validation, and for the test."""

SMALL, LARGE = 5_000, 100_000
"""Rows from which on a second hidden layer is of use, and a larger first one."""

STEPS = 2_000
"""Steps that a small table is trained for."""

MOST_EPOCHS, LEAST_EPOCHS = 500, 12


def recipe(survey: Survey, test: bool = False) -> dict[str, Any]:
    """Return all that a config says beside its dataset, as plain values.

    One rule for all tables, found by cross-validation over several
    (``benchmarks/tables.py``): few rows get a strong decay of the weights, which keeps
    a wide layer from learning them by heart; many rows get more layers and less decay.

    Args:
        survey: What the table holds.
        test: Whether a file of its own is the test part.
    """
    rows = survey.rows * (1 - SHARE if test else 1 - 2 * SHARE)
    batch = batch_size(rows)
    epochs = round(STEPS * batch / rows)
    epochs = min(max(epochs, LEAST_EPOCHS), MOST_EPOCHS)
    return {
        "split": {"validation": SHARE} | ({} if test else {"test": SHARE}),
        "layers": layers(rows, survey.outputs),
        "loss": _loss(survey),
        "optimizer": {
            "type": "adamw",
            "lr": 0.003,
            "weight_decay": weight_decay(rows),
            "decay_bias_and_norm": False,
        },
        "schedule": {"type": "cosine", "final": 0.01},
        "metrics": metrics(survey),
        "training": {
            "epochs": epochs,
            "batch_size": batch,
            "average": {"decay": 0.99},
            "early_stopping": {"patience": max(epochs // 3, 5)},
        },
    }


def batch_size(rows: float) -> int:
    """Return 32 for small tables, up to 1,024 for large ones: a power of 2."""
    size = 32
    while size < 1024 and rows > 128 * size:
        size *= 2
    return size


def weight_decay(rows: float) -> float:
    """Return 1 for up to 2,000 rows, then 2,000 / rows, as a round number."""
    return float(f"{min(1.0, 2000 / rows):.1g}")


def layers(rows: float, outputs: int) -> list[Any]:
    """Return the network: one hidden layer, or two for many rows."""
    sizes = [256] if rows < SMALL else [256, 128]
    sizes = [512, 256] if rows >= LARGE else sizes
    rate = 0.3 if rows < SMALL else 0.1
    made: list[Any] = []
    for size in sizes:
        hidden = {"type": "dense", "units": size}
        made += [hidden, "relu", {"type": "dropout", "rate": rate}]
    return [*made, {"type": "dense", "units": outputs}]


def metrics(survey: Survey) -> list[str]:
    """Return what people look at for a task."""
    if survey.task == "labels":
        return ["mse"]
    if survey.task != "classes":
        return ["rmse", "mae", "r2"]
    more = ["balanced_accuracy"] if survey.rare else []
    return ["accuracy", *more, *(["roc_auc"] if survey.outputs == 2 else [])]


def _loss(survey: Survey) -> Any:
    name = LOSSES[survey.task]
    return {"type": name, "class_weights": "balanced"} if survey.rare else name
