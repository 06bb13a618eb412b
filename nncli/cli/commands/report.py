"""``nncli report``: a run, or several, as one page that a browser opens from disk."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nncli.cli.completion import complete_run
from nncli.cli.console import AllowPlugins, Json, RunsDir, note, progress, say, say_json

EPILOG = """\b
Examples:
  nncli report spiral-1
  nncli report spiral-1 spiral-2 spiral-3 -o spirals.html
  nncli report runs/digits-* --json
"""


def report(
    runs: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN...",
            help="One run, or several whose curves are drawn over each other: their "
            "directories, or their names.",
            autocompletion=complete_run,
            show_default=False,
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Where to write. By default report.html in the run, of several runs "
            "in this directory.",
            show_default=False,
        ),
    ] = None,
    runs_dir: RunsDir = Path("runs"),
    allow_plugins: AllowPlugins = False,
    json: Json = False,
) -> None:
    """Write one page with all there is to see of a run.

    Scores, curves with their values on hover, histograms of each layer, the network,
    the config and what differs from the defaults, pictures, the environment, and the
    commands that make it again. The page needs no network and no other file.
    """
    from nncli.core.atomic import write_bytes
    from nncli.core.files import writable
    from nncli.report.charts import chart_library
    from nncli.report.gathered import gather, names_of
    from nncli.report.run_page import run_page
    from nncli.runs.sources import find_run

    found = {str(run.path): run for run in (find_run(each, runs_dir) for each in runs)}
    names = names_of(list(found))
    # Whether it is installed is asked before what takes a while.
    chart_library()
    with progress("report", len(found)) as tell:
        gathered = []
        for run in found.values():
            name = names[str(run.path)]
            tell(name)
            gathered.append(gather(run, name, allow_plugins=allow_plugins))
        text = run_page(gathered)
    first = next(iter(found.values()))
    path = output or (first.report if len(found) == 1 else Path(first.report.name))
    with writable(path):
        write_bytes(path, text.encode(errors="backslashreplace"))
    missing = {run.name: run.missing for run in gathered if run.missing}
    if json:
        paths = list(found)
        say_json({"report": str(path), "runs": paths, "missing": missing})
        return
    for name, reasons in missing.items():
        for what, why in reasons.items():
            note(f"{name}: left out: {what}: {why}")
    say(f"report: {path}")
