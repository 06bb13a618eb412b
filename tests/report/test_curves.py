"""Curves of runs: which points they have, and what is left out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nncli.report.charts import Chart, Curve, chart_html
from nncli.report.curves import (
    MOST_POINTS,
    evaluation_charts,
    layer_charts,
    rows_at,
)
from nncli.report.page import page
from nncli.report.thinned import thinned
from tests.report.recorded import recorded


def row(step: int, epoch: float, **scores: Any) -> dict[str, Any]:
    """Return a row of metrics.jsonl."""
    return {"epoch": epoch, "step": step, "lr": 0.1, "step_loss": 0.3, **scores}


def test_a_chart_for_each_score_with_both_parts_and_the_best_ringed() -> None:
    rows = [
        row(5 * i, i, train={"loss": 1 / i, "f1": None}, validation={"loss": 2 / i})
        for i in (1, 2, 3)
    ]
    charts = evaluation_charts({"a": rows}, {"a": 10})
    assert [chart.title for chart in charts] == ["Loss", "Learning rate"]
    train, validation, steps = charts[0].curves
    assert [curve.name for curve in charts[0].curves] == [
        "train",
        "validation",
        "steps",
    ]
    assert list(train.points) == [(1, 1.0), (2, 0.5), (3, 1 / 3)]
    assert (train.best, validation.best, steps.best) == (None, 1, None)
    assert charts[0].x == "epoch"


def test_steps_are_counted_where_an_epoch_has_several_evaluations() -> None:
    rows = [row(i, i // 2, train={"loss": 1.0}) for i in (1, 2, 3)]
    chart = evaluation_charts({"a": rows}, {})[0]
    assert chart.x == "step"
    assert [x for x, _ in chart.curves[0].points] == [1, 2, 3]


def test_a_score_of_a_part_alone_is_no_part_of_another_score() -> None:
    rows = [row(1, 1, train={"loss": 1.0}, seconds=3.0, note="x")]
    titles = [chart.title for chart in evaluation_charts({"a": rows}, {})]
    assert titles == ["Loss", "Learning rate", "Seconds"]


def test_layers_are_drawn_where_few_steps_tell_of_them() -> None:
    rows = [recorded(step) for step in range(1, 13)]
    for each in rows[1::3] + rows[2::3]:
        del each["layers"]
    chart = layer_charts(rows)[0]
    assert [list(curve.points) for curve in chart.curves] == [
        [(1, 2.0), (4, 2.0), (7, 2.0), (10, 2.0)]
    ] * 3


def test_a_long_curve_is_thinned_and_keeps_ends_and_best() -> None:
    count = 3 * MOST_POINTS
    rows = [row(i, i, train={"loss": float(i)}) for i in range(1, count + 1)]
    best = rows[-2]["step"]
    curve = evaluation_charts({"a": rows}, {"a": best})[0].curves[0]
    assert len(curve.points) == MOST_POINTS + 1
    assert curve.best is not None
    assert curve.points[curve.best] == (best, float(best))
    assert (curve.points[0][0], curve.points[-1][0]) == (1, count)
    assert thinned([1, 2, 3], 3) == [1, 2, 3]


def test_rows_whose_steps_do_not_ascend_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"step": 2}\n{"step": 1}\n{"a": 3}\n{"step": 3}\n{"step": 4')
    assert [each["step"] for each in rows_at(path)] == [2, 3]
    assert rows_at(tmp_path / "missing") == []


def test_the_table_of_a_chart_has_each_value_of_each_curve() -> None:
    curves = [Curve("a<b", [(1, 0.5), (2, None)]), Curve("c", [(2, 1e-9)])]
    html = chart_html(Chart("Loss", "step", "loss", curves), "here")
    assert 'a&lt;b</th><th scope="col">c</th>' in html
    assert '<th scope="row">1</th><td>0.5</td><td></td>' in html
    assert '<th scope="row">2</th><td></td><td>1e-09</td>' in html
    assert '"name":"a\\u003cb"' in html


@pytest.mark.parametrize("script", ["a</SCRIPT>", "<!-- x", "a\r\nb"])
def test_a_script_that_a_page_would_read_otherwise_is_refused(script: str) -> None:
    with pytest.raises(ValueError, match="a script that can stand in a page"):
        page("x", [], scripts=[script])
