"""Pictures: a run draws itself at its end, and never fails by it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nncli.cli.console import note
from nncli.core.errors import MissingExtra

if TYPE_CHECKING:
    from nncli.experiment.experiment import Experiment
    from nncli.runs.directory import RunDirectory

SECONDS = 20.0
"""After which no other picture is begun: what each takes has a bound of its own."""


def draw_run(run: RunDirectory, experiment: Experiment) -> None:
    """Draw all pictures that apply into the run's ``plots``, and say where they are.

    What goes wrong is one line, and Ctrl-C leaves out the rest.

    Args:
        run: That has come to its end.
        experiment: Its own; it gets the parameters of the best checkpoint.
    """
    try:
        _draw(run, experiment)
    except KeyboardInterrupt:
        note("note: the other pictures are left out. Draw them: nncli plot RUN -k all")
    except MissingExtra:
        note('note: no pictures: they need matplotlib: pip install "nncli[plot]"')
    except Exception as error:
        note(f"note: no pictures: {error or type(error).__name__}".partition("\n")[0])


def _draw(run: RunDirectory, experiment: Experiment) -> None:
    from nncli.core.atomic import write_bytes
    from nncli.core.text import count
    from nncli.report.plots.base import kinds
    from nncli.report.plots.figure import check_matplotlib
    from nncli.report.plots.pictures import pictures
    from nncli.report.plots.subject import Subject

    check_matplotlib()
    run.plots.mkdir(exist_ok=True)
    untold: list[str] = []
    drawn = set()
    subject = Subject(run, experiment)
    for each in pictures(subject, svg=False, tell=untold.append, seconds=SECONDS):
        write_bytes(run.plots / f"{each.name}.png", each.png)
        drawn.add(each.name)
    for kind in kinds():
        # Of a run that went on, what does not apply any more.
        if kind.name not in drawn:
            (run.plots / f"{kind.name}.png").unlink(missing_ok=True)
    note(f"{count(len(drawn), 'picture')} in {run.plots}")
    if untold:
        note(f"note: not drawn: {'; '.join(untold)}")
