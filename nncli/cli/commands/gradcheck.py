"""``nncli gradcheck``: prove every derivative against differences."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nncli.cli.console import AllowPlugins, Json, Overrides, out, say, say_json, table
from nncli.cli.plugins import Plugins, run_plugins
from nncli.errors import CheckFailed

if TYPE_CHECKING:
    from nncli.autograd.gradcheck import GradientReport
    from nncli.checks import Check

EPILOG = """\b
Examples:
  nncli gradcheck                       every op, layer and loss there is
  nncli gradcheck configs/digits.yaml   this network, with real rows
  nncli gradcheck --plugin my_layers.py everything, and what the file adds
"""


def gradcheck(
    config: Annotated[
        Path | None,
        typer.Argument(
            metavar="[CONFIG]",
            help="Check this network; without it, everything.",
            show_default=False,
        ),
    ] = None,
    overrides: Overrides = None,
    plugin: Plugins = None,
    allow_plugins: AllowPlugins = False,
    json: Json = False,
) -> None:
    """Prove every derivative against central differences, in float64.

    Ends with exit code 3 if one is wrong.
    """
    from nncli.checks import check_everything, check_experiment

    run_plugins(plugin)
    checks: Iterable[Check]
    if config is None:
        checks = check_everything()
    else:
        from nncli.build import build
        from nncli.config.load import load_config

        changes = [*(overrides or []), "precision=float64"]
        loaded = load_config(config, changes, allow_plugins=allow_plugins)
        checks = check_experiment(build(loaded))
    found = list(checks)
    failed = sorted({f"{c.family} {c.name}" for c in found if not c.passed})
    if json:
        say_json(
            {
                "passed": not failed,
                "failed": failed,
                "checks": [
                    dataclasses.asdict(c) | {"passed": c.passed} for c in found
                ],
            }
        )
    else:
        _show(found)
    if failed:
        raise CheckFailed(f"wrong derivatives: {', '.join(failed)}.")


def _show(checks: list[Check]) -> None:
    """Print one line a component: its worst tensor over all cases."""
    from nncli.autograd.gradcheck import TOLERANCE

    groups: dict[tuple[str, str], list[Check]] = {}
    for check in checks:
        groups.setdefault((check.family, check.name), []).append(check)
    rows = table("", "checked", ">cases", ">values", ">kinks", ">error", "worst at")
    for (family, name), cases in groups.items():
        reports = [(case, report) for case in cases for report in case.reports]
        good = all(case.passed for case in cases)
        error, where = _worst(cases, reports)
        rows.add_row(
            "[green]ok[/]" if good else "[red bold]WRONG[/]",
            f"{family} {name}".replace("[", r"\["),
            str(len(cases)),
            f"{sum(report.checked for _, report in reports):,}",
            str(sum(report.kinks for _, report in reports) or ""),
            error,
            where.replace("[", r"\["),
        )
    out().print(rows)
    wrong = sum(not check.passed for check in checks)
    values = sum(report.checked for check in checks for report in check.reports)
    say(
        f"{len(checks)} cases, {values:,} derivatives, {wrong} wrong "
        f"(relative error above {TOLERANCE:g})"
    )


def _worst(cases: list[Check], reports: list[tuple[Check, GradientReport]]) -> Any:
    for case in cases:
        if case.failure:
            return "-", case.failure
    case, report = max(reports, key=lambda pair: (not pair[1].passed, pair[1].error))
    index = ", ".join(map(str, report.index))
    where = f"{report.name}[{index}] of {case.case}"
    if not report.checked:
        return "-", f"{report.name}: nothing but kinks, of {case.case}"
    if not report.passed:
        where += f": got {report.analytic:.6g}, expected {report.numeric:.6g}"
    return f"{report.error:.0e}", where


gradcheck.__doc__ = f"{gradcheck.__doc__}\n\n{EPILOG}"
