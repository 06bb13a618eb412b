"""TokenTable: rows of tokens in memory, padded to one length."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from nncli.core.arrays import Array, check_memory
from nncli.core.errors import DataError
from nncli.core.text import count
from nncli.data.table import Table
from nncli.data.vocabulary import (
    BYTES,
    PADDING,
    RawTokens,
    Vocabulary,
    narrow,
    split,
)


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class TokenTable(Table):
    """Rows whose ``x`` (N, T) holds tokens, and ``lengths`` how many in each row.

    Where a step is several tokens, ``x`` is (N, T, W) and ``lengths`` count steps.

    Attributes:
        raw: What the numbers in ``x`` stand for.
        next_tokens: The targets are tokens too: at each step the next one.
    """

    raw: RawTokens
    next_tokens: bool = False

    def fit(self, index: Array | None) -> Vocabulary:
        """Return the vocabulary of some rows.

        Args:
            index: Places of the training part; None for all rows.
        """
        counts = np.zeros(len(self.raw.tokens), np.int64)
        for x, lengths in self.blocks("x", "lengths", index=index):
            there = x[np.arange(x.shape[1]) < lengths[:, None]]
            counts += np.bincount(there.ravel(), minlength=len(counts))
        return self.raw.fit(counts)

    def encoded(self, vocabulary: Vocabulary) -> TokenTable:
        """Return the same rows in the numbers of a vocabulary.

        Raises:
            DataError: It lacks characters that rows have.
        """
        table = self.raw.table(vocabulary).astype(narrow(len(vocabulary)))
        y, classes = self.y, self.classes
        if self.next_tokens and y is not None:
            y, classes = table[y], vocabulary.tokens
        return dataclasses.replace(
            self, x=table[self.x], y=y, classes=classes, below=len(vocabulary)
        )


def token_rows(
    texts: Sequence[str],
    raw: RawTokens,
    longest: int | None,
    *,
    cut: bool,
) -> tuple[Array, Array, RawTokens]:
    """Return texts as rows of tokens, (N, T), their lengths, and the tokens.

    Args:
        texts: At least one.
        raw: Without tokens; how texts are cut, and what they are called.
        longest: T; None for the length of the longest text.
        cut: Whether what is longer is cut, rather than refused.

    Raises:
        DataError: A text is empty, or too long.
    """
    places = {raw.edge or PADDING: 0}
    for token in BYTES if raw.tokenizer == "bytes" else ():
        places.setdefault(token, len(places))
    pieces = [split(text, raw.tokenizer) for text in texts]
    lengths = checked_lengths([*map(len, pieces)], raw.source, longest, cut=cut)
    steps = longest or int(lengths.max())
    check_memory((len(texts), steps), np.dtype(np.uint32), raw.source)
    x = np.zeros((len(texts), steps), np.uint32)
    for row, (piece, size) in enumerate(zip(pieces, lengths.tolist(), strict=True)):
        numbers = (places.setdefault(token, len(places)) for token in piece[:size])
        x[row, :size] = np.fromiter(numbers, np.uint32, size)
    tokens = tuple(places)
    found = dataclasses.replace(raw, tokens=tokens)
    return x.astype(narrow(len(tokens))), lengths, found


def checked_lengths(
    found: Sequence[int],
    source: str,
    longest: int | None,
    *,
    cut: bool,
    what: tuple[str, str] = ("token", "row"),
) -> Array:
    """Return the lengths of sequences, at most ``longest``.

    Args:
        found: How long they are.
        source: What messages call the data.
        longest: The longest that is taken; None for any.
        cut: Whether what is longer is cut, rather than refused.
        what: What messages call a step, and a sequence.

    Raises:
        DataError: One is empty, or too long and not to be cut.
    """
    lengths, (step, row) = np.array(found, np.int64), what
    empty = np.flatnonzero(lengths == 0)
    if empty.size:
        raise DataError(
            f"{source}: expected a {step} in each {row} at least, got none in "
            f"{count(empty.size, row)}, the first in {row} {empty[0] + 1:,}. Remove "
            f"such {row}s."
        )
    if longest is None:
        return lengths
    long = np.flatnonzero(lengths > longest)
    if long.size and not cut:
        first = int(long[0])
        raise DataError(
            f"{source}: expected at most {longest:,} {step}s a {row}, got more in "
            f"{count(long.size, row)}, the first in {row} {first + 1:,} with "
            f"{lengths[first]:,}. Set a larger dataset.max_length, or cut: true."
        )
    return np.minimum(lengths, longest)


def rows_of_texts(
    texts: Sequence[str], vocabulary: Vocabulary, steps: int, source: str, *, cut: bool
) -> Table:
    """Return texts as rows that a network of a vocabulary takes, to predict.

    Args:
        texts: Any.
        vocabulary: That of the network's training.
        steps: T, the tokens of a row.
        source: What messages call the texts.
        cut: Whether longer ones are cut, rather than refused.

    Raises:
        DataError: A text is empty, too long, or has unknown characters.
    """
    found = [vocabulary.encode(text, source) for text in texts]
    lengths = checked_lengths([*map(len, found)], source, steps, cut=cut)
    x = np.zeros((len(texts), steps), np.int64)
    for row, (numbers, size) in enumerate(zip(found, lengths.tolist(), strict=True)):
        x[row, :size] = numbers[:size]
    return Table(x, lengths=lengths, below=len(vocabulary))
