"""Curves of runs: what their logs of evaluations and of recorded steps hold."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from nncli.core.errors import RunError
from nncli.report.charts import Chart, Curve, Point
from nncli.report.thinned import places, thinned
from nncli.runs.rows import flat, read_rows
from nncli.runs.untrusted import mapping, number, text

Row = dict[str, Any]

MOST_POINTS = 5000
"""Points of a curve; of more, so many are drawn, evenly."""

MOST_LAYERS = 12
"""Layers with a curve of their own in one chart; of more, so many, evenly."""

PARTS = ("train", "validation")
RECORDED = {
    "loss": "Loss of single steps",
    "gradient_norm": "Gradient norm",
    "update_ratio": "Update-to-weight ratio",
}
"""Numbers of a recorded step that have a chart, and its title."""

BY_LAYER = (
    (("activations", "std"), "Deviation of activations, by layer"),
    (("activations", "zeros"), "Share of zero activations, by layer"),
    (("gradients", "std"), "Deviation of gradients, by layer"),
    (("update_ratio",), "Update-to-weight ratio, by layer"),
)
"""Numbers of a layer in a recorded step, and the titles of their charts."""


def rows_at(path: Path) -> list[Row]:
    """Return the whole rows of a log whose steps ascend; none where it is missing.

    Raises:
        RunError: The file cannot be read.
    """
    kept: list[Row] = []
    last = -1.0
    try:
        for row, _ in read_rows(path):
            step = number(row.get("step"))
            if step is not None and step > last:
                kept.append(row)
                last = step
    except OSError as error:
        raise RunError(f"{path}: expected rows, got: {error.strerror}.") from None
    return kept


def evaluation_charts(
    runs: Mapping[str, Sequence[Row]], best: Mapping[str, int | None]
) -> list[Chart]:
    """Return a chart of each score, of the learning rate and of what else is logged.

    Args:
        runs: Rows of metrics.jsonl, by the name of the run.
        best: After which step each run's best checkpoint was saved.
    """
    x = _axis(runs)
    logs = {
        name: [flat(row) for row in _drawn(rows, best.get(name))]
        for name, rows in runs.items()
    }
    names = dict.fromkeys(key for log in logs.values() for row in log for key in row)
    scores: dict[str, list[str]] = {}
    for key in names:
        part, _, score = key.partition(".")
        if key not in ("epoch", "step", "step_loss"):
            scores.setdefault(score if part in PARTS and score else key, []).append(key)
    charts = []
    # What judges a model goes before what else there is, such as its learning rate.
    for score, keys in sorted(scores.items(), key=lambda each: "." not in each[1][0]):
        if score == "loss" and "step_loss" in names and len(runs) == 1:
            keys.append("step_loss")
        curves = [
            curve
            for place, (name, log) in enumerate(logs.items())
            for curve in _scores(
                name, log, keys, x, best.get(name), _colour(place, runs)
            )
        ]
        if curves:
            charts.append(Chart(_title(score), x, score, curves))
    return charts


def recorded_charts(runs: Mapping[str, Sequence[Row]]) -> list[Chart]:
    """Return a chart of each number of the recorded steps.

    Args:
        runs: Rows of records.jsonl, by the name of the run.
    """
    runs = {name: thinned(rows, MOST_POINTS) for name, rows in runs.items()}
    charts = []
    for key, title in RECORDED.items():
        curves = [
            curve
            for place, (name, rows) in enumerate(runs.items())
            for curve in _curve(
                name if len(runs) > 1 else key.replace("_", " "),
                [(row["step"], number(row.get(key))) for row in rows],
                colour=place,
            )
        ]
        if curves:
            charts.append(Chart(title, "step", key.replace("_", " "), curves))
    return charts


def layer_charts(rows: Sequence[Row]) -> list[Chart]:
    """Return charts of what was recorded of each layer of one run."""
    # A recorded step need not tell of its layers.
    rows = [row for row in rows if mapping(row.get("layers"))]
    labels = layer_labels(rows)
    shown = thinned(list(labels), MOST_LAYERS)
    rows = thinned(rows, MOST_POINTS)
    charts = []
    for keys, title in BY_LAYER:
        curves = [
            curve
            for place, path in enumerate(shown)
            for curve in _curve(
                labels[path],
                [(row["step"], number(_inside(row, path, keys))) for row in rows],
                colour=place,
                dashed=place >= 8,
            )
        ]
        if curves:
            few = len(shown) < len(labels)
            more = f" ({len(shown)} of {len(labels)} layers)" if few else ""
            y = " ".join(keys).replace("_", " ")
            charts.append(Chart(title + more, "step", y, curves))
    return charts


def layer_labels(rows: Sequence[Row]) -> dict[str, str]:
    """Return the labels of the recorded layers, by their places."""
    labels: dict[str, str] = {}
    for row in rows:
        for path, facts in mapping(row.get("layers")).items():
            labels.setdefault(path, text(mapping(facts).get("label")) or path)
    return labels


def _inside(row: Row, path: str, keys: Sequence[str]) -> Any:
    found: Any = mapping(row.get("layers")).get(path)
    for key in keys:
        found = mapping(found).get(key)
    return found


def _axis(runs: Mapping[str, Sequence[Row]]) -> str:
    """Return what the rows are counted by: steps where an epoch has several."""
    for rows in runs.values():
        epochs = [number(row.get("epoch")) for row in rows]
        for one, two in itertools.pairwise([-1.0, *epochs]):
            if one is None or two is None or one >= two:
                return "step"
    return "epoch"


def _drawn(rows: Sequence[Row], best: int | None) -> list[Row]:
    """Return the rows that are drawn, that of the best step among them."""
    ringed = next((i for i, row in enumerate(rows) if row["step"] == best), None)
    return [rows[place] for place in places(len(rows), MOST_POINTS, ringed)]


def _colour(place: int, runs: Mapping[str, Any]) -> int | None:
    """Return the colour of a run among several; None where parts have their own."""
    return place if len(runs) > 1 else None


def _scores(
    run: str,
    log: Sequence[Row],
    keys: Sequence[str],
    x: str,
    best: int | None,
    colour: int | None,
) -> Iterator[Curve]:
    """Yield the curves of one run in the chart of one score."""
    judged = next((k for k in ("validation", "train") if _has(keys, log, k)), None)
    for place, key in enumerate(keys):
        part = key.partition(".")[0]
        name = "steps" if key == "step_loss" else part if "." in key else key
        points = [(row[x], number(row.get(key))) for row in log]
        ringed = [i for i, row in enumerate(log) if row["step"] == best]
        yield from _curve(
            name if colour is None else f"{run} {name}",
            points,
            colour=place if colour is None else colour,
            dashed=key == "step_loss" or (colour is not None and part == "train"),
            best=ringed[0] if ringed and part == judged else None,
        )


def _has(keys: Sequence[str], log: Sequence[Row], part: str) -> bool:
    return any(key.startswith(f"{part}.") and key in row for key in keys for row in log)


def _curve(
    name: str,
    points: Sequence[Point],
    *,
    colour: int,
    dashed: bool = False,
    best: int | None = None,
) -> Iterator[Curve]:
    """Yield a curve, unless it has no value at all."""
    if any(y is not None for _, y in points):
        yield Curve(name, points, colour, dashed, best)


def _title(score: str) -> str:
    """Return a score as the head of a chart: ``Loss``, ``Learning rate``."""
    if score == "lr":
        return "Learning rate"
    words = score.replace("_", " ")
    return words[:1].upper() + words[1:]
