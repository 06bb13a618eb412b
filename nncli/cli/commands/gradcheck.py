"""``nncli gradcheck``: prove every derivative against differences."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nncli.cli.completion import complete_checked
from nncli.cli.console import (
    AllowPlugins,
    Json,
    Overrides,
    RunsDir,
    progress,
    say,
    say_json,
    say_wrapped,
)
from nncli.cli.plugins import Plugins, run_plugins
from nncli.cli.tables import Table
from nncli.core.errors import CheckFailed, UsageError
from nncli.core.text import count

if TYPE_CHECKING:
    from nncli.autograd.gradcheck import GradientReport
    from nncli.checking.everything import Check
    from nncli.experiment.experiment import Experiment

MAX_SHOWN = 8

EPILOG = """\b
Examples:
  nncli gradcheck                       every op, layer and loss there is
  nncli gradcheck layer_norm            what has this name
  nncli gradcheck digits                this network, with real rows
  nncli gradcheck digits-1              that of a run
  nncli gradcheck --plugin my_layers.py everything, and what the file adds
"""


def gradcheck(
    what: Annotated[
        str | None,
        typer.Argument(
            metavar="CONFIG|RUN|NAME",
            help="Check the network of a config or a run, or what has a name; without "
            "it, everything.",
            autocompletion=complete_checked,
            show_default=False,
        ),
    ] = None,
    overrides: Overrides = None,
    plugin: Plugins = None,
    runs_dir: RunsDir = Path("runs"),
    allow_plugins: AllowPlugins = False,
    json: Json = False,
) -> None:
    """Prove every derivative against differences, in float64.

    Ends with exit code 3 if one is wrong.
    """
    from nncli.experiment.build import build
    from nncli.runs.sources import load_source

    run_plugins(plugin)
    if what is None or _is_name(what, runs_dir):
        if overrides:
            raise UsageError(
                f"gradcheck: {overrides[0]} changes a config, but none is named."
            )
        found = list(_registered(what))
    else:
        changes = [*(overrides or []), "precision=float64"]
        loaded = load_source(what, changes, runs_dir, allow_plugins=allow_plugins)
        found = list(_network(build(loaded)))
    failed = sorted({f"{c.family} {c.name}" for c in found if not c.passed})
    if json:
        say_json(
            {
                "passed": not failed,
                "failed": failed,
                "checks": [_facts(check) for check in found],
            }
        )
    else:
        _show(found)
    if failed:
        raise CheckFailed(f"wrong derivatives: {', '.join(failed)}.")


def _is_name(what: str, runs: Path) -> bool:
    """Whether it is meant as a component's name rather than as a config's or a run's.

    What is both, as residual is, is the component: its derivative is proved alone.
    """
    from nncli.checking.everything import subjects
    from nncli.config.examples import examples

    if not what.isidentifier() or Path(what).exists():
        return False
    known = what in examples() or (runs / what / "checkpoints").is_dir()
    return not known or any(s.name == what for s in subjects())


def _registered(name: str | None) -> Iterator[Check]:
    """Check what has a name, or everything."""
    import nncli.config.schema  # noqa: F401 - imports every family
    from nncli.autograd.function import FUNCTIONS
    from nncli.checking.everything import subjects
    from nncli.core.text import nearest

    chosen = [s for s in subjects() if name in (None, s.name)]
    if not chosen and name in FUNCTIONS.names():
        raise UsageError(f"gradcheck: the op {name!r} has no derivative.")
    if not chosen:
        names = sorted({subject.name for subject in subjects()})
        raise UsageError(
            f"gradcheck: expected a config file, or the name of an op, a layer or a "
            f"loss, got {name!r}. {nearest(str(name), names)}"
        )
    with progress("gradcheck", len(chosen)) as step:
        for subject in chosen:
            step(f"{subject.family} {subject.name}")
            yield from subject.checks()


def _network(experiment: Experiment) -> Iterator[Check]:
    from nncli.checking.experiment import check_experiment
    from nncli.training.threads import using

    # Values are computed thousands of times of two rows: threads would wait.
    with using(1), progress("gradcheck", len(experiment.network.nested) + 1) as step:
        for check in check_experiment(experiment):
            yield check
            step(check.name)


def _facts(check: Check) -> dict[str, Any]:
    facts = dataclasses.asdict(check) | {"passed": check.passed}
    for report in facts["reports"]:
        for key in ("analytic", "numeric", "error"):
            if not math.isfinite(report[key]):
                report[key] = None
    return facts


def _show(checks: list[Check]) -> None:
    """Print one line a component, its worst tensor over all cases; failures last."""
    from rich.text import Text

    from nncli.autograd.differences import TOLERANCE

    groups: dict[tuple[str, str], list[Check]] = {}
    for check in checks:
        groups.setdefault((check.family, check.name), []).append(check)
    rows = Table("", "", "?>values", "??>kinks", ">error", "???worst at")
    shown = ""
    for (family, name), cases in groups.items():
        if family != shown:
            rows.add_row("", Text(family, style="bold"))
            shown = family
        reports = [report for case in cases for report in case.reports]
        good = all(case.passed for case in cases)
        worst = max(reports, key=lambda report: report.error, default=None)
        rows.add_row(
            Text("ok", style="green") if good else Text("WRONG", style="bold red"),
            name,
            f"{sum(report.checked for report in reports):,}",
            str(sum(report.kinks for report in reports) or ""),
            f"{worst.error:.0e}" if worst else "-",
            _place(worst) if worst else "-",
        )
    rows.print()
    say("")
    wrong = [check for check in checks if not check.passed]
    for check in wrong[:MAX_SHOWN]:
        say_wrapped(f"WRONG {check.family} {check.name} {check.case}", hang=6)
        for line in _explain(check):
            say_wrapped(f"      {line}", hang=6)
    if len(wrong) > MAX_SHOWN:
        say(f"      ... and {count(len(wrong) - MAX_SHOWN, 'more case')} (see --json)")
    values = sum(report.checked for check in checks for report in check.reports)
    say_wrapped(
        f"{count(len(checks), 'case')}, {count(values, 'derivative')}, "
        f"{count(len(wrong), 'case')} wrong (relative error above {TOLERANCE:g})"
    )


def _place(report: GradientReport) -> str:
    return f"{report.name}[{', '.join(map(str, report.index))}]"


def _explain(check: Check) -> list[str]:
    """Say of each wrong tensor what was expected and what was found."""
    if check.failure:
        return [check.failure]
    lines = []
    for report in check.reports:
        if report.unwritten:
            lines.append(
                f"{report.name}: backward wrote nothing into {report.unwritten} of its "
                "gradient's elements: write with out= or dx[...] =, into the array "
                "that is given"
            )
        elif not report.checked:
            lines.append(f"{report.name}: expected derivatives, found only kinks")
        elif not report.passed:
            lines.append(
                f"{_place(report)}: expected {report.numeric:.8g} (differences), got "
                f"{report.analytic:.8g} (backward)"
            )
    return lines
