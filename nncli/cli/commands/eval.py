"""``nncli eval``: loss and metrics of a run or checkpoint on a part of the data."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from nncli.cli.console import (
    AllowPlugins,
    Json,
    RunsDir,
    Threads,
    Trained,
    note,
    say_json,
)
from nncli.core.errors import UsageError

if TYPE_CHECKING:
    from nncli.experiment.experiment import Experiment
    from nncli.experiment.part import Part
    from nncli.training.evaluate import Watcher

EPILOG = """\b
Examples:
  nncli eval runs/digits-1
  nncli eval digits-1           the same
  nncli eval runs/spiral-1 --split fresh --seed 7
  nncli eval runs/digits-1/checkpoints/last.safetensors --split train --json
  nncli eval digits-1 --save predictions.csv
  nncli eval digits-1 --mistakes 10
"""

MISTAKES = 5
"""Mistakes among images that are named by default."""

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
    save: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write target, prediction and probabilities of each row, as .csv or "
            ".npz.",
        ),
    ] = None,
    mistakes: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=0,
            help="Name the rows whose class got the least probability.",
            show_default="5 of images, else 0",
        ),
    ] = None,
    runs_dir: RunsDir = Path("runs"),
    threads: Threads = None,
    allow_plugins: AllowPlugins = False,
    json: Json = False,
) -> None:
    """Score a trained network: loss, metrics, and each class.

    Beside them stands a guess that knows the targets of the training part only: the
    majority class, or the mean.
    """
    from nncli.cli.saving import check_suffix
    from nncli.cli.scores import show_scores
    from nncli.runs.manifest import now, versions
    from nncli.runs.sources import find_checkpoint
    from nncli.training.session import restore_checkpoint
    from nncli.training.threads import threads_of, using

    if seed is not None and split != "fresh":
        raise UsageError("eval: --seed only belongs to --split fresh.")
    if save is not None:
        check_suffix(save, "--save")
    checkpoint = find_checkpoint(path, runs_dir)
    restored = restore_checkpoint(checkpoint, allow_plugins=allow_plugins)
    experiment = restored.experiment
    name = split or _default_split(experiment)
    if name == "fresh" and seed is None:
        seed = experiment.config.seed
    part = _part(experiment, name, seed)
    with using(threads or threads_of(experiment)):
        found = _assess(experiment, part, save, _wanted(mistakes, experiment, part))
    result: dict[str, Any] = {
        "checkpoint": str(checkpoint),
        "epoch": restored.progress.epoch,
        "step": restored.progress.step,
        "split": name,
        **({} if seed is None else {"seed": seed}),
        "rows": len(part),
        **found,
        "evaluated": now(),
        "versions": versions(),
    }
    _keep(checkpoint, result)
    if json:
        say_json(result)
    else:
        show_scores(result, save, experiment.config.training.unit)


def _wanted(asked: int | None, experiment: Experiment, part: Part) -> int:
    """Return how many mistakes are named: by default some of those among images."""
    from nncli.training.mistakes import has_mistakes

    if has_mistakes(experiment, part):
        images = len(part.shape) == 3
        return asked if asked is not None else MISTAKES * images
    if asked:
        raise UsageError("eval: --mistakes only belongs to data with a class a row.")
    return 0


def _assess(
    experiment: Experiment, part: Part, save: Path | None, worst: int
) -> dict[str, Any]:
    """Return all that is found of a part, and save its predictions if asked to.

    Args:
        experiment: With its network.
        part: The rows.
        save: Where their predictions are written.
        worst: How many mistakes are named.
    """
    from nncli.cli.saving import saving
    from nncli.training.assessment import OfLabels, assessment_of
    from nncli.training.evaluate import Evaluator, per_class
    from nncli.training.mistakes import Mistakes
    from nncli.training.of_tokens import OfTokens

    aligned = experiment.loss.aligned
    if save is not None and not aligned:
        raise UsageError(
            f"eval: --save writes a target beside each prediction, which loss "
            f"{experiment.loss.type_name} has not. Leave --save out."
        )
    assessment = assessment_of(experiment, part) if aligned else None
    with ExitStack() as stack:
        watchers: list[Watcher] = [] if assessment is None else [assessment]
        of_rows = worst and not isinstance(assessment, OfTokens)
        mistakes = Mistakes(experiment, part, worst) if of_rows else None
        if mistakes is not None:
            watchers.append(mistakes)
        if save is not None:
            labels = isinstance(assessment, OfLabels)
            saver = saving(save, experiment, part, labels=labels)
            watchers.append(stack.enter_context(saver))
        # Of tokens, a table of each beside each would have millions of cells.
        evaluator = Evaluator(
            experiment,
            part,
            confusion=aligned and not isinstance(assessment, OfTokens),
            metrics=(),
            watchers=watchers,
        )
        found: dict[str, Any] = evaluator.run()
        if assessment is not None:
            found |= assessment.result()
    if evaluator.confusion is not None and experiment.classes is not None:
        found["classes"] = per_class(evaluator.confusion, experiment.classes)
        found["confusion"] = evaluator.confusion.tolist()
    if mistakes is not None:
        found["mistakes"] = mistakes.result()
    return found


def _keep(checkpoint: Path, result: dict[str, Any]) -> None:
    """Leave the result in the run, if the checkpoint is a run's."""
    from nncli.core.atomic import write_json
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
    if name == "fresh" and seed is not None:
        return experiment.prepare(experiment.draw(seed))
    if name not in experiment.parts:
        names = ", ".join(experiment.parts)
        raise UsageError(
            f"eval: the run has no {name} part. Expected one of: {names}, or fresh for "
            "a dataset that is drawn."
        )
    return experiment.parts[name].without_overlap()
