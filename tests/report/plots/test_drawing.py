"""Drawing: files that open, texts from data as texts, charts that fit the terminal."""

from __future__ import annotations

import struct
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from rich.cells import cell_len

from nncli.core.errors import MissingExtra
from nncli.report.plots import pictures_of
from nncli.report.plots.figure import _figure, _settings, drawn
from nncli.report.plots.looks import legend_name
from nncli.report.plots.panels import (
    Bars,
    Images,
    Lines,
    Matrix,
    Panel,
    Regions,
    Series,
    facts_of,
    overlaid,
)
from nncli.report.plots.pictures import pictures
from nncli.report.plots.subject import Subject
from nncli.report.plots.terminal import text_of
from tests.report.plots.trained import subject_of
from tests.runs.made import make_run

pytest.importorskip("matplotlib")

HOSTILE = (
    "<script>alert(1)</script>",
    "$x^2$",
    "a\nb",
    "_hidden",
    "\x1b[31mred",
    "]]>",
)
LINE = np.linspace(0, 1, 5)
GRID = np.add.outer(np.arange(6), np.arange(6))


def panels() -> list[Panel]:
    """Return a panel of each sort, with names that mean harm."""
    names = HOSTILE
    lines = tuple(Series(n, LINE, LINE * k, colour=k) for k, n in enumerate(names))
    marked = Series(names[0], LINE, LINE, "dashed", 2)
    plane = LINE, LINE, GRID[:5, :5] % 6, np.full((5, 5), 0.7), names
    return [
        Lines(names[1], names[2], names[3], (*lines, marked), marked=names[4]),
        Bars(names[0], names[1], LINE, np.array([3, 0, 7, 1])),
        Matrix(names[0], names[1], names[2], GRID, names, names, written=True),
        Matrix(names[0], names[1], names[2], GRID - 5.0, names, names, signed=True),
        Regions(names[0], names[1], names[2], *plane, np.eye(2), np.array([0, 1])),
        Images(names[3], np.random.default_rng(0).random((3, 3, 4, 4)), names[:3]),
    ]


@pytest.mark.slow
def test_texts_from_data_are_texts_in_svg() -> None:
    (svg,) = drawn(HOSTILE[0], panels(), "svg")
    root = ElementTree.fromstring(svg)
    assert b"<script" not in svg
    assert not [each for each in root.iter() if each.tag.endswith("script")]
    texts = {"".join(each.itertext()).strip() for each in root.iter()}
    told = (
        "<script>alert(1)</script>",
        "$x^2$",
        r"a\nb",
        "_hidden",
        r"\x1b[31mred",
        "]]>",
    )
    for text in told:
        assert text in texts


def test_titles_and_legend_lie_within_the_picture_beside_each_other() -> None:
    place = "layers[10].layers[10].layers[10] attention, head 1 of 4"
    names = [f"{n} is a class with a name of many letters" for n in range(2)]
    lines = tuple(Series(name, LINE, LINE, colour=k) for k, name in enumerate(names))
    with _settings():
        figure = _figure("run " * 50, 2 * [Lines(place, "", "", lines)])
        figure.draw_without_rendering()
        told = *(axes.title for axes in figure.axes), *figure.legends, *figure.texts
        boxes = [each.get_window_extent() for each in told]
    assert all(box.x0 >= 0 and box.x1 <= figure.bbox.x1 for box in boxes)
    first, second, _, above = boxes
    assert first.x1 < second.x0
    assert first.y1 < above.y0


def test_long_names_of_a_legend_keep_their_ends() -> None:
    name = "a class with a name of many letters, and some more of them (0.198)"
    found = "a class with a name of many letters, …re of them (0.198)"
    assert legend_name(name) == found
    panel = Lines("", "", "", (Series(name, LINE, LINE),))
    assert text_of([panel], 30)[-1].plain == "  * a class with a na… (0.198)"


def test_no_axis_leaves_a_power_of_its_numbers_elsewhere() -> None:
    ends = (-2e5, 2.4e6), (1e-8, 9e-8), (1_000_000, 1_000_004)
    lines = [Series("", np.array(x), np.array(x)) for x in ends]
    with _settings():
        figure = _figure("", [Lines("", "", "", (each,)) for each in lines])
    for axes, number in zip(figure.axes, ("1M", "2e−8", "1.000002M"), strict=True):
        for axis in (axes.xaxis, axes.yaxis):
            form = axis.get_major_formatter()
            assert number in form.format_ticks(axis.get_majorticklocs())
            assert not form.get_offset()
        assert len(axes.xaxis.get_majorticklocs()) <= 7


def test_png_is_1200_pixels_wide() -> None:
    (png,) = drawn("title", panels()[:1], "png")
    assert png.startswith(b"\x89PNG\r\n")
    assert struct.unpack(">I", png[16:20]) == (1200,)


def test_letters_come_from_other_fonts_that_are_installed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The second comes with matplotlib.
    others = "No Such Font", "STIXGeneral"
    monkeypatch.setattr("nncli.report.plots.figure.OTHERS", others)
    with _settings():
        import matplotlib as mpl

        assert mpl.rcParams["font.family"] == ["DejaVu Sans", "STIXGeneral"]


def test_settings_of_the_user_are_neither_used_nor_changed() -> None:
    import matplotlib as mpl

    with mpl.rc_context({"text.usetex": True, "figure.dpi": 17, "lines.color": "red"}):
        (png,) = drawn("title", panels()[:1], "png")
        assert mpl.rcParams["text.usetex"]
    assert struct.unpack(">I", png[16:20]) == (1200,)


@pytest.mark.parametrize("width", [80, 60, 40, 19])
def test_charts_fit_the_terminal(width: int) -> None:
    lines = [line.plain for line in text_of(panels(), width)]
    assert max(map(cell_len, lines)) <= width
    assert all(line.isprintable() for line in lines)
    if width >= 40:
        assert any("<script>" in line for line in lines)


def test_chart_puts_values_where_they_are() -> None:
    series = Series("s", np.array([0.0, 10.0]), np.array([1.0, 100.0]))
    text = [line.plain for line in text_of([Lines("t", "x", "", (series,))], 40)]
    title, top, *_, bottom, _, axis, _ = text
    assert title == "t"
    assert (top[:6], top[-1]) == (" 100 │", "*")
    assert bottom[:7] == "   1 │*"
    assert axis.split() == ["0", "x", "10"]
    log = Lines("t", "x", "", (series,), log=True)
    middle = text_of([log], 40)[8].plain
    assert middle.startswith(" 10 │")


def test_chart_tells_series_apart_without_colours() -> None:
    lines = tuple(Series(n, LINE, LINE * 0 + k) for k, n in enumerate("abc"))
    text = "\n".join(line.plain for line in text_of([Lines("", "x", "", lines)], 40))
    assert "* a  o b  + c" in text
    assert text.count("o" * 30) == 1


def test_values_that_are_none_leave_a_gap() -> None:
    y = np.array([1.0, np.nan, np.nan, np.nan, 1.0])
    (line,) = [
        line.plain
        for line in text_of([Lines("", "x", "", (Series("", LINE, y, "dots"),))], 40)
        if "*" in line.plain
    ]
    assert line.count("*") == 2
    assert facts_of(Lines("", "x", "", (Series("", LINE, y),)))["series"][0]["y"] == [
        1.0,
        None,
        None,
        None,
        1.0,
    ]


def test_overlaid_runs_have_a_colour_each() -> None:
    def of(*names: str) -> list[Panel]:
        series = tuple(Series(name, LINE, LINE) for name in names)
        return [Lines("loss", "epoch", "", series), Bars("", "", LINE, LINE[1:])]

    (panel,) = overlaid([("a", of("train", "validation")), ("b", of("train"))])
    assert isinstance(panel, Lines)
    found = [(each.name, each.colour) for each in panel.series]
    assert found == [("a: train", 0), ("a: validation", 0), ("b: train", 1)]


@pytest.mark.slow
def test_pictures_of_a_run_whose_network_is_gone_are_those_of_its_logs(
    tmp_path: Path,
) -> None:
    told: list[str] = []
    found = pictures_of(make_run(tmp_path), tell=told.append)
    assert [picture.name for picture in found] == ["curves"]
    (curves,) = found
    assert curves.png.startswith(b"\x89PNG")
    assert curves.svg is not None
    assert "<svg" in curves.svg
    assert curves.alt.startswith("Curves of loss, accuracy")
    # What all other kinds say is said once.
    assert len(told) == 1
    assert "checkpoint" in told[0]


def test_no_picture_is_begun_after_its_time(tmp_path: Path) -> None:
    told: list[str] = []
    subject = Subject(make_run(tmp_path))
    assert not list(pictures(subject, svg=False, tell=told.append, seconds=-1))
    assert told == ["curves and what follows: left out after -1 s."]


def test_pictures_need_matplotlib(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nncli.report.plots.figure.has_matplotlib", lambda: False)
    with pytest.raises(MissingExtra, match=r'pip install "nncli\[plot\]"'):
        pictures_of(make_run(tmp_path))


def test_one_picture_is_of_few_rows_of_a_costly_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject = subject_of(tmp_path, 1)
    monkeypatch.setattr("nncli.report.plots.subject.OPERATIONS", 20 * 6)
    monkeypatch.setattr("nncli.report.plots.subject.LEAST_ROWS", 3)
    rows = len(subject.experiment.parts["validation"])
    assert 3 <= len(subject.part) < rows
    assert subject.shown.endswith(f"of {rows} rows")
