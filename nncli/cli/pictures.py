"""Pictures: a run draws itself at its end, and never fails by it."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from nncli.cli.completion import kind_names
from nncli.cli.console import note, watched
from nncli.core.errors import MissingExtra
from nncli.runs.locks import held_in_turn, hold

if TYPE_CHECKING:
    from nncli.experiment.experiment import Experiment
    from nncli.runs.directory import RunDirectory

LOWEST = 19
"""Priority of a process that yields to all others."""

SECONDS = 20.0
"""After which no other picture is begun: what each takes has a bound of its own."""


def draw_later(run: RunDirectory, experiment: Experiment) -> bool:
    """Let another process draw, where a person at a terminal would wait for pictures.

    It yields to everything else on the machine. There is one at a time for a directory
    of runs: a loop over short trainings shall not leave a hundred of them behind.

    Args:
        run: That has come to its end.
        experiment: Its own.

    Returns:
        Whether it will draw.
    """
    from subprocess import DEVNULL

    from nncli.cli.children import open_module
    from nncli.report.plots.figure import has_matplotlib

    if not watched() or not has_matplotlib():
        return False
    try:
        with contextlib.ExitStack() as stack:
            handles = []
            run.plots.mkdir(exist_ok=True)
            for path in (run.path.parent, run.plots):
                handles.append(handle := os.open(path, os.O_RDONLY))
                stack.callback(os.close, handle)
                if not hold(handle):
                    return False
            _remove(run)
            log = stack.enter_context(run.log.open("ab"))
            drawing = open_module(
                "nncli",
                ["plot", str(run.path), "-k", "all", "-o", str(run.plots)]
                + ["--allow-plugins"] * bool(experiment.config.plugins),
                # It holds the locks as long as it lives.
                pass_fds=handles,
                start_new_session=True,
                stdin=DEVNULL,
                stdout=DEVNULL,
                stderr=log,
            )
            os.setpriority(os.PRIO_PROCESS, drawing.pid, LOWEST)
    except OSError:
        return False
    # Nobody waits for it, and Python shall not warn of that.
    drawing.returncode = 0
    note(f"pictures: being drawn into {run.plots}")
    return True


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
    from nncli.report.plots.figure import check_matplotlib
    from nncli.report.plots.pictures import pictures
    from nncli.report.plots.subject import Subject

    check_matplotlib()
    run.plots.mkdir(exist_ok=True)
    untold: list[str] = []
    drawn = set()
    subject = Subject(run, experiment)
    with held_in_turn(run.plots):
        # Of a run that went on, what does not apply any more.
        _remove(run)
        for each in pictures(subject, svg=False, tell=untold.append, seconds=SECONDS):
            write_bytes(run.picture(each.name), each.png)
            drawn.add(each.name)
    note(f"{count(len(drawn), 'picture')} in {run.plots}")
    if untold:
        note(f"note: not drawn: {'; '.join(untold)}")


def _remove(run: RunDirectory) -> None:
    """Remove what a run drew before it went on: some may not apply any more."""
    for kind in kind_names():
        run.picture(kind).unlink(missing_ok=True)
