"""Pictures: every kind that applies to a run, drawn."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from nncli.core.errors import NncliError
from nncli.report.plots.base import Kind, kinds
from nncli.report.plots.figure import check_matplotlib, drawn
from nncli.report.plots.panels import Panel
from nncli.report.plots.subject import Subject
from nncli.runs.directory import RunDirectory


@dataclass(frozen=True)
class Picture:
    """A picture of a run.

    Attributes:
        name: Of its kind: ``confusion``.
        title: What it shows, for people.
        png: About 1,200 pixels wide.
        svg: The same as lines and letters; None where it was not asked for.
        alt: A sentence for who does not see it.
    """

    name: str
    title: str
    png: bytes
    svg: str | None
    alt: str


def silent(_text: str) -> None:
    """Tell nobody."""


def pictures_of(
    run: RunDirectory,
    *,
    allow_plugins: bool = False,
    svg: bool = True,
    tell: Callable[[str], None] = silent,
) -> list[Picture]:
    """Draw every kind of picture that applies to a run.

    What cannot be drawn is left out, for example where its data is gone.

    Args:
        run: Its directory.
        allow_plugins: Whether its config may run the Python files it names; without it,
            of a run with plugins only the logs are drawn.
        svg: Whether they are wanted as SVG too.
        tell: Is told in a line what could not be drawn, and why.

    Raises:
        MissingExtra: Matplotlib is not installed.
    """
    subject = Subject(run, allow_plugins=allow_plugins)
    return list(pictures(subject, svg=svg, tell=tell))


def pictures(
    subject: Subject,
    *,
    svg: bool,
    tell: Callable[[str], None],
    seconds: float = float("inf"),
) -> Iterator[Picture]:
    """Draw every kind that applies, one after another; see ``pictures_of``.

    Args:
        subject: The run.
        svg: Whether they are wanted as SVG too.
        tell: Is told what could not be drawn.
        seconds: After which no other one is begun.
    """
    check_matplotlib()
    begin = time.monotonic()
    for kind, panels in applying(subject, kinds(), tell):
        if time.monotonic() - begin > seconds:
            tell(f"{kind.name} and what follows: left out after {seconds:.0f} s.")
            return
        try:
            yield picture(kind, panels, subject.name, svg=svg)
        except Exception as error:
            tell(f"{kind.name}: {_reason(error)}")


def picture(
    kind: Kind, panels: Sequence[Panel], of: str, *, svg: bool = False
) -> Picture:
    """Draw panels of a kind, of a run called so."""
    png, *more = drawn(f"{kind.title}: {of}", panels, "png", *(["svg"] if svg else []))
    text = more[0].decode() if more else None
    return Picture(kind.name, kind.title, png, text, kind.alt(list(panels)))


def applying(
    subject: Subject, wanted: Sequence[Kind], tell: Callable[[str], None]
) -> Iterator[tuple[Kind, list[Panel]]]:
    """Yield each kind that applies to a run, and its panels."""
    failed = ""
    for kind in wanted:
        try:
            panels = kind.panels(subject)
        except Exception as error:
            # Where the network is not to be had, all kinds say the same.
            reason = _reason(error)
            if reason != failed:
                tell(f"{kind.name}: {reason}")
            failed = reason
            continue
        if panels:
            yield kind, panels


def _reason(error: Exception) -> str:
    """Say in a line why something was not drawn."""
    text = str(error).partition("\n")[0]
    if isinstance(error, NncliError):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
