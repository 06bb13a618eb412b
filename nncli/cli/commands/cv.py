"""``nncli cv``: train a config without each fold of the rows, and score it."""

from __future__ import annotations

import shlex
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nncli.cli.completion import complete_config
from nncli.cli.console import (
    AllowPlugins,
    Json,
    Overrides,
    note,
    say,
    say_json,
    say_wrapped,
)
from nncli.cli.tables import Table
from nncli.core.errors import (
    DivergedError,
    InterruptedRun,
    NncliError,
    RunError,
    UsageError,
)
from nncli.core.text import count, duration, number, scores_text

if TYPE_CHECKING:
    from nncli.runs.folds import CrossValidation, FoldRun

EPILOG = """\b
Examples:
  nncli cv digits --folds 5
  nncli cv digits optimizer.lr=0.01 --repeats 2 --jobs 4
  nncli cv --resume runs/digits-cv-1
"""

FOLDS = 5


def cv(
    config: Annotated[
        str | None,
        typer.Argument(
            metavar="CONFIG",
            help="A YAML file, or the name of an example; or a run whose config is "
            "taken.",
            autocompletion=complete_config,
            show_default=False,
        ),
    ] = None,
    overrides: Overrides = None,
    folds: Annotated[
        int | None,
        typer.Option(
            min=2, max=1000, help=f"How many folds.  [default: {FOLDS}]", metavar="N"
        ),
    ] = None,
    repeats: Annotated[
        int | None,
        typer.Option(
            min=1, max=1000, help="How often folds are drawn anew.", metavar="N"
        ),
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=1024,
            metavar="N",
            help="Folds trained at the same time; by default one a core.",
        ),
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option(
            "--resume",
            metavar="DIR",
            help="Go on with this cross-validation, by its directory or its name.",
        ),
    ] = None,
    runs_dir: Annotated[
        Path, typer.Option("--runs-dir", metavar="DIR", help="Where runs are made.")
    ] = Path("runs"),
    allow_plugins: AllowPlugins = False,
    json: Json = False,
) -> None:
    """Cross-validate: train without each fold, and score it.

    Folds keep the classes' shares (split.stratify), the groups whole (split.group), or
    follow the time (split.time: train on all rows before the fold). Each is a run,
    which has the fold as its test part and takes split.validation from the rest.
    """
    from nncli.runs.sources import find_folds

    if resume is not None:
        if config is not None or folds is not None or repeats is not None:
            raise UsageError(
                "cv: --resume goes on with the folds as they are planned; leave out "
                "the config, its changes, --folds and --repeats."
            )
        whole = find_folds(resume, runs_dir)
    elif config is None:
        raise UsageError("cv: expected a CONFIG, for example: nncli cv digits")
    else:
        from nncli.runs.sources import load_source
        from nncli.training.crossval import create_folds

        changes = list(overrides or [])
        loaded = load_source(config, changes, runs_dir, allow_plugins=allow_plugins)
        whole = create_folds(
            loaded,
            runs_dir,
            ["nncli", *sys.argv[1:]],
            folds=folds or FOLDS,
            repeats=repeats or 1,
            jobs=jobs,
        )
    with whole.lock():
        _run(whole, jobs, allow_plugins=allow_plugins, json=json)


def _run(
    whole: CrossValidation, jobs: int | None, *, allow_plugins: bool, json: bool
) -> None:
    """Train what is not trained yet, and tell how all folds went."""
    from nncli.training.crossval import default_jobs, results_of

    plan = whole.plan()
    every = whole.folds(plan)
    tell = note if json else say
    tell(f"cross-validation {whole.path}")
    for fold in every:
        if found := fold.result():
            note(f"{_name(fold, plan)} is there: {_line(found)}")
    todo = [fold for fold in every if fold.result() is None]
    jobs = jobs or default_jobs(plan["threads"], len(todo))
    try:
        failed = _train(whole, todo, plan, jobs, allow_plugins)
    except KeyboardInterrupt:
        there = sum(fold.result() is not None for fold in every)
        raise InterruptedRun(
            f"stopped with {there} of {count(len(every), 'fold')}; everything is "
            f"saved.\n{_go_on(whole)}"
        ) from None
    results = results_of(plan, every, failed)
    ended = [fold for fold in every if (fold.result() or {}).get("scores")]
    whole.write(results, ended)
    if json:
        say_json(results)
    else:
        _show(whole, results)
    _refuse(whole, results)


def _train(
    whole: CrossValidation,
    folds: list[FoldRun],
    plan: dict[str, Any],
    jobs: int,
    allow_plugins: bool,
) -> dict[str, str]:
    """Train folds in processes of their own; return why some of them failed."""
    from nncli.cli.children import run_modules

    options = ["--allow-plugins"] if allow_plugins else []
    commands = [
        [str(whole.path), str(fold.number), str(fold.repeat), *options]
        for fold in folds
    ]
    failed = {}
    # Whatever ends this function, closing the loop ends the processes.
    with closing(run_modules("nncli.cli.fold", commands, jobs)) as ended:
        for place, code, text in ended:
            fold = folds[place]
            found = fold.result()
            if found is None:
                reason = text.strip().removeprefix("error: ")
                reason = reason or f"the process ended with code {code}."
                failed[fold.run.path.name] = reason
                note(f"{_name(fold, plan)} failed: {reason}")
            else:
                note(f"{_name(fold, plan)}: {_line(found)}")
    return failed


def _name(fold: FoldRun, plan: dict[str, Any]) -> str:
    text = f"fold {fold.number} of {plan['folds']}"
    return text if plan["repeats"] == 1 else f"{text}, repeat {fold.repeat}"


def _line(result: dict[str, Any]) -> str:
    if result["status"] != "finished":
        return f"{result['status']}: {result['error']}"
    return (
        f"{scores_text(result['scores'])}; {count(result['epochs'], 'epoch')} in "
        f"{duration(result['seconds'])}"
    )


def _show(whole: CrossValidation, results: dict[str, Any]) -> None:
    told = results["metrics"]
    if told:
        table = Table("score", ">mean", "?>deviation", ">95 % interval", "??>folds")
        for name, found in told.items():
            low, high = found["interval"] or (None, None)
            between = "-" if low is None else f"{number(low)} to {number(high)}"
            cells = number(found["mean"]), number(found["deviation"]), between
            table.add_row(name, *cells, str(len(found["values"])))
        say("")
        table.print()
        say("")
        say_wrapped(
            f"{results['kind']}. Student's interval of the mean takes the folds for "
            "independent; they share rows to train on, so that it is too narrow."
        )
        say(f"predictions: {whole.predictions}")
    for run in results["runs"]:
        if run["status"] != "finished":
            say(f"not scored: {run['run']} ({run['status']})")


def _refuse(whole: CrossValidation, results: dict[str, Any]) -> None:
    """End with an exit code of its own where not every fold was scored."""
    ended = [run["status"] for run in results["runs"]]
    text = ""
    kind: type[NncliError] = DivergedError
    if "diverged" in ended:
        text = f"{ended.count('diverged')} of {count(len(ended), 'fold')} diverged."
    if "failed" in ended:
        kind = RunError
        failed = f"{ended.count('failed')} of {count(len(ended), 'fold')} failed."
        text = f"{failed} {text}".rstrip() + f"\n{_go_on(whole)}"
    if text:
        raise kind(f"{whole.path}: {text}")


def _go_on(whole: CrossValidation) -> str:
    return f"Go on with: nncli cv --resume {shlex.quote(str(whole.path))}"
