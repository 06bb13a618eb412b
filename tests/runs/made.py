"""Runs made of files alone: what a training leaves, without one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from nncli.runs.checkpoint import Checkpoint, save_checkpoint
from nncli.runs.directory import RunDirectory

LOSSES = (0.9, 0.5, 0.7)


def row_of(step: int, loss: float, **more: Any) -> dict[str, Any]:
    """Return an evaluation: the validation part's loss is by 0.1 larger."""
    scores = {"loss": loss, "accuracy": 1 - loss / 2}
    held_out = {"loss": loss + 0.1, "accuracy": 0.9 - loss / 2}
    at = {"epoch": step // 10, "step": step, "lr": 0.1, "step_loss": loss}
    return {**at, "train": scores, "validation": held_out, **more}


def make_run(
    parent: Path,
    name: str = "a-1",
    *,
    status: str | None = "finished",
    losses: tuple[float, ...] = LOSSES,
    config: dict[str, Any] | None = None,
    started: str = "2026-11-22T10:00:00+00:00",
    **facts: Any,
) -> RunDirectory:
    """Make a run with an evaluation every ten steps, the best of the least loss.

    Args:
        parent: The directory of runs.
        name: Of the run.
        status: In its summary; None for a run that has none.
        losses: Of the training part.
        config: In its checkpoints.
        started: In its manifest.
        facts: What else the manifest tells.
    """
    run = RunDirectory(parent / name)
    run.checkpoints.mkdir(parents=True)
    run.manifest.write_text(
        json.dumps({"started": started, "overrides": [], "numpy": "2.4.6"} | facts)
    )
    rows = [row_of(10 * n, loss) for n, loss in enumerate(losses, start=1)]
    for row in rows:
        run.append_row(row)
    run.table.unlink(missing_ok=True)
    best = min(rows, key=lambda row: float(row["train"]["loss"]), default={"step": 0})
    values = {"training": {"monitor": "loss"}} | (config or {})
    meta = {"config": values, "progress": {"best_step": best["step"]}}
    for path in (run.best, run.last) if rows else (run.last,):
        save_checkpoint(path, Checkpoint({}, meta))
    if status is not None:
        last = rows[-1] if rows else {"epoch": 0, "step": 0}
        summary = {
            "status": status,
            "epochs": last["epoch"],
            "steps": last["step"],
            "seconds": 1.5,
            "monitor": "loss",
            "best": {"step": best["step"]},
            "last": last,
        }
        run.summary.write_text(json.dumps(summary))
    return run


def leave_test(run: RunDirectory, step: int = 20, **scores: Any) -> None:
    """Leave what ``eval`` finds of the test part."""
    found = {"checkpoint": str(run.best), "epoch": 2, "step": step, "rows": 30}
    run.evaluation("test").write_text(json.dumps(found | scores))
