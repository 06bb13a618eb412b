"""Verbs on networks of text: eval counts tokens, predict takes texts."""

from __future__ import annotations

import csv
import io
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.command import Command

LINES = """\
name: lines
dataset: {type: lines, path: t.txt}
split: {validation: 0.25, order: given}
layers:
  - {type: embedding, units: 4, name: letters}
  - {type: gru, units: 4}
  - {type: tied, to: letters}
loss: softmax_cross_entropy
optimizer: adam
training: {epochs: 1}
"""

REVIEWS = """\
name: reviews
dataset: {type: text_table, path: r.csv, text: review, target: label}
layers:
  - {type: embedding, units: 8, padding: 0}
  - {type: gru, units: 8, return_sequences: false}
  - {type: dense, units: 2}
loss: softmax_cross_entropy
optimizer: {type: adam, lr: 0.05}
training: {epochs: 20, batch_size: 4}
"""

STORIES = """\
name: stories
dataset: {{type: babi, path: qa.txt, steps: {steps}}}
layers:
  - {{type: {first}, units: 4, padding: 0}}
  - {{type: gru, units: 4, return_sequences: false}}
  - {{type: dense, units: 2}}
loss: softmax_cross_entropy
optimizer: adam
training: {{epochs: 2}}
"""

STEPS = """\
name: steps
dataset: {type: sequences, path: s.csv, id: run, time: t, target: kind}
layers:
  - {type: gru, units: 3, return_sequences: false}
  - {type: dense, units: 2}
loss: softmax_cross_entropy
optimizer: adam
training: {epochs: 1}
"""


def test_eval_counts_tokens_and_shows_them_so_that_they_are_seen(
    command: Command, tmp_path: Path
) -> None:
    (tmp_path / "t.txt").write_text("a b\nbb\nab\nba\n", encoding="utf-8")
    (tmp_path / "lines.yaml").write_text(LINES, encoding="utf-8")
    command.train(tmp_path / "lines.yaml")
    run = command.runs / "lines-1"
    told = command("eval", run, "--json").json()
    assert (told["rows"], told["tokens"]) == (1, 3)
    assert told["baseline"]["predicts"] == "share of each token"
    assert told["baseline"]["token"] == "'b'"
    assert "confusion" not in told
    shown = command("eval", run, "--split", "train", "--save", tmp_path / "p.csv").out
    assert "train: 3 rows, 10 tokens" in shown
    assert r"'\n'" in shown
    saved = (tmp_path / "p.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(io.StringIO(saved)))
    assert [row["target"] for row in rows[:4]] == ["'a'", "' '", "'b'", r"'\n'"]
    assert [row["step"] for row in rows] == [*"0123", *"012", *"012"]


@pytest.fixture
def reviews(command: Command, tmp_path: Path) -> Path:
    pytest.importorskip("polars")
    draw = np.random.default_rng(0)
    lines = ["review,label"]
    for number in range(24):
        words = draw.choice(["it", "was", "so", "a"], 1 + number % 5).tolist()
        words.insert(int(draw.integers(len(words))), ["good", "bad"][number % 2])
        lines.append(f"{' '.join(words)},{['yes', 'no'][number % 2]}")
    (tmp_path / "r.csv").write_text("\n".join(lines), encoding="utf-8")
    (tmp_path / "reviews.yaml").write_text(REVIEWS, encoding="utf-8")
    command.train(tmp_path / "reviews.yaml")
    return command.runs / "reviews-1"


def test_predict_takes_a_column_of_texts_or_lines(
    reviews: Path, command: Command, tmp_path: Path
) -> None:
    table, text = tmp_path / "new.csv", tmp_path / "new.txt"
    table.write_text("id,review\n7,so good\n8,a bad one\n", encoding="utf-8")
    text.write_text("so good\na bad one\n", encoding="utf-8")
    outcome = command("predict", reviews, table)
    assert outcome.code == 0, outcome.err
    rows = list(csv.DictReader(io.StringIO(outcome.out)))
    assert [(row["id"], row["prediction"]) for row in rows] == [
        ("7", "yes"),
        ("8", "no"),
    ]
    lines = command("predict", reviews, text, "--json").json()
    assert lines["prediction"] == ["yes", "no"]
    # Other characters that end lines for Python are spaces between words.
    text.write_text("so\u2028good\na bad\x0cone\n", encoding="utf-8")
    lines = command("predict", reviews, text, "--json").json()
    assert lines["prediction"] == ["yes", "no"]
    text.write_text("so " * 9, encoding="utf-8")
    outcome = command("predict", reviews, text)
    assert outcome.code == 2
    assert "at most 6 tokens a row" in outcome.err


def test_predict_leaves_writing_to_generate(command: Command, tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("a b\nbb\nab\nba\n", encoding="utf-8")
    (tmp_path / "lines.yaml").write_text(LINES, encoding="utf-8")
    command.train(tmp_path / "lines.yaml")
    outcome = command("predict", command.runs / "lines-1", tmp_path / "t.txt")
    assert outcome.code == 2
    assert "Let it write: nncli generate" in outcome.err


def predicted(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_predict_gives_one_prediction_a_sequence(
    command: Command, tmp_path: Path
) -> None:
    pytest.importorskip("polars")
    draw = np.random.default_rng(0)
    rows = [
        [name, t, draw.normal(), draw.normal(), kind]
        for name, steps, kind in (("x", 3, "up"), ("a", 1, "down"), ("b", 2, "up"))
        for t in range(steps)
    ]
    lines = [",".join(map(str, row)) for row in rows]
    (tmp_path / "s.csv").write_text("\n".join(["run,t,u,v,kind", *lines]))
    (tmp_path / "steps.yaml").write_text(STEPS, encoding="utf-8")
    command.train(tmp_path / "steps.yaml")
    run = command.runs / "steps-1"
    command("eval", run, "--split", "train", "--save", tmp_path / "e.csv")
    # eval has sequences in the order of their names.
    saved = predicted((tmp_path / "e.csv").read_text())
    known = dict(zip("abx", saved, strict=True))
    turned = [f"{v},{u},{t},?,{name}" for name, t, u, v, _ in reversed(rows)]
    new = tmp_path / "new.csv"
    new.write_text("\n".join(["v,u,t,more,run", *turned]))
    found = predicted(command("predict", run, new, "--proba").out)
    assert [row["run"] for row in found] == ["b", "a", "x"]
    for row in found:
        for name in ("prediction", "probability_up", "probability_down"):
            assert row[name] == known[row["run"]][name]
    bare = predicted(command("predict", run, new, "--columns", "").out)
    assert list(bare[0]) == ["prediction"]
    outcome = command("predict", run, new, "--columns", "u")
    assert (outcome.code, "expected 'run' as --columns" in outcome.err) == (2, True)
    new.write_text(new.read_text() + "\n1,1,9,?,x")
    outcome = command("predict", run, new)
    assert outcome.code == 2
    assert "at most 3 steps a sequence" in outcome.err


@pytest.mark.parametrize(
    ("steps", "first"), [("words", "embedding"), ("sentences", "embedding_bag")]
)
def test_predict_answers_questions_of_stories(
    steps: str,
    first: str,
    command: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lines = ["1 A is in the hall.", "2 B left.", "3 Where is A? \thall\t1"]
    lines += ["4 A went out.", "5 Where is A? \tout\t4"]
    (tmp_path / "qa.txt").write_text("\n".join(lines), encoding="utf-8")
    (tmp_path / "stories.yaml").write_text(STORIES.format(steps=steps, first=first))
    command.train(tmp_path / "stories.yaml")
    run = command.runs / "stories-1"
    command("eval", run, "--split", "train", "--save", tmp_path / "e.csv")
    known = predicted((tmp_path / "e.csv").read_text())
    new = tmp_path / "new.txt"
    new.write_text("\n".join(line.partition("\t")[0] for line in lines))
    found = predicted(command("predict", run, new, "--proba").out)
    for row, expected in zip(found, known, strict=True):
        assert row == {name: expected[name] for name in row}
    many = [f"{n} A left. B left." for n in range(1, 10)]
    new.write_text("\n".join([*many, "10 Where is A?"]))
    outcome = command("predict", run, new)
    assert outcome.code == 2
    assert f"at most {'4 sentences' if steps == 'sentences' else ''}" in outcome.err
    new.write_text("A left. Where is A?")
    assert "expected a number and a sentence" in command("predict", run, new).err
    stdin = io.TextIOWrapper(io.BytesIO(b"1 A left.\xff"), encoding="utf-8")
    monkeypatch.setattr(sys, "stdin", stdin)
    outcome = command("predict", run, "-")
    assert outcome.code == 2
    assert "stdin: expected text in UTF-8, got other bytes" in outcome.err
