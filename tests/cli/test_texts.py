"""Verbs on networks of text: eval counts tokens, predict takes texts."""

from __future__ import annotations

import csv
import io
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
