"""The parts of a run's page: scores, network, config, pictures, commands."""

from __future__ import annotations

import base64
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from nncli.config.terse import terse
from nncli.config.write import to_flow
from nncli.core.text import count, duration, number, shortened
from nncli.report.diagram import diagram
from nncli.report.gathered import Gathered
from nncli.report.page import heading, listing, paragraph, text_of
from nncli.report.settings import LONGEST
from nncli.runs.entry import PARTS
from nncli.runs.untrusted import mapping, texts
from nncli.training.cost import batch_shape, counted, layer_facts

STYLE = """
body { max-width: 75rem; }
nav { display: flex; flex-wrap: wrap; gap: .25rem 1rem; margin: .75rem 0; }
.columns { display: grid; gap: 0 2rem; }
@media (min-width: 60rem) { .columns { grid-template-columns: 1fr 1fr; } }
.columns > * { min-width: 0; }
.pair { display: flex; flex-wrap: wrap; gap: 0 1.5rem; }
.pair figure { flex: 1 1 16rem; margin: .25rem 0; max-width: 30rem; }
.ridges svg { width: 100%; height: auto; display: block; }
.ridges polyline {
  fill: color-mix(in srgb, var(--c1) calc(var(--age) * 100%), var(--c0));
  fill-opacity: .75; stroke: var(--card); stroke-width: .8;
}
svg text { fill: var(--faint); font: 11px ui-monospace, monospace; }
.diagram { max-height: 44rem; overflow: auto; }
.diagram svg { display: block; margin: 0 auto; }
.diagram text { text-anchor: middle; fill: var(--ink); font-size: 12px; }
.diagram .head { text-anchor: start; fill: var(--faint); }
.diagram .facts { fill: var(--faint); font-size: 10.5px; }
.diagram .sign text { font-size: 14px; }
.box rect { fill: var(--card); stroke: var(--c0); stroke-width: 1.5; }
.box.end rect { stroke: var(--faint); stroke-dasharray: 4 3; }
.box.frozen rect { stroke: var(--c7); stroke-dasharray: 2 2; }
.frame { fill: none; stroke: var(--line); stroke-width: 1.5; }
.sign circle { fill: var(--ground); stroke: var(--faint); }
.diagram polyline { fill: none; stroke: var(--faint); stroke-width: 1.3; }
.tip { fill: var(--faint); }
pre {
  background: var(--card); border: 1px solid var(--line); border-radius: .5rem;
  padding: .75rem; font-size: .85rem; white-space: pre-wrap;
}
h3 { margin-top: 1.25rem; }
.card h3 { margin-top: 0; }
.picture img {
  width: 100%; height: auto; background: #ffffff; border-radius: .4rem;
}
th[scope=row] { max-width: 22rem; overflow: hidden; text-overflow: ellipsis; }
td.text { text-align: left; white-space: normal; min-width: 8rem; }
td.long { min-width: min(22rem, 70vw); }
tr:has(.text) > * { vertical-align: top; }
@media print {
  .columns { grid-template-columns: 1fr 1fr; }
  .canvas { height: 12rem; }
  .card { break-inside: avoid; }
  .diagram { max-height: none; overflow: visible; }
  .diagram svg { max-width: 100%; height: auto; }
  nav, button, .chart details { display: none; }
}
"""


def facts(runs: Sequence[Gathered]) -> str:
    """Return a table of how runs are getting on."""
    every = [dict(_facts(run)) for run in runs]
    names = dict.fromkeys(name for found in every for name in found)
    rows = [
        [text_of(name), *(text_of(found.get(name, "")) for found in every)]
        for name in names
    ]
    return listing(["run", *(run.name for run in runs)], rows, texts=True)


def _facts(run: Gathered) -> Iterator[tuple[str, str]]:
    entry = run.entry
    yield "state", entry.state
    yield "started", entry.started or ""
    yield "time", "" if entry.seconds is None else duration(entry.seconds)
    yield "epochs", "" if entry.epochs is None else f"{entry.epochs:,}"
    yield "steps", "" if entry.steps is None else f"{entry.steps:,}"
    yield "monitored", entry.monitor or ""
    yield "best step", "" if entry.best_step is None else f"{entry.best_step:,}"
    if run.experiment is not None:
        sizes = run.experiment.network
        yield "parameters", counted(sizes.size, sizes.flat.values.size)
    if entry.overrides:
        yield "overrides", " ".join(entry.overrides)
    if entry.tags:
        yield "tags", " ".join(entry.tags)


def scores(runs: Sequence[Gathered]) -> str:
    """Return a table of scores at the best checkpoints, parts beside each other."""
    columns = [
        (run, part) for run in runs for part in PARTS if getattr(run.entry, part)
    ]
    names = dict.fromkeys(n for run, part in columns for n in getattr(run.entry, part))
    rows = []
    for name in names:
        cells = [text_of(name)]
        for run, part in columns:
            found = getattr(run.entry, part).get(name)
            other = part == "test" and not run.entry.test_is_of_best
            cells.append("" if found is None else f"{number(found)}{'*' * other}")
        rows.append(cells)
    if not rows:
        return paragraph("There are no scores yet.", "note")
    heads = [part if len(runs) == 1 else f"{run.name} {part}" for run, part in columns]
    note = "Scores at the best checkpoint."
    if any("*" in cell for cells in rows for cell in cells[1:]):
        note += " * of another checkpoint, by an earlier nncli eval"
    return listing(["score", *heads], rows) + paragraph(note, "note")


def network(run: Gathered, level: int) -> list[str]:
    """Return the table of the layers and their diagram."""
    if run.experiment is None:
        return _missing(run, "experiment", "network")
    network = run.experiment.network
    shape = text_of(batch_shape(network.shapes[0]))
    rows = [["input", shape, "", ""]]
    for layer in layer_facts(network):
        indent = "&nbsp;" * (3 * layer["depth"])
        frozen = " (frozen)" if layer["frozen"] and layer["parameters"] else ""
        rows.append(
            [
                f"{indent}{text_of(layer['layer'])}{frozen}",
                text_of(batch_shape(layer["output_shape"])),
                f"{layer['parameters']:,}",
                f"{layer['flops']:,}",
            ]
        )
    parameters = counted(network.size, network.flat.values.size)
    told = f"{count(len(network.nested), 'layer')}, parameters: {parameters}."
    if run.experiment.fused:
        told += f" Behind them {run.experiment.fused}, which is part of the loss."
    return [
        paragraph(told),
        listing(["layer", "output", "parameters", "flops a row"], rows),
        heading(level + 1, "Diagram"),
        diagram(network),
    ]


def config(run: Gathered) -> list[str]:
    """Return what of a config differs from the defaults, and folded all of it."""
    for what in ("config", "settings", "resolved"):
        if what in run.missing:
            return _missing(run, what, "config")
    rows = [
        [text_of(each.place), text_of(each.value), text_of(each.default)]
        for each in run.settings
    ]
    return [
        paragraph("What has no default, and what differs from it.", "note"),
        listing(["key", "value", "default"], rows, texts=True),
        "<details><summary>The whole config, with every default filled in</summary>"
        f"<pre>{text_of(run.resolved)}</pre></details>",
    ]


def pictures(run: Gathered) -> list[str]:
    """Return the pictures of a run."""
    if "pictures" in run.missing:
        return _missing(run, "pictures", "pictures")
    drawn = "".join(
        '<figure class="picture">'
        f'<img alt="{text_of(each.alt)}" src="data:image/png;base64,'
        f'{base64.b64encode(each.png).decode()}"></figure>'
        for each in run.pictures
    )
    grid = [f'<div class="columns">{drawn}</div>'] if drawn else []
    return [*grid, *(paragraph(f"Not drawn: {why}", "note") for why in run.undrawn)]


def environment(run: Gathered) -> list[str]:
    """Return the table of what a run was made with."""
    if not run.environment:
        return [paragraph("There is no manifest that can be read.", "note")]
    rows = [[text_of(name), text_of(fact)] for name, fact in run.environment.items()]
    return [listing(["made with", ""], rows, texts=True)]


def commands(run: Gathered) -> list[str]:
    """Return the commands that make the run again, and go on from it."""
    lines = []
    packages = [
        f"{name}=={run.manifest[name]}"
        for name in ("nncli", "numpy")
        if isinstance(run.manifest.get(name), str)
    ]
    if packages:
        lines += [
            "# the versions that it was made with",
            shlex.join(["pip", "install", *packages]),
        ]
    command = texts(run.manifest.get("command"))
    if command:
        lines += ["# as it was called", shlex.join(command)]
    changes = run.manifest.get("changes")
    for change in changes if isinstance(changes, list) else []:
        changed = texts(mapping(change).get("overrides"))
        if changed:
            again = ["nncli", "train", "--resume", run.entry.path, *changed]
            lines += ["# changed later", shlex.join(again)]
    for note, verb in (
        ("the same training anew, from the run's own config", "train"),
        ("its scores on the test part, else validation, else train", "eval"),
    ):
        lines += [f"# {note}", shlex.join(["nncli", verb, run.entry.path])]
    return [
        f"<pre>{text_of(chr(10).join(lines))}</pre>",
        paragraph(
            "The same bits come out on the same machine with the same versions, data "
            "and number of threads.",
            "note",
        ),
    ]


def value_text(values: Mapping[str, Any], name: str) -> str:
    """Return what stands at a place of one run's config, escaped; "-" for nothing."""
    return (
        text_of(shortened(to_flow(terse(values[name])), LONGEST))
        if name in values
        else "-"
    )


def _missing(run: Gathered, what: str, noun: str) -> list[str]:
    why = run.missing.get(what)
    return [paragraph(f"The {noun} cannot be shown: {why}", "note")] if why else []
