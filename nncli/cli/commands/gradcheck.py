"""``nncli gradcheck``: prove every derivative against differences."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nncli.cli.console import AllowPlugins, Json, Overrides, out, say, say_json, table
from nncli.cli.plugins import Plugins, run_plugins
from nncli.errors import CheckFailed

if TYPE_CHECKING:
    from nncli.autograd.gradcheck import GradientReport
    from nncli.checks import Check

MAX_SHOWN = 8

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
            metavar="CONFIG",
            help="Check this network; without it, everything.",
            show_default=False,
        ),
    ] = None,
    overrides: Overrides = None,
    plugin: Plugins = None,
    allow_plugins: AllowPlugins = False,
    json: Json = False,
) -> None:
    """Prove every derivative against differences, in float64.

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
                "checks": [dataclasses.asdict(c) | {"passed": c.passed} for c in found],
            }
        )
    else:
        _show(found)
    if failed:
        raise CheckFailed(f"wrong derivatives: {', '.join(failed)}.")


def _show(checks: list[Check]) -> None:
    """Print one line a component: its worst tensor over all cases."""
    from rich.text import Text

    from nncli.autograd.gradcheck import TOLERANCE

    groups: dict[tuple[str, str], list[Check]] = {}
    for check in checks:
        groups.setdefault((check.family, check.name), []).append(check)
    rows = table("", "", ">values", ">kinks", ">error", "worst at")
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
    out().print(rows)
    say("")
    wrong = [check for check in checks if not check.passed]
    for check in wrong[:MAX_SHOWN]:
        say(f"WRONG {check.family} {check.name} {check.case}")
        for line in _explain(check):
            say(f"      {line}")
    if len(wrong) > MAX_SHOWN:
        say(f"      ... and {len(wrong) - MAX_SHOWN} more cases (see --json)")
    values = sum(report.checked for check in checks for report in check.reports)
    say(
        f"{len(checks)} cases, {values:,} derivatives, {len(wrong)} cases wrong "
        f"(relative error above {TOLERANCE:g})"
    )


def _place(report: GradientReport) -> str:
    return f"{report.name}[{', '.join(map(str, report.index))}]"


def _explain(check: Check) -> list[str]:
    """Say of each wrong tensor what was expected and what was found."""
    if check.failure:
        return [check.failure]
    lines = []
    for report in check.reports:
        if not report.checked:
            lines.append(f"{report.name}: expected derivatives, found only kinks")
        elif not report.passed:
            lines.append(
                f"{_place(report)}: expected {report.numeric:.8g} (differences), got "
                f"{report.analytic:.8g} (backward)"
            )
    return lines
