"""Text and Lines: what follows each token of a text, or of each of its lines."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nncli.core.errors import ArgumentError, DataError
from nncli.core.signature import File, Positive
from nncli.data.base import Dataset
from nncli.data.texts import lines_of, read_text, tokens_of
from nncli.data.token_table import TokenTable, token_rows
from nncli.data.vocabulary import RawTokens, Tokenizer
from nncli.data.windows import Use, Windows


class Text(Dataset, name="text"):
    """Windows of one text: x (N, block) tokens, and at each of them the next, y.

    Parts are stretches of the text: with ``split: {validation: 0.1}`` its first nine
    tenths train. A window of training may begin at any token; in other parts windows
    lie side by side, so that each token is scored once. The vocabulary is that of the
    training part.

    Args:
        path: A file of text in UTF-8; relative to the config.
        tokenizer: What a token is: ``char``, ``word`` (also a punctuation mark or the
            end of a line; spaces are none) or ``bytes``.
        block: Tokens a window.
        windows: How many windows an epoch takes, drawn anew for each; null for as many
            as lie side by side in the training part.
        stream: Windows lie side by side and each row of a batch goes on where it
            stopped in the batch before, which layers that are stateful want.
        min_count: Words that the training part has less often are unknown.
    """

    path: File
    tokenizer: Tokenizer = "char"
    block: Positive = 64
    windows: Positive | None = None
    stream: bool = False
    min_count: Positive = 1

    def __post_init__(self) -> None:
        check_min_count(self.min_count, self.tokenizer)
        if self.stream and self.windows is not None:
            raise ArgumentError(
                "expected windows or stream, got both: a stream takes each window once "
                "an epoch. Leave windows out."
            )

    def load(self, rng: np.random.Generator) -> Windows:
        """Read the file, or map it where tokens are bytes."""
        numbers, tokens = tokens_of(Path(self.path), self.tokenizer)
        raw = RawTokens(self.tokenizer, tokens, self.path, self.min_count)
        use: Use = "stream" if self.stream else "train"
        return Windows(numbers, raw, self.block, use=use, windows=self.windows)


class Lines(Dataset, name="lines"):
    """Each line of a text is a sequence: x (N, T) tokens, and at each the next, y.

    A row begins with the end of a line and its last target is one: what is made by
    ``nncli generate`` has an end. Empty lines are left out; shorter rows are padded.

    Args:
        path: A file of text in UTF-8; relative to the config.
        tokenizer: What a token is: ``char``, ``word`` (also a punctuation mark) or
            ``bytes``.
        max_length: Tokens of the longest line, its end included; null for that of the
            file.
        cut: Cut longer lines, rather than refuse them.
        min_count: Words that the training part has less often are unknown.
    """

    path: File
    tokenizer: Tokenizer = "char"
    max_length: Positive | None = None
    cut: bool = False
    min_count: Positive = 1

    def __post_init__(self) -> None:
        check_min_count(self.min_count, self.tokenizer)

    def load(self, rng: np.random.Generator) -> TokenTable:
        """Read the file."""
        text = read_text(Path(self.path))
        lines = [line for line in lines_of(text) if line.strip()]
        if not lines:
            raise DataError(f"{self.path}: expected lines of text, got empty ones.")
        longest = None if self.max_length is None else self.max_length + 1
        raw = RawTokens(self.tokenizer, (), self.path, self.min_count, edge="\n")
        ended = [f"\n{line}\n" for line in lines]
        rows, lengths, raw = token_rows(ended, raw, longest, cut=self.cut)
        x, y = rows[:, :-1], rows[:, 1:]
        return TokenTable(
            x,
            y,
            raw.tokens,
            lengths=lengths - 1,
            below=len(raw.tokens),
            raw=raw,
            next_tokens=True,
        )


def check_min_count(least: int, tokenizer: Tokenizer) -> None:
    """Refuse to leave out anything but words.

    Raises:
        ArgumentError: It is asked for.
    """
    if least > 1 and tokenizer != "word":
        raise ArgumentError(
            f"min_count is of words: expected 1 with tokenizer {tokenizer}, got "
            f"{least}."
        )
