"""Fold: trains and scores one fold of a cross-validation, as a process of its own.

    python -m nncli.cli.fold DIRECTORY NUMBER REPEAT [--allow-plugins]

It ends after a step, with everything saved, when its standard input is closed: also
where the process that started it was killed.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nncli.experiment.experiment import Experiment
    from nncli.runs.folds import CrossValidation, FoldRun


def train_fold(path: Path, number: int, repeat: int, *, allow_plugins: bool) -> None:
    """Train a fold as far as it is not trained yet, and score what it held out.

    Raises:
        DivergedError: A loss or gradient is not finite.
        InterruptedRun: It was asked to end; everything is saved.
    """
    from nncli.cli.training import View, run_training
    from nncli.core.atomic import write_json
    from nncli.core.errors import DivergedError
    from nncli.runs.folds import CrossValidation
    from nncli.training.resume import resume_run
    from nncli.training.session import restore_checkpoint
    from nncli.training.state import Progress

    whole = CrossValidation.open(path)
    fold = whole.fold(number, repeat)
    run, progress = fold.run, Progress()
    begun = run.checkpoints.is_dir()
    experiment = None if begun else _begin(whole, fold, allow_plugins)
    with run.lock():
        trained = run.summary.exists() and _trained(fold)
        if trained:
            restored = restore_checkpoint(run.last, allow_plugins=allow_plugins)
        elif experiment is None:
            restored = resume_run(run, [], allow_plugins=allow_plugins)
        if experiment is None:
            experiment, progress = restored.experiment, restored.progress
        try:
            if not trained:
                run_training(experiment, run, progress, View(quiet=True, json=True))
            result = _score(experiment, fold)
        except DivergedError as error:
            write_json(run.fold, _told(fold, "diverged") | {"error": str(error)})
            raise
        write_json(run.fold, result)


def _begin(whole: CrossValidation, fold: FoldRun, allow_plugins: bool) -> Experiment:
    """Build the experiment of a fold, and make its run."""
    from nncli.config.load import load_config
    from nncli.core.errors import RunError
    from nncli.experiment.build import build
    from nncli.training.session import create_run
    from nncli.training.threads import keep_whole, threads_of

    plan = whole.plan()
    place = f"{{number: {fold.number}, of: {plan['folds']}, repeat: {fold.repeat}}}"
    loaded = load_config(
        whole.resolved,
        ["split.test=0.0", f"split.fold={place}"],
        allow_plugins=allow_plugins,
        copies=whole.plugins,
    )
    experiment = build(loaded)
    if experiment.data_sha256 != plan.get("data_sha256"):
        raise RunError(
            f"{whole.path}: the data is not what the cross-validation began with. "
            "Bring back the old data, or begin a new one."
        )
    keep_whole(experiment)
    if experiment.config.training.threads == "auto":
        experiment.threads = min(threads_of(experiment), plan["threads"])
    command = ["nncli", "cv", "--resume", str(whole.path)]
    create_run(experiment, loaded, whole.path, command, directory=fold.run.path.name)
    return experiment


def _trained(fold: FoldRun) -> bool:
    from nncli.runs.folds import read_json

    return read_json(fold.run.summary).get("status") == "finished"


def _score(experiment: Experiment, fold: FoldRun) -> dict[str, Any]:
    """Score the checkpoint that ``nncli eval`` takes, and write its predictions."""
    from nncli.core.atomic import write_bytes
    from nncli.experiment.predict import part_predictions
    from nncli.runs.checkpoint import load_checkpoint
    from nncli.runs.folds import read_json
    from nncli.runs.sources import find_checkpoint
    from nncli.training.evaluate import Evaluator
    from nncli.training.state import restore
    from nncli.training.threads import threads_of, using

    checkpoint = find_checkpoint(fold.run.path)
    progress = restore(experiment, load_checkpoint(checkpoint))
    with using(threads_of(experiment)):
        scores = Evaluator(experiment, experiment.parts["test"]).run()
        values = part_predictions(experiment, experiment.parts["test"])
    write_bytes(fold.run.predictions, _lines(experiment, fold, values))
    summary = read_json(fold.run.summary)
    return _told(fold, "finished") | {
        "checkpoint": str(checkpoint),
        "epoch": progress.epoch,
        "epochs": summary.get("epochs"),
        "seconds": summary.get("seconds"),
        "rows": {name: len(part) for name, part in experiment.parts.items()},
        "scores": scores,
    }


def _told(fold: FoldRun, status: str) -> dict[str, Any]:
    return {
        "fold": fold.number,
        "repeat": fold.repeat,
        "run": str(fold.run.path),
        "status": status,
    }


def _lines(experiment: Experiment, fold: FoldRun, values: Any) -> bytes:
    """Write the predictions of the rows that were held out, as CSV."""
    import numpy as np

    from nncli.cli.saving import csv_bytes
    from nncli.experiment.predict import number_columns, prediction_columns

    names = experiment.target_names
    part, labels = experiment.parts["test"], experiment.labels
    index = np.arange(len(part.rows))[slice(None) if part.index is None else part.index]
    targets = part.rows.read("y", index)
    if labels is not None:
        targets = labels.decode(targets)
    columns = {
        "row": index,
        "fold": np.full(len(index), fold.number),
        "repeat": np.full(len(index), fold.repeat),
        **number_columns("target", targets, names),
        **prediction_columns(values, labels, names, yes_or_no=experiment.yes_or_no),
    }
    return csv_bytes(columns, heads=True)


def _end_with_parent() -> None:
    """Ask this process to end when nobody holds its standard input any more."""

    def wait() -> None:
        while os.read(0, 1):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, daemon=True).start()


def main() -> int:
    """Train the fold that the command line names; return the exit code."""
    # Ctrl-C reaches all processes of a terminal: the parent says when to end.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGHUP})
    from nncli.cli.process import prepare

    try:
        prepare()
        _end_with_parent()
        from nncli.cli.app import outcome
        from nncli.cli.console import note

        path, number, repeat, *options = sys.argv[1:]
        allow = "--allow-plugins" in options
        given = Path(path), int(number), int(repeat)
        code, text = outcome(partial(train_fold, *given, allow_plugins=allow))
        if text:
            note(text)
    except KeyboardInterrupt:
        code = 130
    return code


if __name__ == "__main__":
    sys.exit(main())
