"""The pages of nncli ui, opened in a real browser."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
from PIL import Image

from tests.browser.conftest import PHONE, overflows, violations
from tests.command import PATIENCE, finish, start
from tests.runs.made import leave_test, make_run, row_of

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PAGES = ("", "run?name=a-1", "compare?run=a-1&run=a-2&run=a-3", "playground")
HOSTILE = "<script>alert(1)</script>".replace("/", "\u2215")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory with three runs, one of them as it is trained."""
    folder = tmp_path_factory.mktemp("ui") / "runs"
    for n, loss in enumerate((0.5, 0.4, 0.3), start=1):
        config = {"optimizer": {"type": "adam", "lr": 0.1**n}}
        run = make_run(folder, f"a-{n}", losses=(0.9, loss, 0.6), config=config)
        run.config.write_text("name: a\n")
        run.plots.mkdir()
        Image.new("RGB", (1200, 800), "white").save(run.picture("roc"))
    leave_test(run, loss=0.25)
    layer = {"label": "layers[0] dense", "activations": {"mean": 0.5, "std": 1.0}}
    with run.records.open("w", encoding="utf-8") as file:
        for step in range(1, 101):
            seen = {"layers": {"layers.0": layer}} if step % 10 == 1 else {}
            row = {"step": step, "gradient_norm": 1 / step, **seen}
            file.write(json.dumps(row) + "\n")
    return folder


@pytest.fixture(scope="module")
def site(runs: Path) -> Iterator[str]:
    """Start the server; return its address."""
    pytest.importorskip("uvicorn")
    process = start("ui", "--runs-dir", runs, "--port", "0")
    assert process.stdout is not None
    yield process.stdout.readline().split()[0]
    process.send_signal(signal.SIGINT)
    outcome = finish(process)
    assert (outcome.code, outcome.err) == (130, "stopped.\n")


def until(page: Page, fact: Callable[[], bool]) -> None:
    """Wait for a fact. (A page's policy lets Playwright evaluate no text by itself.)"""
    begin = time.monotonic()
    while not fact():
        assert time.monotonic() - begin < PATIENCE, "waited in vain"
        page.wait_for_timeout(20)


def first_fact(page: Page) -> str:
    """Return the first number of the playground, its step; "" before there is one."""
    found = page.locator("#facts dd").all_inner_texts()
    return found[0].replace(",", "") if found else ""


def points(page: Page, figure: str) -> list[int]:
    """Return how many points each curve of a chart has."""
    canvas = page.locator("figure", has_text=figure).locator("canvas").first
    canvas.wait_for()
    found: list[int] = canvas.evaluate(
        "canvas => Chart.getChart(canvas).data.datasets.map(set => set.data.length)"
    )
    return found


def opened(page: Page, address: str) -> None:
    """Open a page, and wait until its script has drawn something."""
    page.goto(address)
    page.locator("canvas, tbody tr").first.wait_for()


@pytest.mark.parametrize("place", PAGES, ids=["runs", "run", "compare", "playground"])
def test_page_is_accessible_and_fits(page: Page, site: str, place: str) -> None:
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        opened(page, site + place)
        assert overflows(page) == []
        assert violations(page) == []
    page.set_viewport_size(PHONE)
    until(page, lambda: overflows(page) == [])


def test_list_sorts_and_filters(page: Page, site: str) -> None:
    opened(page, site)

    def names() -> list[str]:
        found: list[str] = page.locator("tbody th").all_inner_texts()
        return found

    assert sorted(names()) == ["a-1", "a-2", "a-3"]
    page.get_by_role("button", name="validation").click()
    assert names() == ["a-3", "a-2", "a-1"]
    page.get_by_role("button", name="validation").click()
    assert names() == ["a-1", "a-2", "a-3"]
    assert page.locator("th[aria-sort]").inner_text() == "validation"
    page.get_by_role("searchbox").fill("a-2")
    page.get_by_text("1 of 3").wait_for()
    assert names() == ["a-2"]
    page.get_by_role("searchbox").fill("optimizer.lr < 0.05  a")
    page.get_by_text("2 of 3").wait_for()
    assert names() == ["a-2", "a-3"]
    page.get_by_role("searchbox").fill("nonsense")
    page.get_by_text("0 of 3").wait_for()


def test_three_runs_are_compared_by_keyboard(page: Page, site: str) -> None:
    opened(page, site)
    for name in ("a-1", "a-2", "a-3"):
        page.get_by_label(f"Compare {name}").focus()
        page.keyboard.press("Space")
    button = page.get_by_role("button", name="Compare 3")
    button.focus()
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Compare runs").wait_for()
    assert points(page, "validation") == [3, 3, 3]
    assert "optimizer.lr" in page.locator("#config").inner_text()
    row = page.locator("#scores tr", has_text="validation loss").inner_text()
    assert row.split() == ["validation", "loss", "0.6000", "0.5000", "0.4000"]
    parting = page.locator("#parting").inner_text()
    assert "a-1 and a-2 are the same up to step 10" in parting
    page.locator("#score").select_option("accuracy")
    assert points(page, "train") == [3, 3, 3]


def test_live_page_gains_points_while_a_run_trains(
    page: Page, site: str, tmp_path: Path, runs: Path
) -> None:
    config = tmp_path / "live.yaml"
    config.write_text(
        "name: live\ndataset: {type: xor, samples: 8}\n"
        "layers: [{type: dense, units: 1}]\nloss: mse\noptimizer: sgd\n"
        "training: {epochs: 1000000, evaluate_every: 100}\n"
    )
    process = start("train", config, "--runs-dir", runs, "--quiet")
    try:
        while not (runs / "live-1" / "metrics.jsonl").exists():
            assert process.poll() is None
        page.goto(f"{site}run?name=live-1")
        (before, *_) = points(page, "loss")
        until(page, lambda: points(page, "loss")[0] > before)
        assert page.locator("#state").inner_text() == "running"
    finally:
        process.send_signal(signal.SIGINT)
        finish(process)
    page.locator("#state", has_text="stopped").wait_for()


def test_pages_with_nothing_to_show_show_nothing(
    page: Page, site: str, runs: Path
) -> None:
    make_run(runs, "burst-1", losses=(), status="diverged")
    page.goto(f"{site}compare?run=a-1")
    page.get_by_text("Choose two runs or more").wait_for()
    assert page.get_by_role("heading").all_inner_texts() == ["Compare runs"]
    assert page.locator("select:visible").count() == 0
    page.goto(f"{site}run?name=burst-1")
    page.get_by_text("There was no evaluation.").wait_for()
    assert page.locator("select:visible").count() == 0
    assert page.get_by_role("heading").first.inner_text() == "burst-1 diverged"


def test_comparison_follows_a_run_that_goes_on(
    page: Page, site: str, runs: Path
) -> None:
    run = make_run(runs, "on-1", config={"seed": 1})
    opened(page, f"{site}compare?run=a-1&run=on-1")
    row = page.locator("#config tr", has_text="seed")
    assert row.locator("td").all_inner_texts() == ["-", "1"]
    changed = make_run(runs, "on-2", config={"seed": 2})
    changed.last.rename(run.last)
    run.append_row(row_of(40, 0.1))
    row.get_by_text("2").wait_for()


def test_hover_shows_the_number_of_the_log(page: Page, site: str, runs: Path) -> None:
    opened(page, f"{site}run?name=a-1")
    canvas = page.locator("canvas").first
    canvas.hover()

    def shown() -> Any:
        return canvas.evaluate(
            "canvas => Chart.getChart(canvas).tooltip.dataPoints?.map(p => p.raw.y)"
        )

    until(page, lambda: bool(shown()))
    second = json.loads((runs / "a-1/metrics.jsonl").read_text().splitlines()[1])
    parts = [second[part]["loss"] for part in ("train", "validation")]
    assert shown() == [*parts, second["step_loss"]]


def test_records_of_layers_are_drawn_where_there_are_any(page: Page, site: str) -> None:
    opened(page, f"{site}run?name=a-3")
    page.get_by_text("Recorded while training").wait_for()
    assert points(page, "gradient norm") == [100]
    assert points(page, "mean of activations") == [10]


def test_pictures_that_a_run_drew_are_shown(page: Page, site: str) -> None:
    opened(page, f"{site}run?name=a-1")
    picture = page.locator("#pictures img")
    picture.scroll_into_view_if_needed()
    until(page, lambda: picture.evaluate("each => each.naturalWidth") == 1200)
    assert "ROC" in (picture.get_attribute("alt") or "")
    assert page.locator("#pictures figcaption").all_inner_texts() == ["ROC"]


def test_playground_trains_while_it_plays_and_by_steps(page: Page, site: str) -> None:
    opened(page, f"{site}playground")
    region = page.locator("#region")
    until(page, lambda: first_fact(page) == "0")
    before = region.evaluate("canvas => canvas.toDataURL()")
    page.get_by_role("button", name="Step").click()
    until(page, lambda: first_fact(page) == "1")
    page.get_by_role("button", name="Play").click()
    until(page, lambda: int(first_fact(page)) > 40)
    page.get_by_role("button", name="Pause").click()
    assert region.evaluate("canvas => canvas.toDataURL()") != before
    assert len(set(points(page, "loss"))) == 1
    page.get_by_label("Dataset").select_option("xor")
    until(page, lambda: first_fact(page) == "0")
    assert page.get_by_label("Classes").is_hidden()


def test_name_with_markup_shows_as_text(page: Page, site: str, runs: Path) -> None:
    run = make_run(runs, HOSTILE, overrides=[f"name={HOSTILE}<img src=x>"])
    run.config.write_text("name: </script><b>\n")
    opened(page, site)
    page.get_by_role("searchbox").fill("alert")
    page.get_by_role("link", name=HOSTILE).click()
    page.get_by_role("heading", name=HOSTILE).wait_for()
    page.get_by_text("</script><b>").wait_for()
    assert page.locator("main img, main b, main script").count() == 0


def test_very_many_rows_are_thinned_and_keep_their_extremes(
    page: Page, site: str, runs: Path
) -> None:
    run = make_run(runs, "long-1")
    with run.metrics.open("a") as file:
        for n in range(4, 20_000):
            loss = 50.0 if n == 7_777 else 0.5
            file.write(json.dumps(row_of(10 * n, loss)) + "\n")
    opened(page, f"{site}run?name=long-1")
    assert max(points(page, "loss")) <= 2000
    highest = page.locator("canvas").first.evaluate(
        "c => Math.max(...Chart.getChart(c).data.datasets[0].data.map(p => p.y))"
    )
    assert highest == 50.0


def test_names_of_javascript_are_names_like_others(
    page: Page, site: str, runs: Path
) -> None:
    run = make_run(runs, "constructor")
    run.manifest.write_text("{}")
    text = run.summary.read_text()
    run.summary.write_text(text.replace('"monitor": "loss"', '"monitor": "toString"'))
    with run.metrics.open("a") as file:
        file.write('{"step": 40, "constructor": {"foo": 1}, "valueOf": 2}\n')
        file.write('{"step": 50}\n')
    opened(page, site)
    listed = page.locator("tbody tr", has=page.get_by_role("link", name="constructor"))
    assert "toString" in listed.inner_text()
    opened(page, f"{site}run?name=constructor")
    until(page, lambda: points(page, "loss")[0] == 5)
    assert page.get_by_text("foo").count() == 0
    opened(page, f"{site}compare?run=a-1&run=constructor")
    row = page.locator("#environment tr", has_text="numpy")
    assert row.locator("td").all_inner_texts() == ["2.4.6", "-"]


def test_letters_that_turn_others_around_are_written_out(
    page: Page, site: str, runs: Path
) -> None:
    name, shown = "a\u202egnp.exe\x1b", r"a\u202egnp.exe\x1b"
    run = make_run(runs, name, overrides=["name=\U000e0041"], platform="x\u2066y")
    run.config.write_text("name: \u202ea\ttab\n# \u00e9\n")
    with run.metrics.open("a") as file:
        file.write(json.dumps({"step": 40, "train": {"sc\u202eore": 1}}) + "\n")
    opened(page, site)
    page.get_by_role("link", name=shown).click()
    page.get_by_role("heading", name=shown).wait_for()
    page.get_by_text(r"x\u2066y").wait_for()
    page.get_by_text(r"name=\U000e0041").wait_for()
    assert page.locator("#config").inner_text() == "name: \\u202ea\ttab\n# \u00e9\n"
    assert page.title() == f"{shown} - nncli"
    opened(page, f"{site}compare?{urlencode([('run', 'a-1'), ('run', name)])}")
    page.locator("#score").select_option(r"sc\u202eore")
    assert points(page, "train") == [0, 4]
    label = page.locator("canvas").first.evaluate(
        "c => Chart.getChart(c).data.datasets.map(set => set.label).join()"
    )
    assert label == f"a-1,{shown}"
