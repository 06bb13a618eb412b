"""Vocabulary: the tokens that a network knows, and texts as their numbers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from nncli.core.arrays import Array
from nncli.core.errors import DataError

Tokenizer = Literal["char", "word", "bytes"]

PADDING = "<padding>"
"""What fills rows of sequences that are shorter than others."""

UNKNOWN = "<unknown>"
"""What stands for words that the vocabulary does not have."""

BYTES = tuple(map(chr, range(256)))
"""What each byte stands for."""

WORDS = re.compile(r"\w+(?:['’]\w+)*|[^\w\s]|\n")

_CLOSING = frozenset(".,;:!?)]}…")
_OPENING = frozenset("([{")

MOST_NAMED = 10
"""Unknown characters that a message names, at most."""


@dataclass(frozen=True)
class Vocabulary:
    """The tokens of the training part, by their numbers.

    Attributes:
        tokenizer: What a token is: a character, a word (also a punctuation mark or the
            end of a line; spaces are none), or a byte of UTF-8.
        tokens: What each number stands for; of a byte, the character of its number.
        edge: The token that stands before the first and behind the last of each
            sequence; None where sequences are windows of one text.
    """

    tokenizer: Tokenizer
    tokens: tuple[str, ...]
    edge: str | None = None

    def __post_init__(self) -> None:
        # A checkpoint may say anything.
        known = len(self.numbers) == len(self.tokens)
        if self.tokenizer == "bytes":
            known = known and {*self.tokens} <= {*BYTES, PADDING}
        if not known:
            raise ValueError(f"expected different tokens, {self.tokenizer}")

    def __len__(self) -> int:
        return len(self.tokens)

    @cached_property
    def numbers(self) -> dict[str, int]:
        """The number of each token."""
        return {token: number for number, token in enumerate(self.tokens)}

    @property
    def names(self) -> tuple[str, ...]:
        """The tokens as messages and tables show them: a space is seen."""
        return tuple(map(repr, self.tokens))

    def encode(self, text: str, source: str) -> Array:
        """Return the numbers of a text's tokens.

        Args:
            text: Any text.
            source: What messages call it.

        Raises:
            DataError: A character is not in the vocabulary.
        """
        numbers, unknown = self.numbers, self.numbers.get(UNKNOWN)
        pieces = split(text, self.tokenizer)
        if unknown is None:
            strange = [piece for piece in pieces if piece not in numbers]
            if strange:
                raise DataError(
                    f"{source}: expected {self._noun} that the training part has, got "
                    f"{_named(strange)}. Leave them out, or train on text that has "
                    "them."
                )
        found = (numbers.get(piece, unknown) for piece in pieces)
        return np.fromiter(found, np.int64)

    @property
    def _noun(self) -> str:
        return {"char": "characters", "word": "words", "bytes": "bytes"}[self.tokenizer]

    def piece(self, number: int, before: int | None) -> str:
        """Return the text that a token adds behind another one.

        Spaces between words follow from the words; of bytes it is one character a byte.

        Args:
            number: Of the token.
            before: Of the token before it; None where there is none.
        """
        text = self.tokens[number]
        if self.tokenizer != "word" or before is None:
            return text
        last = self.tokens[before]
        close = "\n" in (text, last) or text in _CLOSING or last in _OPENING
        return text if close else f" {text}"


def split(text: str, tokenizer: Tokenizer) -> Sequence[str]:
    """Return the tokens of a text."""
    if tokenizer == "char":
        return text
    if tokenizer == "bytes":
        return text.encode().decode("latin-1")
    return WORDS.findall(text)


@dataclass(frozen=True)
class RawTokens:
    """All tokens of a dataset, before it is known which ones training has.

    Attributes:
        tokenizer: What a token is.
        tokens: What each number stands for, as the rows hold it.
        source: What messages call the data.
        min_count: How often a word is in the training part at least, to be known.
        edge: See ``Vocabulary``.
    """

    tokenizer: Tokenizer
    tokens: tuple[str, ...]
    source: str
    min_count: int = 1
    edge: str | None = None

    def fit(self, counts: Array) -> Vocabulary:
        """Return the vocabulary of a training part.

        Characters are in the order of their code points, words in that of how often
        they occur; all bytes are known.

        Args:
            counts: How often the training part has each token.
        """
        if self.tokenizer == "bytes":
            return Vocabulary("bytes", self.tokens, self.edge)
        pairs = [
            (token, count)
            for token, count in zip(self.tokens, counts.tolist(), strict=True)
            if count >= self.min_count and token != PADDING
        ]
        word = self.tokenizer == "word"
        pairs.sort(key=lambda pair: (-pair[1] if word else 0, pair[0]))
        first = [PADDING] * (PADDING in self.tokens) + [UNKNOWN] * word
        tokens = (*first, *(token for token, _ in pairs))
        return Vocabulary(self.tokenizer, tokens, self.edge)

    def table(self, vocabulary: Vocabulary) -> Array:
        """Return the number that each token has in a vocabulary.

        Raises:
            DataError: Characters are in none of the training part.
        """
        numbers, unknown = vocabulary.numbers, vocabulary.numbers.get(UNKNOWN)
        strange = [token for token in self.tokens if token not in numbers]
        if strange and unknown is None:
            raise DataError(
                f"{self.source}: expected characters that the training part has, got "
                f"{_named(strange)} in other parts. Leave them out, keep less from "
                "training, or set tokenizer: bytes."
            )
        found = (numbers.get(token, unknown) for token in self.tokens)
        return np.fromiter(found, np.int64)


def _named(strange: Iterable[str]) -> str:
    """Name tokens, each once."""
    counts = Counter(strange)
    named = ", ".join(map(repr, list(counts)[:MOST_NAMED]))
    more = len(counts) - MOST_NAMED
    return f"{named} and {more} more" if more > 0 else named


def joined(vocabulary: Vocabulary, numbers: Sequence[int]) -> str:
    """Return the text of tokens."""
    before: list[int | None] = [None, *numbers]
    pieces = map(vocabulary.piece, numbers, before)
    text = "".join(pieces)
    if vocabulary.tokenizer == "bytes":
        return text.encode("latin-1").decode(errors="replace")
    return text


def narrow(count: int) -> np.dtype[np.unsignedinteger]:
    """Return the smallest type for numbers of so many tokens."""
    return np.min_scalar_type(max(count - 1, 0))
