"""``nncli plot``: draw a run, or several over each other."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from nncli.cli.completion import complete_kind, complete_run, kind_names
from nncli.cli.console import (
    AllowPlugins,
    Json,
    RunsDir,
    columns,
    note,
    out,
    progress,
    say,
    say_json,
    say_wrapped,
)
from nncli.core.errors import RunError, UsageError

if TYPE_CHECKING:
    from nncli.report.plots.base import Kind
    from nncli.report.plots.panels import Panel
    from nncli.report.plots.subject import Subject

EPILOG = """\b
Examples:
  nncli plot spiral-1
  nncli plot spiral-1 --kind regions -o regions.png
  nncli plot spiral-1 spiral-2 --kind curves -o curves.svg
  nncli plot digits-1 -o pictures/        every kind that applies
  nncli plot digits-1 --kind confusion --kind mistakes --split test
"""

FORMATS = (".png", ".svg", ".pdf")
DEFAULT = "curves"
MOST_RUNS = 16

Split = Literal["train", "validation", "test"]
Drawn = list[tuple["Kind", list["Panel"]]]


def plot(
    runs: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN",
            help="Runs: their directories, or their names. Several are drawn over each "
            "other, each in a colour.",
            autocompletion=complete_run,
            show_default=False,
        ),
    ],
    kind: Annotated[
        list[str] | None,
        typer.Option(
            "--kind",
            "-k",
            metavar="KIND",
            help=f"What is drawn: {', '.join(kind_names())}, or all; again for more. "
            "By default curves, and into a directory all that applies.",
            autocompletion=complete_kind,
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE|DIR",
            help="A .png, .svg or .pdf of one kind, or a directory for a .png each; "
            "without it, it is drawn in the terminal.",
            show_default=False,
        ),
    ] = None,
    split: Annotated[
        Split | None,
        typer.Option(
            help="Whose rows the network is shown. By default validation, else train.",
            show_default=False,
        ),
    ] = None,
    runs_dir: RunsDir = Path("runs"),
    allow_plugins: AllowPlugins = False,
    json: Json = False,
) -> None:
    """Draw curves, decision regions, confusions and more of a run.

    The network is that of the best checkpoint. Needs matplotlib for files, nothing for
    the terminal.
    """
    from nncli.report.plots.subject import Subject
    from nncli.runs.sources import find_run

    found = {run.path: run for run in (find_run(each, runs_dir) for each in runs)}
    if len(found) > MOST_RUNS:
        raise UsageError(
            f"plot: expected at most {MOST_RUNS} runs over each other, got "
            f"{len(found)}. Name fewer."
        )
    subjects = [
        Subject(run, split=split, allow_plugins=allow_plugins) for run in found.values()
    ]
    suffix = None if output is None else _suffix(output)
    wanted = _wanted(kind or [], len(subjects), everything=suffix == "")
    if split:
        _check_split(wanted, split)
    if suffix and len(wanted) > 1:
        raise UsageError(
            f"{output}: expected one kind for a file, got {len(wanted)}. For several, "
            "name a directory: -o pictures/"
        )
    if output is not None:
        from nncli.report.plots.figure import check_matplotlib

        check_matplotlib()
    drawn = _panels(subjects, wanted, several=len(kind or []) != 1)
    title = ", ".join(subject.name for subject in subjects)
    written = []
    if output is not None:
        with progress("draw", len(drawn)) as tell:
            for each, panels in drawn:
                tell(each.name)
                path = output if suffix else output / f"{each.name}.png"
                _write(path, f"{each.title}: {title}", panels)
                written.append(path)
    if json:
        say_json(_facts(drawn, subjects, written))
    elif output is not None:
        for path in written:
            say(f"drawn: {path}")
    else:
        _show(drawn)


def _suffix(output: Path) -> str:
    """Return the suffix of a file; "" for a directory.

    Raises:
        UsageError: It is that of another file.
    """
    if output.is_dir() or output.suffix == "":
        return ""
    if output.suffix.lower() not in FORMATS:
        raise UsageError(
            f"{output}: expected a directory, or a file that ends in "
            f"{', '.join(FORMATS)}, got {output.suffix}."
        )
    return output.suffix.lower()


def _wanted(names: list[str], runs: int, *, everything: bool) -> list[Kind]:
    """Return the kinds that were asked for, in their order.

    Raises:
        UsageError: There is no such kind, or those of several runs do not overlay.
    """
    from nncli.core.text import nearest
    from nncli.report.plots.base import kinds

    known = {each.name: each for each in kinds()}
    for name in names:
        if name not in known and name != "all":
            hint = nearest(name, [*known, "all"])
            raise UsageError(f"plot: expected a kind, got {name!r}. {hint}")
    if "all" in names or (everything and not names):
        overlaid = runs == 1
        return [each for each in known.values() if overlaid or each.overlays]
    chosen = [each for each in known.values() if each.name in (names or [DEFAULT])]
    single = [each.name for each in chosen if not each.overlays]
    if runs > 1 and single:
        some = ", ".join(each.name for each in known.values() if each.overlays)
        raise UsageError(
            f"plot: expected one run for {', '.join(single)}, got {runs}: only {some} "
            "can be drawn over each other."
        )
    return chosen


def _check_split(wanted: list[Kind], split: str) -> None:
    """Make sure that what is drawn depends on the part of the data.

    Raises:
        UsageError: No kind shows the network any rows.
    """
    from nncli.report.plots.base import kinds

    if not any(each.needs_rows for each in wanted):
        some = ", ".join(each.name for each in kinds() if each.needs_rows)
        names = ", ".join(each.name for each in wanted)
        raise UsageError(
            "plot: expected a kind that shows the network rows beside --split "
            f"{split}, got {names}. There are: {some}."
        )


def _panels(subjects: list[Subject], wanted: list[Kind], *, several: bool) -> Drawn:
    """Return what is drawn of each kind.

    Args:
        subjects: The runs.
        wanted: The kinds.
        several: Whether those that do not apply are left out; else they are errors.
    """
    from nncli.report.plots.panels import overlaid
    from nncli.report.plots.pictures import applying

    found = []
    for kind in wanted:
        each = []
        for subject in subjects:
            if not several:
                panels = kind.panels(subject)
            else:
                pairs = applying(subject, [kind], lambda text: note(f"note: {text}"))
                panels = next((panels for _, panels in pairs), [])
            each.append((subject.name, panels))
        drawn = each[0][1] if len(each) == 1 else overlaid(each)
        if drawn:
            found.append((kind, drawn))
    if not found:
        names = ", ".join(kind.name for kind in wanted)
        runs = ", ".join(str(subject.run.path) for subject in subjects)
        raise RunError(
            f"{runs}: expected something to draw for {names}, found nothing that fits "
            "its data and its network. See what there is: -k all"
        )
    return found


def _write(path: Path, title: str, panels: list[Panel]) -> None:
    from nncli.core.atomic import write_bytes
    from nncli.core.files import writable
    from nncli.report.plots.figure import drawn

    (content,) = drawn(title, panels, path.suffix.lower().removeprefix("."))
    with writable(path):
        write_bytes(path, content)


def _show(drawn: Drawn) -> None:
    from nncli.report.plots.terminal import text_of

    console = out()
    for place, (kind, panels) in enumerate(drawn):
        if len(drawn) > 1:
            if place:
                say("")
            say_wrapped(f"== {kind.title} ==")
        for line in text_of(panels, columns()):
            console.print(line, no_wrap=True, overflow="ignore", crop=False)


def _facts(drawn: Drawn, subjects: list[Subject], written: list[Path]) -> Any:
    from nncli.report.plots.panels import facts_of

    return {
        "runs": [str(subject.run.path) for subject in subjects],
        "kinds": [
            {
                "kind": kind.name,
                "title": kind.title,
                "panels": [facts_of(panel) for panel in panels],
            }
            for kind, panels in drawn
        ],
        "written": [str(path) for path in written],
    }
