"""Bad texts and sequences on the command line: one message, exit 2, nothing written."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nncli.cli.app import run
from tests.command import Command

STORY = "so it goes, and on it goes.\n" * 8
TABLE = "text,y\n" + "it is good,1\nit is bad,0\n" * 6
STEPS = "run,t,a,y\n" + "".join(
    f"{number},{step},{step / 2},{number % 2}\n"
    for number in range(8)
    for step in range(3)
)
QUESTION = "1 Mary went to the hall.\n2 Where is Mary? \thall\t1\n"
QUESTION += "1 Ann left.\n2 Where is Ann? \tout\t1\n"

TEXT_LAYERS = """\
layers:
  - {type: embedding, units: 4, name: letters}
  - {type: gru, units: 4}
  - {type: tied, to: letters}
"""
TOKEN_LAYERS = """\
layers:
  - {type: embedding, units: 4}
  - {type: gru, units: 4, return_sequences: false}
  - {type: dense, units: 2}
"""
STEP_LAYERS = """\
layers:
  - {type: lstm, units: 4, return_sequences: false}
  - {type: dense, units: 2}
"""
DATASETS = {
    "text": "{type: text, path: x.txt, block: 6, windows: 4}",
    "lines": "{type: lines, path: x.txt}",
    "babi": "{type: babi, path: x.txt}",
    "text_table": "{type: text_table, path: x.csv, text: text, target: y}",
    "sequences": "{type: sequences, path: x.csv, id: run, time: t, target: y}",
}
LAYERS = {"text": TEXT_LAYERS, "lines": TEXT_LAYERS, "sequences": STEP_LAYERS}
GOOD = {
    "text": STORY,
    "lines": "Ann\nBo\nEve\nAnna\n",
    "babi": QUESTION,
    "text_table": TABLE,
    "sequences": STEPS,
}


def config(kind: str) -> str:
    """Return a config that trains on the good file of a kind."""
    return f"""\
name: {kind}
dataset: {DATASETS[kind]}
split: {{order: given}}
{LAYERS.get(kind, TOKEN_LAYERS)}\
loss: softmax_cross_entropy
optimizer: sgd
training: {{epochs: 1, batch_size: 4}}
"""


def write(folder: Path, kind: str, data: str | bytes | None = None) -> Path:
    """Write a config and its file; return the config's path."""
    content = GOOD[kind] if data is None else data
    suffix = "csv" if "x.csv" in DATASETS[kind] else "txt"
    raw = content.encode() if isinstance(content, str) else content
    (folder / f"x.{suffix}").write_bytes(raw)
    path = folder / f"{kind}.yaml"
    path.write_text(config(kind), encoding="utf-8")
    return path


def npy(array: Any, *, pickled: bool = False) -> bytes:
    """Return the bytes of a .npy file."""
    room = io.BytesIO()
    np.save(room, array, allow_pickle=pickled)
    return room.getvalue()


FILES: dict[str, tuple[str, str | bytes, str]] = {
    "empty text": ("text", "", "x.txt: expected text, got an empty file"),
    "no UTF-8": ("text", b"caf\xe9 " * 9, "UTF-8, got the byte 0xe9 at byte 3"),
    "UTF-16": ("text", STORY.encode("utf-16"), "UTF-8, got the byte 0xff at byte 0"),
    "mark only": ("text", b"\xef\xbb\xbf", "x.txt: expected text, got an empty file"),
    "one token": ("text", "a", "expected at least 7 tokens to train on.*got 1"),
    "shorter than the block": ("text", "abcdef", "at least 7 tokens.*got 6"),
    "one character": ("text", "a" * 50, "two different tokens, got 'a' only"),
    "empty lines": ("lines", "\n \n\n", "expected lines of text, got empty ones"),
    "lines in latin-1": ("lines", b"Zo\xe9\n", "got the byte 0xe9 at byte 2"),
    "no number": ("babi", "hello\n", "line 1: expected a number and a sentence"),
    "number alone": ("babi", "1\n", "line 1: expected a number and a sentence"),
    "empty line": ("babi", QUESTION + "\n" + QUESTION, "line 5: .*a sentence"),
    "no question": ("babi", "1 A left.\n", "expected questions with answers, got none"),
    "no answer": ("babi", QUESTION + "3 Who? \t\t1\n", "line 5: .*a tab and an answer"),
    "no question's words": ("babi", QUESTION + "3 \thall\t1\n", "line 5: "),
    "story that begins late": ("babi", "2 A left.\n", "line 1: expected the number 1,"),
    "number left out": ("babi", QUESTION + "4 A left.\n", r"line 5: .*number 3 \(or 1"),
    "empty story": ("babi", "", "expected text, got an empty file"),
    "one answer": ("babi", QUESTION.replace("out", "hall"), "at least two classes"),
    "story in latin-1": ("babi", b"1 Zo\xe9 left.\n", "got the byte 0xe9"),
    "column of texts missing": (
        *("text_table", TABLE.replace("text", "review")),
        "column 'text'",
    ),
    "empty texts": (
        *("text_table", TABLE + ",1\n"),
        "a token in each row.*row 13",
    ),
    "all texts empty": ("text_table", "text,y\n" + ",1\n,0\n" * 4, "texts in column"),
    "id missing": ("sequences", STEPS.replace("run", "id"), "column 'run'"),
    "time missing": ("sequences", STEPS.replace("t,", "z,", 1), "column 't'"),
    "cell missing": (
        "sequences",
        STEPS.replace("1,1,0.5", "1,1,"),
        "got none in row 5",
    ),
    "text as a number": (
        *("sequences", STEPS.replace("0.5", "half")),
        "expected numbers as inputs",
    ),
    "id without value": (
        "sequences",
        STEPS.replace("\n2,", "\n,"),
        "'run': .* in row 7",
    ),
    "two targets": ("sequences", STEPS.replace("1.0,1", "1.0,0", 1), "one 'y' in all"),
    "time without value": (
        "sequences",
        STEPS.replace("2,1,0", "2,,0"),
        "'t': .* in row 8",
    ),
    "step twice": (
        *("sequences", STEPS.replace("2,1,0", "2,0,0")),
        "another one in row 8: 'run' is 2.0 and 't' 0.0",
    ),
    "time of texts": (
        *("sequences", STEPS.replace(",0,", ",a,").replace(",1,", ",b,")),
        "numbers or dates as time, got texts in column 't'",
    ),
}
OVERRIDES: dict[str, tuple[str, str, str]] = {
    "standardize": ("text", "transforms=[standardize]", r"transforms\[0\].*tokens"),
    "noise": ("lines", "augmentations=[gaussian_noise]", r"augmentations\[0\].*tokens"),
    "no such name": ("text", "layers[2].to=words", r"layers\[2\].*'letters'.*'words'"),
    "layer without a table": (
        *("text", "layers[2].to=gru"),
        r"layers\[2\].*'letters'.*'gru'",
    ),
    "tied to other units": (
        *("text", "layers[1].units=5"),
        r"layers\[2\].*4 features.*units: 4",
    ),
    "tied first": ("text", "layers=[{type: tied, to: a}]", r"layers\[0\].*numbers"),
    "positions too short": (
        *("text", "layers[1]={type: positions, block: 5}"),
        r"layers\[1\].*at most 5 steps, the block, got 6",
    ),
    "heads": (
        *("text", "layers[1]={type: attention, heads: 3}"),
        r"layers\[1\].*heads.*3",
    ),
    "heads of a block": (
        *("text", "layers[1]={type: transformer_block, heads: 3}"),
        r"layers\[1\].*heads.*3",
    ),
    "grouped keys": (
        *("text", "layers[1]={type: attention, heads: 4, kv_heads: 3}"),
        r"layers\[1\].*kv_heads",
    ),
    "rotary of odd size": (
        *("text", "layers[1]={type: attention, heads: 4, rotary: true}"),
        r"layers\[1\].*rotary|layers\[1\].*even",
    ),
    "padding beyond": ("text", "layers[0].padding=99", r"layers\[0\].*padding below"),
    "no units for names": ("babi", "layers[2].units=3", r"layers\[2\].units"),
    "validation of nothing": ("text", "split.validation=0.001", "at least one token"),
    "all validation": ("text", "split.validation=0.99", "at least 7 tokens"),
    "stateful": ("text", "layers[1].stateful=true", r"layers\[1\].*stream: true"),
    "whole sequence": ("lines", "layers[2]=flatten", r"at each step, \(5, K\)"),
    "too short": ("lines", "dataset.max_length=2", "max_length.*cut: true"),
    "too short texts": ("text_table", "dataset.max_length=2", "max_length.*cut: true"),
    "too short rows": ("sequences", "dataset.max_length=2", "max_length.*cut: true"),
}
VECTORS: dict[str, tuple[str, bytes, str]] = {
    "shape": (
        "v.npy",
        npy(np.ones((3, 4))),
        r"one for each integer.*got shape \(3, 4\)",
    ),
    "complex": ("v.npy", npy(np.ones((13, 4), complex)), "finite numbers"),
    "NaN": ("v.npy", npy(np.full((13, 4), np.nan)), "finite numbers"),
    "pickled": (
        *("v.npy", npy(np.array([{}, None]), pickled=True)),
        "Python objects",
    ),
    "text": ("v.txt", b"a b c d\n" * 13, "weights: expected vectors"),
    "ragged": ("v.txt", b"1 2 3 4\n1 2\n", "weights: expected vectors"),
    "empty": ("v.txt", b"", "without a line"),
    "other file": ("v.bin", b"1 2\n", "no .npy, .npz or .txt"),
}


def assert_refused(
    command: Command, folder: Path, message: str, *arguments: object
) -> None:
    """Run a command: it ends in one message, and leaves nothing behind."""
    before = sorted(folder.rglob("*"))
    outcome = command(*arguments)
    assert outcome.code == 2, outcome.err
    assert not outcome.out
    assert outcome.err.count("error: ") == 1, outcome.err
    assert "Traceback" not in outcome.err
    assert re.search(message, " ".join(outcome.err.split())), outcome.err
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize(("kind", "data", "message"), FILES.values(), ids=FILES)
def test_bad_file_ends_in_one_message(
    command: Command, tmp_path: Path, kind: str, data: str | bytes, message: str
) -> None:
    if kind in ("text_table", "sequences"):
        pytest.importorskip("polars")
    path = write(tmp_path, kind, data)
    runs = tmp_path / "runs"
    assert_refused(command, tmp_path, message, "train", path, "--runs-dir", runs)


@pytest.mark.parametrize(
    ("kind", "override", "message"), OVERRIDES.values(), ids=OVERRIDES
)
def test_config_that_does_not_fit_sequences_ends_in_one_message(
    command: Command, tmp_path: Path, kind: str, override: str, message: str
) -> None:
    if kind in ("text_table", "sequences"):
        pytest.importorskip("polars")
    path = write(tmp_path, kind)
    given = ("train", path, override, "--runs-dir", tmp_path / "runs")
    assert_refused(command, tmp_path, message, *given)


@pytest.mark.parametrize(("name", "data", "message"), VECTORS.values(), ids=VECTORS)
def test_bad_vectors_end_in_one_message(
    command: Command, tmp_path: Path, name: str, data: bytes, message: str
) -> None:
    path = write(tmp_path, "text")
    (tmp_path / name).write_bytes(data)
    override = f"layers[0].weights={tmp_path / name}"
    given = ("train", path, override, "--runs-dir", tmp_path / "runs")
    assert_refused(command, tmp_path, message, *given)


def test_checkpoint_holds_vectors_whose_file_is_gone(
    command: Command, tmp_path: Path
) -> None:
    path, file = write(tmp_path, "text"), tmp_path / "v.npy"
    count = len(set(STORY))
    file.write_bytes(npy(np.ones((count, 4))))
    command.train(path, f"layers[0].weights={file}", "training.epochs=2")
    run_path = command.runs / "text-1"
    before = command("eval", run_path, "--json").json()["loss"]
    file.unlink()
    assert command("eval", run_path, "--json").json()["loss"] == before
    assert command("generate", run_path, "--prompt", "so", "--tokens", 3).code == 0
    command.train("--resume", run_path, "training.epochs=3")


@pytest.mark.parametrize("kind", DATASETS)
def test_good_files_are_trained_on(command: Command, tmp_path: Path, kind: str) -> None:
    if kind in ("text_table", "sequences"):
        pytest.importorskip("polars")
    outcome = command("train", write(tmp_path, kind), "--dry-run")
    assert outcome.code == 0, outcome.err


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run on the good text, beside which its config and text lie."""
    folder = tmp_path_factory.mktemp("story")
    path = write(folder, "text")
    assert run(["train", str(path), "--runs-dir", str(folder)]) == 0
    return folder / "text-1"


@pytest.mark.parametrize("verb", ["eval", "train"])
def test_checkpoint_refuses_another_text(
    command: Command, story: Path, verb: str
) -> None:
    file = story.parent / "x.txt"
    file.write_text(STORY.upper(), encoding="utf-8")
    given = ["eval", story] if verb == "eval" else ["train", "--resume", story]
    before = sorted(story.rglob("*"))
    outcome = command(*given)
    file.write_text(STORY, encoding="utf-8")
    assert outcome.code == 1, outcome.err
    assert "the data of dataset text is not what the run was trained on" in outcome.err
    assert outcome.err.count("error: ") == 1
    assert sorted(story.rglob("*")) == before


def test_weights_of_another_vocabulary_are_refused(
    command: Command, story: Path, tmp_path: Path
) -> None:
    path = write(tmp_path, "text", STORY.replace("s", "x"))
    given = ("train", path, "--from", story, "--runs-dir", tmp_path / "runs")
    assert_refused(command, tmp_path, "same vocabulary.*'s', 'x'", *given)


def test_prompt_of_strange_characters_names_them(command: Command, story: Path) -> None:
    outcome = command("generate", story, "--prompt", "goes Ω")
    assert outcome.code == 2
    assert "prompt: expected characters" in outcome.err
    assert "'Ω'" in outcome.err


@pytest.mark.slow
@pytest.mark.parametrize("tokenizer", ["char", "word", "bytes"])
def test_random_bytes_are_trained_on_or_end_in_one_message(
    command: Command, tmp_path: Path, tokenizer: str
) -> None:
    rng = np.random.default_rng(0)
    for _ in range(12):
        size = int(rng.integers(0, 200))
        data = rng.integers(0, int(rng.choice([2, 14, 128, 256])), size)
        path = write(tmp_path, "text", data.astype(np.uint8).tobytes())
        outcome = command(
            *("train", path, "--dry-run", f"dataset.tokenizer={tokenizer}")
        )
        assert outcome.code in (0, 2), outcome.err
        assert outcome.err.count("error: ") == (outcome.code == 2), outcome.err
        assert "Traceback" not in outcome.err
