"""A run, or several beside each other, as one page of HTML."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence

from nncli.core.errors import NncliError
from nncli.core.text import count, number
from nncli.report.charts import Chart, chart_html, chart_library, chart_script
from nncli.report.curves import evaluation_charts, layer_charts, recorded_charts
from nncli.report.gathered import Gathered
from nncli.report.page import heading, listing, page, paragraph, text_of
from nncli.report.ridges import histogram_cards
from nncli.report.run_parts import (
    STYLE,
    commands,
    config,
    environment,
    facts,
    network,
    pictures,
    scores,
    value_text,
)
from nncli.runs.comparison import Parting, differences, parting
from nncli.runs.comparison import environment as made_with


def run_page(runs: Sequence[Gathered]) -> str:
    """Write a page that needs no other file.

    Args:
        runs: One, or several whose curves are drawn over each other.

    Raises:
        MissingExtra: What draws the curves is not installed.
    """
    scripts = [chart_library(), chart_script()]
    title = ", ".join(each.name for each in runs)
    parts = _one(runs[0]) if len(runs) == 1 else _several(runs)
    return page(title, list(parts), style=STYLE, scripts=scripts)


def _one(run: Gathered) -> Iterator[str]:
    places = itertools.count()
    yield heading(1, run.name)
    sections = {
        "Summary": [_beside(facts([run]), scores([run])), *_problems(run)],
        "Curves": _curves([run], places),
        "Recorded steps": _recorded([run], places),
        "Layers over time": _layers(run, places),
        "Network": network(run, 2),
        "Config": config(run),
        "Pictures": pictures(run),
        "Environment": environment(run),
        "Reproduce": commands(run),
    }
    yield from _sections(sections)


def _several(runs: Sequence[Gathered]) -> Iterator[str]:
    places = itertools.count()
    yield heading(1, f"{count(len(runs), 'run')} compared")
    sections: dict[str, Sequence[str]] = {
        "Summary": [
            facts(runs),
            scores(runs),
            *(p for r in runs for p in _problems(r)),
        ],
        "Curves": _curves(runs, places),
        "Recorded steps": _recorded(runs, places),
        "Differences": list(_differences(runs)),
    }
    for run in runs:
        within = {
            "Layers over time": _layers(run, places),
            "Network": network(run, 3),
            "Config": config(run),
            "Pictures": pictures(run),
            "Environment": environment(run),
            "Reproduce": commands(run),
        }
        sections[run.name] = [
            part
            for title, parts in within.items()
            if parts
            for part in (heading(3, title), *parts)
        ]
    yield from _sections(sections)


def _sections(sections: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Yield the sections that hold something, and before them links to each."""
    kept = {title: parts for title, parts in sections.items() if parts}
    links = "".join(
        f'<a href="#part-{place}">{text_of(title)}</a>'
        for place, title in enumerate(kept)
    )
    yield f'<nav aria-label="Contents">{links}</nav>'
    for place, (title, parts) in enumerate(kept.items()):
        yield heading(2, title, place=f"part-{place}")
        yield from parts


def _beside(*parts: str) -> str:
    """Set parts beside each other where the window is wide enough."""
    return (
        f'<div class="columns">{"".join(f"<div>{part}</div>" for part in parts)}</div>'
    )


def _problems(run: Gathered) -> Iterator[str]:
    for problem in run.entry.problems:
        yield paragraph(f"! {problem}", "wrong")


def _drawn(charts: Sequence[Chart], places: Iterator[int]) -> list[str]:
    if not charts:
        return []
    figures = "".join(chart_html(each, f"chart-{next(places)}") for each in charts)
    return [f'<div class="columns">{figures}</div>']


def _curves(runs: Sequence[Gathered], places: Iterator[int]) -> list[str]:
    best = {run.name: run.entry.best_step for run in runs}
    charts = evaluation_charts({run.name: run.rows for run in runs}, best)
    if not charts:
        return [paragraph("Nothing was evaluated yet.", "note")]
    note = "A ring marks the best checkpoint, by the monitored score."
    if len(runs) > 1:
        note += " Dashed lines are of the training part."
    return [paragraph(note, "note"), *_drawn(charts, places)]


def _recorded(runs: Sequence[Gathered], places: Iterator[int]) -> list[str]:
    return _drawn(recorded_charts({run.name: run.records for run in runs}), places)


def _layers(run: Gathered, places: Iterator[int]) -> list[str]:
    cards = histogram_cards(run.records)
    note = "Histograms of a layer's outputs, and of the loss's derivatives by them."
    head = [paragraph(note, "note")] if cards else []
    return [*_drawn(layer_charts(run.records), places), *head, *cards]


def _differences(runs: Sequence[Gathered]) -> Iterator[str]:
    """Yield in what the runs differ, and from where on."""
    names = [run.name for run in runs]
    tables = (
        ("config", differences({run.name: run.config for run in runs})),
        ("made with", differences({run.name: made_with(run.run) for run in runs})),
    )
    for head, found in tables:
        if not found:
            yield paragraph(f"{head}: the same")
            continue
        rows = [
            [text_of(at), *(value_text(values, name) for name in names)]
            for at, values in found.items()
        ]
        yield listing([head, *names], rows, texts=True)
    for run in runs[1:]:
        yield paragraph(_parting_text(runs[0], run))


def _parting_text(first: Gathered, other: Gathered) -> str:
    names = f"{first.name} and {other.name}"
    try:
        found: Parting = parting(first.run.metrics, other.run.metrics)
    except NncliError as error:
        return str(error)
    if found.step is not None:
        differs = (found.differs or {}).items()
        told = (f"{k} {number(a)} and {number(b)}" for k, (a, b) in differs)
        return f"{names} differ from step {found.step:,} on: {', '.join(told)}"
    if found.rows:
        return f"{names} are the same up to the last step of both, {found.same:,}"
    return f"{names} have no evaluations after the same steps."
