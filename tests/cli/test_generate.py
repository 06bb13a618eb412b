"""``nncli generate``: text from checkpoints, and what networks of text are told."""

from __future__ import annotations

import io
import sys
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from nncli.autograd.tensor import Tensor
from nncli.cli.commands.generate import Pieces
from nncli.core.arrays import Array
from nncli.core.errors import NncliError
from nncli.core.randomness import stream
from nncli.data.vocabulary import UNKNOWN, Vocabulary
from nncli.experiment.experiment import Experiment
from nncli.experiment.generate import Generator, Sampling
from tests.command import Command
from tests.training.jobs import experiment

GPT = """\
name: gpt
dataset: {{type: text, path: {path}, block: 8, windows: 8}}
split: {{validation: 0.2}}
layers:
  - {{type: embedding, units: 8, name: letters}}
  - positions
  - {{type: transformer_block, heads: 2, causal: true}}
  - {{type: tied, to: letters}}
loss: softmax_cross_entropy
optimizer: adam
training: {{epochs: 1, batch_size: 8}}
"""


@pytest.fixture
def text(tmp_path: Path) -> str:
    path = tmp_path / "t.txt"
    path.write_text("the cat sat on the mat.\n" * 12, encoding="utf-8", newline="\n")
    return GPT.format(path=path)


@pytest.fixture
def run(text: str, command: Command, tmp_path: Path) -> Path:
    config = tmp_path / "gpt.yaml"
    config.write_text(text, encoding="utf-8")
    command.train(config)
    (tmp_path / "t.txt").unlink()
    return command.runs / "gpt-1"


def test_the_same_seed_gives_the_same_text(run: Path, command: Command) -> None:
    options = ("--prompt", "the ", "--tokens", 30, "--temperature", 3)
    asked = ("generate", run, *options)
    first, again = command(*asked, "--seed", 1), command(*asked, "--seed", 1)
    other = command(*asked, "--seed", 2)
    assert first.code == 0, first.err
    assert first.out.startswith("the ")
    assert first.out == again.out
    assert first.out != other.out
    told = command(*asked, "--seed", 1, "--json").json()
    assert told["prompt"] + told["text"] == first.out.removesuffix("\n")
    assert told["tokens"] == 30
    assert told["ended_by"] == "tokens"


def test_text_ends_before_a_stop(run: Path, command: Command) -> None:
    asked = ("generate", run, "--prompt", "t", "--tokens", 40, "--temperature", 3)
    whole = command(*asked, "--json").json()["text"]
    told = command(*asked, "--json", "--stop", whole[20:22]).json()
    assert told["ended_by"] == "stop"
    assert told["text"] == whole[: whole.index(whole[20:22])]
    line = command(*asked, "--json", "--stop", "\\n").json()
    assert line["text"] == whole.partition("\n")[0]


def test_without_a_prompt_stdin_is_one(
    run: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("a mat\n"))
    outcome = command("generate", run, "--tokens", 3)
    assert outcome.code == 0, outcome.err
    assert outcome.out.startswith("a mat")


def test_on_a_terminal_each_line_is_gone_on_with(
    run: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = io.StringIO("the cat\nqux\na mat\n")
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stdin", terminal)
    outcome = command("generate", run, "--tokens", 4)
    assert outcome.code == 0
    assert "error: prompt: expected characters" in outcome.err
    assert outcome.err.count("> ") == 4
    assert len(outcome.out) >= 8


def test_a_line_on_a_terminal_begins_a_sequence_where_training_had_lines(
    text: str, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "names.yaml"
    config.write_text(
        text.replace("type: text", "type: lines")
        .replace(", block: 8, windows: 8", "")
        .replace("name: gpt", "name: names")
    )
    command.train(config)
    asked = ("generate", command.runs / "names-1", "--tokens", 5, "--temperature", 0)
    expected = [command(*asked, "--prompt", p, "--json").json()["text"] for p in "tm"]
    terminal = io.StringIO("t\nm\n")
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stdin", terminal)
    assert expected[0] != expected[1]
    assert command(*asked).out == "".join(f"{each}\n" for each in expected)


def test_unknown_characters_of_a_prompt_are_named(run: Path, command: Command) -> None:
    outcome = command("generate", run, "--prompt", "Über the cat?")
    assert outcome.code == 2
    assert "got 'Ü', 'b', 'r', '?'" in outcome.err


def test_prompts_of_other_bytes_are_refused(
    run: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = command("generate", run, "--prompt", "the\udcff")
    assert outcome.code == 2
    assert "--prompt: expected text in UTF-8, got other bytes" in outcome.err
    stdin = io.TextIOWrapper(io.BytesIO(b"the\xff"), encoding="utf-8")
    monkeypatch.setattr(sys, "stdin", stdin)
    outcome = command("generate", run)
    assert "stdin: expected text in UTF-8, got other bytes" in outcome.err


def test_an_empty_prompt_and_one_token_are_enough(run: Path, command: Command) -> None:
    asked = ("generate", run, "--prompt", "", "--tokens", 1)
    told = command(*asked, "--json").json()
    assert told["tokens"] == len(told["text"]) == 1
    assert command(*asked).out.strip("\n") == told["text"].strip("\n")


def test_a_network_that_makes_no_text_is_told_so(
    command: Command, tmp_path: Path
) -> None:
    config = tmp_path / "x.yaml"
    config.write_text(
        "dataset: xor\nlayers: [{type: dense, units: 2}]\n"
        "loss: softmax_cross_entropy\noptimizer: sgd\ntraining: {epochs: 1}\n",
        encoding="utf-8",
    )
    command.train(config)
    outcome = command("generate", command.runs / "x-1", "--prompt", "a")
    assert outcome.code == 2
    assert "trained on text, got one of dataset xor" in outcome.err


def likely(made: Experiment, text: str) -> Array:
    """Return the probabilities of what follows a text, all of it seen at once."""
    assert made.vocabulary is not None
    numbers = made.vocabulary.encode(text, "text")
    scores = made.network(Tensor(numbers[None]))
    found: Array = made.loss.predictions(scores).data[0, -1]
    return found


def test_tokens_one_by_one_have_the_probabilities_of_a_whole_pass(text: str) -> None:
    made = experiment(text=text)
    generator = Generator(made, Sampling(), stream(0, "generation"))
    assert made.vocabulary is not None
    generator.feed(made.vocabulary.encode("the cat", "text").tolist())
    np.testing.assert_allclose(
        generator.probabilities(), likely(made, "the cat"), atol=1e-5
    )


def test_beyond_the_block_a_network_sees_the_last_half_and_what_follows(
    text: str,
) -> None:
    made = experiment(text=text)
    generator = Generator(made, Sampling(), stream(0, "generation"))
    assert made.vocabulary is not None
    for letter in "the cat sat":
        generator.feed(made.vocabulary.encode(letter, "text").tolist())
    seen = "the cat sat"[4:]
    np.testing.assert_allclose(generator.probabilities(), likely(made, seen), atol=1e-5)


@pytest.mark.parametrize("layers", ["gpt", "gru", "rotary"])
def test_a_prompt_in_one_pass_gives_the_text_of_one_that_comes_token_by_token(
    text: str, layers: str
) -> None:
    block = "{type: transformer_block, heads: 2, causal: true"
    if layers == "gru":
        text = text.replace("  - positions\n", "").replace(
            block, "{type: gru, units: 8"
        )
        text = text.replace(", causal: true}", "}")
    if layers == "rotary":
        text = text.replace("- positions\n", "- tanh\n")
        text = text.replace(block, f"{block}, rotary: true, kv_heads: 1")
    made = experiment(text=text)
    assert made.vocabulary is not None
    # Blocks have 8 tokens: prompts within one, at its end, and far beyond.
    for prompt in ("the", "the cat ", "the cat sat on the mat.\nthe c"):
        numbers = made.vocabulary.encode(prompt, "text").tolist()
        texts = []
        for parts in ([numbers], [[number] for number in numbers]):
            generator = Generator(made, Sampling(2.0), stream(1, "generation"))
            for part in parts:
                generator.feed(part)
            texts.append(list(islice(generator.tokens(), 25)))
        assert texts[0] == texts[1], prompt


def test_sequences_of_training_are_seen_alone(text: str) -> None:
    lines = text.replace("type: text", "type: lines").replace(
        ", block: 8, windows: 8", ""
    )
    made = experiment(text=lines)
    assert made.vocabulary is not None
    found = []
    for prompt in ("cat\nthe", "the", "mat\nsat\nthe"):
        generator = Generator(made, Sampling(), stream(1, "generation"))
        generator.feed(made.vocabulary.encode(prompt, "text").tolist())
        found.append(generator.probabilities())
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])


def test_what_stands_for_unknown_words_is_never_made(text: str) -> None:
    words = text.replace("block: 8", "block: 8, tokenizer: word")
    made = experiment(text=words)
    assert made.vocabulary is not None
    generator = Generator(made, Sampling(), stream(1, "generation"))
    for _ in range(3):
        found = generator.probabilities()
        assert found[made.vocabulary.numbers[UNKNOWN]] == 0
        assert np.count_nonzero(found) == len(found) - 1
        generator.feed([1])


def test_scores_that_are_no_numbers_are_refused(text: str) -> None:
    made = experiment(text=text)
    made.network.flat.values[-1] = np.nan
    generator = Generator(made, Sampling(), stream(1, "generation"))
    with pytest.raises(NncliError, match="got NaN: the network diverged"):
        next(generator.tokens())


def slowly_cut(p: Array, top_k: int | None, top_p: float) -> set[int]:
    """Return the tokens that may be drawn."""
    order = sorted(range(len(p)), key=lambda token: (-p[token], token))[:top_k]
    total, found, kept = sum(p[token] for token in order), 0.0, set()
    for token in order:
        kept.add(token)
        found += p[token]
        if found >= top_p * total:
            break
    return kept


@pytest.mark.parametrize("top_k", [None, 1, 5, 100])
@pytest.mark.parametrize("top_p", [1.0, 0.8, 0.05])
def test_top_k_and_top_p_keep_what_a_slow_loop_keeps(
    top_k: int | None, top_p: float
) -> None:
    rng = np.random.default_rng(0)
    sampling = Sampling(1.0, top_k, top_p)
    for _ in range(5):
        p = rng.dirichlet(np.full(12, 0.5))
        kept = slowly_cut(p, top_k, top_p)
        assert {sampling.draw(p, rng) for _ in range(50)} <= kept
        # Each token that is kept has a share of (0, 1) of its own.
        cut = np.where(np.isin(np.arange(12), list(kept)), p, 0)
        edges = np.cumsum(cut) / cut.sum()
        for token in kept:
            inside = edges[token] - cut[token] / cut.sum() / 2
            assert sampling.draw(p, Fixed(inside)) == token


class Fixed(np.random.Generator):
    """Draws one number."""

    def __init__(self, value: float) -> None:
        super().__init__(np.random.PCG64(0))
        self.value = value

    def random(self, *_: object, **__: object) -> float:  # type: ignore[override]
        return self.value


@pytest.mark.parametrize(
    ("sampling", "expected"),
    [
        (Sampling(), [0.1, 0.2, 0.3, 0.4]),
        (Sampling(temperature=0), [0, 0, 0, 1]),
        (Sampling(temperature=0.5), [1 / 30, 4 / 30, 9 / 30, 16 / 30]),
        (Sampling(top_k=2), [0, 0, 3 / 7, 4 / 7]),
        (Sampling(top_p=0.7), [0, 0, 3 / 7, 4 / 7]),
        (Sampling(top_p=0.71), [0, 2 / 9, 3 / 9, 4 / 9]),
        (Sampling(top_k=1, top_p=0.1), [0, 0, 0, 1]),
    ],
)
def test_tokens_are_drawn_as_often_as_they_are_likely(
    sampling: Sampling, expected: list[float]
) -> None:
    p = np.array([0.1, 0.2, 0.3, 0.4])
    rng = np.random.default_rng(0)
    counts = np.bincount([sampling.draw(p, rng) for _ in range(3000)], minlength=4)
    np.testing.assert_allclose(counts / 3000, expected, atol=0.035)
    assert ((counts > 0) == (np.array(expected) > 0)).all()


def test_pieces_hold_back_what_a_stop_may_begin_with() -> None:
    vocabulary = Vocabulary("char", ("a", "b", "c"))
    pieces = Pieces(vocabulary, ["bc"], "")
    assert [pieces.add(k) for k in (0, 1, 0, 1, 2)] == ["a", "", "ba", "", ""]
    assert pieces.stopped
    assert pieces.rest() == ""
    assert pieces.text == "aba"


def test_bytes_are_printed_when_they_are_a_character() -> None:
    vocabulary = Vocabulary("bytes", tuple(map(chr, range(256))))
    pieces = Pieces(vocabulary, [], "")
    euro = "€".encode()
    assert [pieces.add(byte) for byte in (*euro, 65, euro[0])] == ["", "", "€", "A", ""]
    assert pieces.rest() == "\ufffd"
