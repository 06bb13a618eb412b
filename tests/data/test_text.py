"""Texts as rows: tokens, windows, lines and the vocabulary of the training part."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nncli.core.errors import ArgumentError, DataError
from nncli.data.base import Rows
from nncli.data.text import Lines, Text
from nncli.data.texts import tokens_of
from nncli.data.vocabulary import UNKNOWN, RawTokens, Tokenizer, Vocabulary, joined

RNG = np.random.default_rng(0)
STORY = "".join(RNG.choice(list("abcdefgh .\n"), 200))


@pytest.fixture
def story(tmp_path: Path) -> Path:
    path = tmp_path / "story.txt"
    path.write_text(STORY, encoding="utf-8", newline="\n")
    return path


def parts_of(
    path: Path, validation: float = 0.2, tokenizer: Tokenizer = "char", block: int = 7
) -> dict[str, Rows]:
    """Return the encoded parts of a text."""
    rows = Text(str(path), tokenizer, block).load(RNG)
    parts = rows.split(validation, 0.0)
    vocabulary = parts["train"].fit(None)
    return {name: part.encoded(vocabulary) for name, part in parts.items()}


def test_a_window_of_training_begins_at_each_token_and_ends_before_validation(
    story: Path,
) -> None:
    train = parts_of(story)["train"]
    letters = {token: k for k, token in enumerate(train.classes or ())}
    whole = np.array([letters[c] for c in STORY[:160]])
    assert len(train) == 160 - 7
    places = np.array([0, 31, 152])
    x, y = train.read("x", places), train.read("y", places)
    np.testing.assert_array_equal(x, [whole[p : p + 7] for p in places])
    np.testing.assert_array_equal(y, [whole[p + 1 : p + 8] for p in places])


def test_each_token_of_a_validation_part_is_a_target_once(story: Path) -> None:
    part = parts_of(story)["validation"]
    every = slice(0, len(part))
    x, y = part.read("x", every), part.read("y", every)
    lengths = part.read("lengths", every)
    there = np.arange(7) < lengths[:, None]
    names = np.array(part.classes)
    assert "".join(names[y[there]]) == STORY[160:]
    assert "".join(names[x[there]]) == STORY[159:-1]


def test_windows_that_hold_each_training_target_once_lie_side_by_side(
    story: Path,
) -> None:
    train = parts_of(story)["train"]
    once = train.without_overlap(None)
    assert once is not None
    y = train.read("y", once)
    assert "".join(np.array(train.classes)[y.ravel()]) == STORY[1:160][: y.size]
    assert 160 - y.size <= 7 + 1


@pytest.mark.parametrize(
    ("count", "dtype"), [(256, np.uint8), (257, np.uint16), (65537, np.uint32)]
)
def test_numbers_of_tokens_take_as_few_bytes_as_they_can(
    count: int, dtype: type, tmp_path: Path
) -> None:
    path = tmp_path / "t.txt"
    points = [k for k in range(14, count + 3000) if not 0xD800 <= k < 0xE000]
    path.write_text("".join(map(chr, points[:count])), encoding="utf-8", newline="\n")
    numbers, tokens = tokens_of(path, "char")
    assert numbers.dtype == dtype
    assert len(tokens) == len(set(numbers.tolist())) == len(numbers)


@pytest.mark.parametrize("at_once", [1, 3, 1 << 20])
def test_a_file_that_is_read_in_pieces_gives_the_tokens_of_the_whole(
    at_once: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "t.txt"
    path.write_bytes("\ufeffnaïve €5,\r\nwords\rdon't €\n".encode())
    monkeypatch.setattr("nncli.data.texts.AT_ONCE", at_once)
    numbers, tokens = tokens_of(path, "char")
    assert "".join(tokens[k] for k in numbers) == "naïve €5,\nwords\ndon't €\n"
    numbers, tokens = tokens_of(path, "word")
    words = [tokens[k] for k in numbers]
    assert words == ["naïve", "€", "5", ",", "\n", "words", "\n", "don't", "€", "\n"]


def test_large_texts_lie_in_a_file(
    story: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nncli.data.texts.MAPPED", 0)
    numbers, tokens = tokens_of(story, "char")
    assert isinstance(numbers, np.memmap)
    assert "".join(tokens[k] for k in numbers) == STORY
    mapped, _ = tokens_of(story, "bytes")
    assert isinstance(mapped, np.memmap)
    assert bytes(mapped).decode() == STORY


def test_a_vocabulary_is_that_of_the_training_part(tmp_path: Path) -> None:
    path = tmp_path / "t.txt"
    path.write_text("a b a c b a\n" * 9 + "new words", encoding="utf-8")
    parts = parts_of(path, 0.03, "word", 4)
    known = parts["train"].classes
    assert known == (UNKNOWN, "a", "b", "\n", "c")
    y = parts["validation"].read("y", slice(0, len(parts["validation"])))
    assert y[0, 0] == 0
    with pytest.raises(DataError, match="'d', 'e', 'n', 'o', 'r', 's', 'w' in other"):
        parts_of(path, 0.1)


def test_rare_words_are_unknown() -> None:
    raw = RawTokens("word", ("a", "b", "c"), "t", min_count=2)
    vocabulary = raw.fit(np.array([2, 1, 5]))
    assert vocabulary.tokens == (UNKNOWN, "c", "a")
    assert vocabulary.encode("a b c", "t").tolist() == [2, 0, 1]


@pytest.mark.parametrize(
    ("tokenizer", "text"),
    [
        ("char", "Ab c\n!"),
        ("bytes", "größer €"),
        ("word", "Hear me (now), please.\nSpeak!"),
    ],
)
def test_tokens_join_to_the_text_they_were_cut_from(
    tokenizer: Tokenizer, text: str, tmp_path: Path
) -> None:
    path = tmp_path / "t.txt"
    path.write_text(text, encoding="utf-8", newline="\n")
    numbers, tokens = tokens_of(path, tokenizer)
    vocabulary = Vocabulary(tokenizer, tokens)
    assert vocabulary.encode(text, "t").tolist() == numbers.tolist()
    assert joined(vocabulary, numbers.tolist()) == text


def test_a_line_begins_and_ends_with_the_end_of_a_line(tmp_path: Path) -> None:
    path = tmp_path / "names.txt"
    path.write_text("Ann\n\nBo\n", encoding="utf-8")
    rows = Lines(str(path)).load(RNG)
    vocabulary = rows.fit(None)
    rows = rows.encoded(vocabulary)
    names = np.array(vocabulary.tokens)
    assert vocabulary.edge == "\n"
    assert "".join(names[rows.x[0]]) == "\nAnn"
    assert rows.y is not None
    assert "".join(names[rows.y[0]]) == "Ann\n"
    assert rows.lengths is not None
    assert rows.lengths.tolist() == [4, 3]
    assert "".join(names[rows.y[1, :3]]) == "Bo\n"
    assert rows.classes == vocabulary.tokens


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "expected text, got an empty file"),
        (b"ab\xff\xfecd" * 9, r"expected text in UTF-8, got the byte 0xff at byte 2"),
        (b"x", "expected at least 8 tokens to train on"),
        (b"1234567", "got 7"),
    ],
)
def test_what_is_no_text_to_train_on_is_told(
    content: bytes, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "t.txt"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        Text(str(path), block=7).load(RNG)
    with pytest.raises(DataError, match="found nothing"):
        Text(str(tmp_path / "none.txt")).load(RNG)


@pytest.mark.parametrize("tokenizer", ["char", "bytes", "word"])
def test_an_empty_file_is_told_whatever_a_token_is(
    tokenizer: Tokenizer, tmp_path: Path
) -> None:
    path = tmp_path / "t.txt"
    path.write_bytes(b"")
    with pytest.raises(DataError, match="empty file"):
        Text(str(path), tokenizer).load(RNG)


def test_settings_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(ArgumentError, match="windows or stream, got both"):
        Text("t.txt", windows=3, stream=True)
    with pytest.raises(ArgumentError, match="min_count is of words"):
        Text("t.txt", min_count=2)


def test_lines_longer_than_asked_for_are_refused_or_cut(tmp_path: Path) -> None:
    path = tmp_path / "t.txt"
    path.write_text("ab\nabcdef\n", encoding="utf-8")
    with pytest.raises(DataError, match="at most 5 tokens a row, got more in 1 row"):
        Lines(str(path), max_length=4).load(RNG)
    rows = Lines(str(path), max_length=4, cut=True).load(RNG)
    assert rows.lengths is not None
    assert rows.lengths.tolist() == [3, 4]
