"""Narrow terminals: whole numbers and whole words, fewer columns."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from rich.cells import cell_len

from nncli.cli.tables import Table
from nncli.core.text import table, wrapped
from nncli.report.arrays import figure
from tests.cli.test_views import screen
from tests.command import Command
from tests.conftest import CONFIGS


@pytest.fixture(params=[40, 60])
def width(request: pytest.FixtureRequest) -> int:
    return int(request.param)


def words(lines: list[str]) -> set[str]:
    return {word for line in lines for word in line.split()}


@pytest.mark.parametrize(
    "arguments",
    [
        ["summary", CONFIGS / "digits.yaml"],
        ["summary", CONFIGS / "residual.yaml"],
        ["gradcheck", CONFIGS / "xor.yaml"],
        ["components", "loss"],
        ["components", "categorical_cross_entropy"],
        ["lr-find", CONFIGS / "xor.yaml", "--steps", "50"],
        ["explain", CONFIGS / "xor.yaml"],
    ],
    ids=lambda arguments: " ".join(str(getattr(a, "stem", a)) for a in arguments),
)
def test_results_fit_and_break_no_word(
    command: Command, monkeypatch: pytest.MonkeyPatch, width: int, arguments: list[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "500")
    whole = words(command(*arguments).out.splitlines())
    monkeypatch.setenv("COLUMNS", str(width))
    lines = command(*arguments).out.splitlines()
    # A command is to be pasted, and stays whole.
    lines = [line for line in lines if not line.startswith("next: ")]
    assert max(map(cell_len, lines)) <= width
    drawn = re.compile(r"[─│┬▲•└┴]|…$|^1e")
    broken = {word for word in words(lines) - whole if not drawn.search(word)}
    assert {word for word in broken if not word.replace(".", "").isdigit()} == set()


def test_explanation_in_a_tiny_window_has_one_number_below_the_other(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = CONFIGS / "xor.yaml"
    monkeypatch.setenv("COLUMNS", "19")
    lines = command("explain", config).out.splitlines()
    assert max(map(cell_len, lines)) <= 19
    text = " ".join(" ".join(lines).split())
    layer = command("explain", config, "--json").json()["layers"][0]
    weight = layer["parameters"][0]
    for each in weight["elements"][:4]:
        numbers = (figure(each[key]) for key in ("value", "derivative", "numeric"))
        assert "weight {} derivative {} numeric {}".format(*numbers) in text


@pytest.mark.parametrize("verb", ["train", "plot", "explain", "doctor", "runs"])
def test_help_fits_a_narrow_window(
    command: Command, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    monkeypatch.setattr(
        "shutil.get_terminal_size", lambda *_: os.terminal_size((40, 24))
    )
    lines = command(verb, "--help").out.split("Examples:")[0].splitlines()
    assert max(map(len, lines)) <= 40


def test_eval_leaves_out_columns_rather_than_digits(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    command.train(CONFIGS / "two_ellipses.yaml", "training.epochs=2")
    run = command.runs / "two_ellipses-1"
    result = command("eval", run, "--json").json()["classes"]
    heads = {}
    for columns in (80, 40, 30):
        monkeypatch.setenv("COLUMNS", str(columns))
        lines = command("eval", run).out.splitlines()
        at = next(i for i, line in enumerate(lines) if line.startswith("class "))
        heads[columns] = lines[at].split()
        shown = dict(zip(heads[columns], lines[at + 2].split(), strict=True))
        assert shown["recall"] == f"{result[0]['recall']:.4f}"
        assert len(lines[at]) <= columns
    assert heads[80] == ["class", "rows", "precision", "recall", "f1"]
    assert heads[40] == ["class", "rows", "precision", "recall"]
    assert heads[30] == ["class", "precision", "recall"]


def test_table_shares_its_width_without_breaking_a_word() -> None:
    made = Table("name", "?>count", "meaning")
    made.add_row("label_smoothing", "12,345", "a share that is spread over classes")
    assert [c.head for c in made.chosen(80)] == ["name", "count", "meaning"]
    assert [c.head for c in made.chosen(30)] == ["name", "meaning"]
    assert made.fitted(30).plain.splitlines() == [
        "name              meaning",
        "─" * 30,
        "label_smoothing   a share that",
        "                  is spread",
        "                  over classes",
    ]


def test_text_table_leaves_out_columns_in_order_then_shortens_names() -> None:
    rows = [("layer", "output", "flops"), ("layers[0] dense", "(N, 3)", "1,234")]
    assert max(map(len, table(rows, (1, 2), (2, 1), 40).splitlines())) == 30
    assert "output" in table(rows, (1, 2), (2, 1), 25)
    assert "flops" not in table(rows, (1, 2), (2, 1), 25)
    assert table(rows, (1, 2), (2, 1), 12).splitlines()[2] == "layers[0] d…"


def test_wrapped_breaks_between_words_only() -> None:
    assert wrapped("one two three", 7, hang=2) == ["one two", "  three"]
    assert wrapped("  indented text", 10, hang=2) == ["  indented", "  text"]
    assert wrapped("loss\xa00.5, accuracy\xa00.9", 14) == ["loss 0.5,", "accuracy 0.9"]
    assert wrapped("unbreakable", 3) == ["unbreakable"]


@pytest.mark.slow
def test_live_view_fits_a_narrow_terminal(tmp_path: Path) -> None:
    metrics = "metrics=[accuracy, precision, recall, f1]"
    config = CONFIGS / "two_ellipses.yaml"
    name = "a-name-that-is-rather-long-for-it"
    lines = screen(40, "train", config, metrics, "--name", name, "--runs-dir", tmp_path)
    own = [line for line in lines if str(tmp_path) not in line]
    assert max(map(cell_len, own)) <= 40
    text = "\n".join(own)
    assert re.search(r"^epoch [0-9]+/200 [0-9]+% .*(left|s)$", text, re.MULTILINE)
    assert re.search(r"^ +loss +accuracy$", text, re.MULTILINE)
    assert re.search(r"^  best loss [-0-9.e]+ after epoch [0-9]+$", text, re.MULTILINE)


def test_message_of_a_terminal_is_broken_between_words(tmp_path: Path) -> None:
    with pytest.raises(AssertionError) as caught:
        screen(40, "summary", "no-run-of-this-name")
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", str(caught.value))
    # pytest indents what follows the first line.
    lines = [line.strip() for line in text.split("\nassert")[0].splitlines()]
    assert max(map(len, lines)) <= 40
    assert "expected a YAML file, an example or a run, found" in " ".join(text.split())
