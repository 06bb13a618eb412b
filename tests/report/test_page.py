"""Pages: texts stay texts, whatever letters they have."""

from __future__ import annotations

from nncli.report.charts import Chart, Curve, chart_html
from nncli.report.page import heading, listing, page, paragraph
from nncli.report.ridges import histogram_cards

TURNED = "a\u202eb\x1b[31m\x00"
SHOWN = r"a\u202eb\x1b[31m\x00"


def test_letters_that_turn_others_around_are_written_out() -> None:
    curves = [Curve(TURNED, [(1, 0.5)])]
    bins = {"low": 0.0, "high": 1.0, "counts": [1]}
    layers = {TURNED: {"activations": {"histogram": bins}}}
    parts = [
        heading(1, TURNED, aside=TURNED),
        paragraph(TURNED),
        listing([TURNED], []),
        chart_html(Chart(TURNED, "step", TURNED, curves), "here"),
        *histogram_cards([{"step": 1, "layers": layers}]),
    ]
    html = page(TURNED, parts)
    assert not [letter for letter in "\u202e\x1b\x00" if letter in html]
    assert all(SHOWN in part for part in parts)
    assert f"<title>{SHOWN}</title>" in html
