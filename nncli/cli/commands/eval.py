"""``nncli eval``: loss and metrics of a run or checkpoint on a part of the data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from nncli.cli.console import (
    AllowPlugins,
    Json,
    RunsDir,
    Threads,
    Trained,
    columns,
    note,
    say,
    say_json,
    say_wrapped,
)
from nncli.cli.tables import Table
from nncli.core.errors import UsageError
from nncli.core.text import count, number, shortened

if TYPE_CHECKING:
    from nncli.experiment.experiment import Experiment
    from nncli.experiment.part import Part

EPILOG = """\b
Examples:
  nncli eval runs/digits-1
  nncli eval digits-1           the same
  nncli eval runs/spiral-1 --split fresh --seed 7
  nncli eval runs/digits-1/checkpoints/last.safetensors --split train --json
"""

Split = Literal["train", "validation", "test", "fresh"]


def eval(  # noqa: A001 - the verb's name; nobody imports it from here
    path: Trained,
    split: Annotated[
        Split | None,
        typer.Option(
            help="Which rows; fresh draws new ones from the dataset's formula. By "
            "default test, else validation, else train.",
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Seed of --split fresh.")
    ] = None,
    runs_dir: RunsDir = Path("runs"),
    threads: Threads = None,
    allow_plugins: AllowPlugins = False,
    json: Json = False,
) -> None:
    """Score a trained network: loss, metrics, and each class."""
    from nncli.runs.sources import find_checkpoint
    from nncli.training.evaluate import Evaluator, per_class
    from nncli.training.session import restore_checkpoint
    from nncli.training.threads import threads_of, using

    if seed is not None and split != "fresh":
        raise UsageError("eval: --seed only belongs to --split fresh.")
    checkpoint = find_checkpoint(path, runs_dir)
    restored = restore_checkpoint(checkpoint, allow_plugins=allow_plugins)
    experiment = restored.experiment
    name = split or _default_split(experiment)
    evaluator = Evaluator(experiment, _part(experiment, name, seed), confusion=True)
    with using(threads or threads_of(experiment)):
        scores = evaluator.run()
    result: dict[str, Any] = {
        "checkpoint": str(checkpoint),
        "epoch": restored.progress.epoch,
        "split": name,
        "rows": len(evaluator.batches.part),
        **scores,
    }
    if evaluator.confusion is not None and experiment.classes is not None:
        result["classes"] = per_class(evaluator.confusion, experiment.classes)
        result["confusion"] = evaluator.confusion.tolist()
    _keep(checkpoint, result)
    if json:
        say_json(result)
    else:
        _show(result, scores)


def _keep(checkpoint: Path, result: dict[str, Any]) -> None:
    """Leave the result in the run, if the checkpoint is a run's."""
    from nncli.runs.atomic import write_json
    from nncli.runs.sources import run_of

    run = run_of(checkpoint)
    if run is None:
        return
    path = run.evaluation(result["split"])
    try:
        write_json(path, result)
    except OSError as error:
        note(f"{path}: the result is not kept: {error.strerror}.")


def _default_split(experiment: Experiment) -> str:
    for name in ("test", "validation"):
        if name in experiment.parts:
            return name
    return "train"


def _part(experiment: Experiment, name: str, seed: int | None) -> Part:
    if name == "fresh":
        drawn = experiment.draw(experiment.config.seed if seed is None else seed)
        return experiment.prepare(drawn)
    if name not in experiment.parts:
        names = ", ".join(experiment.parts)
        raise UsageError(
            f"eval: the run has no {name} part. Expected one of: {names}, or fresh for "
            "a dataset that is drawn."
        )
    return experiment.parts[name]


def _show(result: dict[str, Any], scores: dict[str, float | None]) -> None:
    say_wrapped(f"{result['checkpoint']} (after\xa0epoch\xa0{result['epoch']:,})")
    say(f"{result['split']}: {count(result['rows'], 'row')}")
    for name, value in scores.items():
        say(f"  {name:<12}{number(value)}")
    if "classes" not in result:
        return
    rows = Table("class", "?>rows", ">precision", ">recall", "??>f1")
    for line in result["classes"]:
        numbers = (number(line[key]) for key in ("precision", "recall", "f1"))
        rows.add_row(line["class"], f"{line['rows']:,}", *numbers)
    say("")
    rows.print()
    confusion = _confusion([line["class"] for line in result["classes"]], result)
    if confusion is not None:
        say("")
        confusion.print()


def _confusion(names: list[str], result: dict[str, Any]) -> Table | None:
    """Draw which class (row) was taken for which (column); None if too wide."""
    # What is zero is left out, so that mistakes stand out.
    cells = [[f"{n:,}" if n else "·" for n in row] for row in result["confusion"]]
    heads = [shortened(name, 5) for name in names]
    widths = [max(map(len, column)) for column in zip(heads, *cells, strict=True)]
    corner = "class, taken for"
    if len(corner) + sum(width + 3 for width in widths) > columns():
        return None
    shown = Table(corner, *(f">{head}" for head in heads))
    for name, counts in zip(names, cells, strict=True):
        shown.add_row(shortened(name, len(corner)), *counts)
    return shown
