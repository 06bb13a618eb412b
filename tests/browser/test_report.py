"""The page of ``nncli report``, opened from disk in a real browser."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import nncli.report.plots
from nncli.cli.app import run as main
from nncli.runs.directory import RunDirectory
from nncli.runs.rows import flat
from tests.browser.conftest import PHONE, WIDE, overflows, violations
from tests.conftest import SMALL
from tests.report.recorded import write_records

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.slow]

EVIL = "<script>alert(1)</script>"

POINT = """([place, curve, index]) => {
  const chart = Chart.getChart(place)
  const point = chart.getDatasetMeta(curve).data[index]
  chart.canvas.scrollIntoView({block: "center"})
  const box = chart.canvas.getBoundingClientRect()
  return [box.x + point.x, box.y + point.y]
}"""
SHOWN = """place => {
  const tooltip = Chart.getChart(place).tooltip
  return [...tooltip.title, ...tooltip.body.flatMap(each => each.lines)]
}"""


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    """Train the small config, once, and write its report."""
    folder = tmp_path_factory.mktemp("reported")
    config = folder / "small.yaml"
    config.write_text(SMALL, encoding="utf-8")
    assert main(["train", str(config), "training.epochs=8", *in_(folder)]) == 0
    run = RunDirectory(folder / "small-1")
    write_records(run, 30)
    assert main(["report", str(run.path)]) == 0
    return run


@pytest.fixture
def run(reported: RunDirectory, page: Page) -> RunDirectory:
    """Open the report of a run."""
    show(page, reported.report)
    return reported


def in_(folder: Path) -> list[str]:
    """Return the arguments that put runs into a folder."""
    return ["--runs-dir", str(folder)]


def show(page: Page, path: Path) -> None:
    """Open a file; it must ask for nothing else."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.absolute().as_uri())
    assert {url.partition(":")[0] for url in asked[1:]} <= {"data"}


def drawn(page: Page) -> dict[str, list[list[Any]]]:
    """Return the points of every curve as the browser has them, by label and name."""
    found: dict[str, list[list[Any]]] = page.evaluate(
        """() => Object.fromEntries(Object.values(Chart.instances).flatMap(chart =>
          chart.data.datasets.map(set => [
            `${chart.canvas.id} ${set.label}`, set.data.map(p => [p.x, p.y])
          ])))"""
    )
    return found


def test_curves_have_every_point_and_hover_tells_its_value(
    run: RunDirectory, page: Page
) -> None:
    rows = [flat(row) for row in run.rows()]
    curves = drawn(page)
    for part in ("train", "validation"):
        points = [[row["epoch"], row[f"{part}.loss"]] for row in rows]
        assert curves[f"chart-0 {part}"] == points
    assert len(curves["chart-3 loss"]) == 30
    for index in (0, 3, 7):
        page.mouse.move(*page.evaluate(POINT, ["chart-0", 0, index]))
        page.wait_for_function(
            "x => Chart.getChart('chart-0').tooltip.title[0] === `epoch ${x}`",
            arg=rows[index]["epoch"],
        )
        title, *lines = page.evaluate(SHOWN, "chart-0")
        assert title == f"epoch {rows[index]['epoch']}"
        told = dict(line.split(": ") for line in lines)
        assert told.keys() == {"train", "validation", "steps"}
        for name, key in (
            ("train", "train.loss"),
            ("validation", "validation.loss"),
            ("steps", "step_loss"),
        ):
            assert float(told[name]) == pytest.approx(rows[index][key], rel=1e-5)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_report_fits_and_is_accessible(
    run: RunDirectory, page: Page, scheme: Any
) -> None:
    page.emulate_media(color_scheme=scheme)
    page.evaluate("document.querySelectorAll('details').forEach(e => e.open = true)")
    for size in (PHONE, WIDE):
        page.set_viewport_size(size)
        assert overflows(page) == []
        assert violations(page) == []


def test_log_scale_is_chosen_by_keyboard(run: RunDirectory, page: Page) -> None:
    button = page.get_by_role("button", name="log scale").first
    button.press("Enter")
    assert page.evaluate("Chart.getChart('chart-0').scales.y.type") == "logarithmic"
    assert button.get_attribute("aria-pressed") == "true"
    button.press("Enter")
    assert page.evaluate("Chart.getChart('chart-0').scales.y.type") == "linear"


def test_charts_take_other_curves_and_follow_the_colours(
    run: RunDirectory, page: Page
) -> None:
    page.evaluate(
        """() => {
          const chart = Chart.getChart("chart-0")
          chart.setDatasetVisibility(1, false)
          const spec = JSON.parse(document.getElementById("chart-0-data").text)
          for (const curve of spec.curves) curve.points.push([9, 0.25])
          nncliCharts.update(chart, spec)
        }"""
    )
    curves = drawn(page)
    assert [len(curves[f"chart-0 {part}"]) for part in ("train", "steps")] == [9, 9]
    assert not page.evaluate("Chart.getChart('chart-0').isDatasetVisible(1)")
    colour = "Chart.getChart('chart-0').data.datasets[0].borderColor"
    light = page.evaluate(colour)
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(f"light => {colour} !== light", arg=light)
    page.emulate_media(media="print")
    page.wait_for_function(f"light => {colour} === light", arg=light)


def test_a_hostile_name_shows_as_text(
    reported: RunDirectory,
    page: Page,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(nncli.report.plots, "pictures_of", lambda *_, **__: [])
    alerts: list[str] = []
    page.on("dialog", lambda dialog: alerts.append(dialog.message))
    # A slash in a name is a directory: its whole path is shown where names are alike.
    places = [tmp_path / "<script>alert(1)<" / "script>", tmp_path / "b" / "script>"]
    for place in places:
        shutil.copytree(reported.path, place)
    path = tmp_path / "page.html"
    assert main(["report", *map(str, places), "-o", str(path)]) == 0
    show(page, path)
    heading = page.locator("h2").filter(has_text=EVIL)
    assert heading.inner_text() == str(places[0])
    assert any(EVIL in name for name in drawn(page))
    assert page.locator("script:not([type])").count() == 2
    assert alerts == []
