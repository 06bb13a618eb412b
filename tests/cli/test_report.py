"""``nncli report``: one page of a run, or of several, and what it says of bad files."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shlex
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import nncli.report.plots
from nncli.core.errors import MissingExtra
from nncli.report.plots import Picture
from nncli.runs.directory import RunDirectory
from tests.cli.test_explain import Page
from tests.command import Command
from tests.report.recorded import write_records

Write = Callable[..., Path]

EVIL = "<script>alert(1)</script>"
PICTURE = Picture("regions", "Decision regions", b"PNG", None, f"Regions {EVIL}")

DATA = re.compile(r'<script type="application/json" id="([^"]+)">(.*?)</script>', re.S)


@pytest.fixture(autouse=True)
def one_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a run have one picture: to draw all of them takes seconds."""
    monkeypatch.setattr(nncli.report.plots, "pictures_of", lambda *_, **__: [PICTURE])


def charts(html: str) -> dict[str, dict[str, list[Any]]]:
    """Return the points of all curves, by the chart's title and the curve's name."""
    found = (json.loads(text) for _, text in DATA.findall(html))
    return {
        chart["title"]: {curve["name"]: curve["points"] for curve in chart["curves"]}
        for chart in found
    }


def trained(command: Command, write_config: Write, *overrides: str) -> RunDirectory:
    """Train the small config, and give it a log of recorded steps."""
    outcome = command.train(write_config(), *overrides)
    run = RunDirectory(Path(outcome.out.splitlines()[0].removeprefix("run ")))
    write_records(run, 7)
    return run


def test_report_has_every_evaluation_and_every_recorded_step(
    command: Command, write_config: Write
) -> None:
    run = trained(command, write_config)
    outcome = command("report", run.path)
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out == f"report: {run.report}\n"
    html = run.report.read_text(encoding="utf-8")
    found, rows = charts(html), run.rows()
    for score in ("loss", "accuracy"):
        for part in ("train", "validation"):
            points = [[row["epoch"], row[part][score]] for row in rows]
            assert found[score.capitalize()][part] == points
    assert found["Learning rate"]["lr"] == [[row["epoch"], row["lr"]] for row in rows]
    assert len(found["Gradient norm"]["gradient norm"]) == 7
    assert found["Deviation of gradients, by layer"].keys() == {
        "layers[0] dense",
        "layers[1] tanh",
        "layers[2] dense",
    }
    # Activations and gradients of three layers, a hill for each step.
    assert html.count("<polyline style") == 7 * 2 * 3
    assert "step 20, mean 0.1000, deviation 2.0000, zeros 0.0500" in html


def test_report_tells_scores_config_environment_and_commands(
    command: Command, write_config: Write
) -> None:
    run = trained(command, write_config, "optimizer.lr=0.07")
    command("report", run.path)
    page = Page(run.report.read_text(encoding="utf-8"))
    text = " ".join(page.text.split())
    summary = json.loads(run.summary.read_text(encoding="utf-8"))
    assert f"best step{summary['best']['step']:,}" in text
    assert "optimizer{type: adam, lr: 0.07}" in text
    assert "training.batch_size1632" in text
    assert "layers[0] dense(N, 6)1830" in text
    assert "(N, 6) · 18 parameters" in text
    assert run.facts()["data_sha256"] in text
    command_line = run.facts()["command"]
    assert shlex.join(command_line) in text
    assert f"nncli eval {run.path}" in text
    assert "seed3" in text


def test_report_runs_two_scripts_by_their_hashes_and_loads_nothing(
    command: Command, write_config: Write
) -> None:
    run = trained(command, write_config)
    command("report", run.path)
    html = run.report.read_text(encoding="utf-8")
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', html)
    assert policy
    scripts = re.findall(r"<script>(.*?)</script>", html, re.S)
    hashes = [
        "'sha256-"
        + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        + "'"
        for script in scripts
    ]
    assert len(scripts) == 2
    assert policy[1] == (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
        f"script-src {' '.join(hashes)}"
    )
    page = Page(re.sub(r"<script>.*?</script>", "", html, flags=re.S))
    outside = {link for link in page.links if not link.startswith(("#", "data:"))}
    assert outside == set()
    assert {link[1:] for link in page.links if link.startswith("#")} <= page.places


def test_report_escapes_every_text(command: Command, write_config: Write) -> None:
    first = trained(command, write_config)
    command("runs", "tag", first.path, "a<b>c")
    places = []
    for folder in ("<script>alert(1)<", "other"):
        place = command.runs / folder / "script>"
        shutil.copytree(first.path, place)
        places.append(place)
    run = RunDirectory(places[0])
    facts = run.facts() | {"platform": EVIL, "overrides": [f"name={EVIL}"]}
    run.manifest.write_text(json.dumps(facts | {"command": ["nncli", EVIL]}))
    row = {"step": 99, "epoch": 99, "train": {f"</{EVIL}": 1.0, "loss": 0.5}}
    with run.metrics.open("a") as file:
        file.write(json.dumps(row) + "\n")
    write_records(run, 3, label=EVIL)
    page = command.runs / "page.html"
    outcome = command("report", *places, "-o", page, "--json")
    assert outcome.code == 0, outcome.err
    html = page.read_text(encoding="utf-8")
    found = Page(html)
    assert EVIL not in re.sub(r"<script>.*?</script>", "", html, flags=re.S)
    # The name of the run, its overrides, command, platform, layer and picture.
    assert found.text.count(EVIL) >= 6
    assert "img" in found.tags
    assert f"{run.path} {EVIL}" not in html
    assert any(EVIL in name for name in charts(html)["Gradient norm"])


def test_report_of_several_runs_lays_their_curves_over_each_other(
    command: Command,
    write_config: Write,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    runs = [trained(command, write_config, f"optimizer.lr=0.0{i}") for i in (1, 2, 3)]
    monkeypatch.chdir(tmp_path)
    # What is named twice is there once.
    facts = command("report", *(f"small-{i}" for i in (1, 2, 3, 1)), "--json").json()
    assert facts == {
        "report": "report.html",
        "runs": [f"runs/{run.path.name}" for run in runs],
        "missing": {},
    }
    html = Path("report.html").read_text(encoding="utf-8")
    loss = charts(html)["Loss"]
    assert list(loss) == [
        f"small-{i} {part}" for i in (1, 2, 3) for part in ("train", "validation")
    ]
    assert all(len(points) == 5 for points in loss.values())
    text = " ".join(Page(html).text.split())
    assert "optimizer.lr0.010.020.03" in text
    assert "small-1 and small-3 differ from step" in text


def test_report_lives_with_files_that_are_missing_cut_or_strange(
    command: Command, write_config: Write
) -> None:
    run = trained(command, write_config)
    run.best.unlink()
    run.last.write_bytes(b"no checkpoint")
    whole = run.metrics.read_bytes()
    run.metrics.write_bytes(whole[: len(whole) * 2 // 3])
    rows = [
        {"step": 1, "layers": {"layers.0": {"activations": {"histogram": 3}}}},
        {"step": 1, "loss": 2.0},
        {"step": "2", "loss": 2.0},
        {"step": 3, "loss": None, "gradient_norm": [], "layers": [1]},
        {"step": 4, "loss": 1e999, "layers": {"a": {"gradients": None, "label": 5}}},
        {
            "step": 5,
            "loss": 0.5,
            "layers": {
                "b": {
                    "activations": {
                        "histogram": {"low": 0, "high": 0, "counts": [1, "x"]}
                    },
                    "gradients": {"histogram": {"low": 2, "high": 2, "counts": [3]}},
                }
            },
        },
    ]
    deep = '{"a": [' * 40 + "]}" * 40
    run.manifest.write_text('{"command": 5, "changes": [3], "cpus": ' + deep + "}")
    run.records.write_text("".join(f"{json.dumps(row)}\n" for row in rows) + '{"st')
    outcome = command("report", run.path)
    assert outcome.code == 0
    assert "left out: config: " in outcome.err
    assert "left out: experiment: " in outcome.err
    html = run.report.read_text(encoding="utf-8")
    found = charts(html)
    assert 0 < len(found["Loss"]["train"]) < 5
    assert found["Loss of single steps"]["loss"] == [
        [1, None],
        [3, None],
        [4, None],
        [5, 0.5],
    ]
    assert html.count("<polyline style") == 1
    assert "The network cannot be shown: " in Page(html).text
    assert "cpus.a[{a:" in Page(html).text
    run.manifest.write_text(f'{{"cpus": {"[" * 400}{"]" * 400}}}')
    assert command("report", run.path).code == 0
    text = Page(run.report.read_text(encoding="utf-8")).text
    assert "manifest.json: expected JSON, got: more than 100 levels." in text


def test_report_of_an_unfinished_run_says_so(
    command: Command, write_config: Write
) -> None:
    run = trained(command, write_config)
    for path in (run.metrics, run.summary, run.manifest):
        path.unlink()
    assert command("report", run.path).code == 0
    text = Page(run.report.read_text(encoding="utf-8")).text
    assert "Nothing was evaluated yet." in text
    assert "There is no manifest that can be read." in text


def test_report_without_matplotlib_says_how_to_get_pictures(
    command: Command, write_config: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: object, **__: object) -> list[Picture]:
        raise MissingExtra("pictures", "matplotlib", "plot")

    monkeypatch.setattr(nncli.report.plots, "pictures_of", missing)
    run = trained(command, write_config)
    outcome = command("report", run.path)
    assert outcome.code == 0
    assert 'pip install "nncli[plot]"' in " ".join(outcome.err.split())
    text = Page(run.report.read_text(encoding="utf-8")).text
    assert 'pip install "nncli[plot]"' in text


def test_report_fails_in_one_message(
    command: Command, write_config: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = command("report", "nothing", "--runs-dir", command.runs)
    assert (outcome.code, outcome.out) == (2, "")
    assert "nothing: expected a run directory" in outcome.err
    run = trained(command, write_config)
    place = run.manifest / "page.html"
    outcome = command("report", run.path, "-o", place)
    assert outcome.code == 1
    assert f"{place}: expected a place to write to" in outcome.err
    monkeypatch.setitem(sys.modules, "chartkick", None)
    outcome = command("report", run.path)
    assert outcome.code == 2
    assert 'pip install "nncli[report]"' in " ".join(outcome.err.split())
    assert not run.report.exists()
