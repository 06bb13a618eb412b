"""Windows: rows that are stretches of one text, and the tokens that come next."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Literal

import numpy as np

from nncli.core.arrays import Array
from nncli.core.errors import DataError
from nncli.data.base import Field, Index, Rows
from nncli.data.vocabulary import RawTokens, Vocabulary

CHUNK = 2**24
"""Tokens that are counted, or digested, at once."""


Use = Literal["train", "stream", "score"]


class Windows(Rows):
    """Windows of a stretch of one text: x (block,) tokens, y (block,) the next ones.

    To train, a window begins at each token, or, as a ``stream``, where the one before
    it ends. To be scored, each token of the stretch is a target once: the last window
    may be shorter, and the first begins with the token before the stretch.

    Args:
        numbers: Those of all tokens of the text.
        raw: What the numbers stand for.
        block: Tokens a window.
        stretch: Where it begins and ends; None for the whole text.
        use: What windows are for.
        windows: How many an epoch of training takes; None for as many as lie side by
            side.
        vocabulary: What rows are written with; None before it is known.
    """

    def __init__(
        self,
        numbers: Array,
        raw: RawTokens,
        block: int,
        stretch: tuple[int, int] | None = None,
        use: Use = "train",
        windows: int | None = None,
        vocabulary: Vocabulary | None = None,
    ) -> None:
        self.numbers = numbers
        self.raw = raw
        self.block = block
        self.begin, self.end = stretch or (0, len(numbers))
        self.use = use
        self.windows = windows
        self.classes = raw.tokens if vocabulary is None else vocabulary.tokens
        self.below = len(self.classes)
        self.stream = use == "stream"
        self._table = np.arange(self.below)
        if vocabulary is not None:
            self._table = raw.table(vocabulary)
        size = self.end - self.begin
        if use == "train":
            self._count, self.per_epoch = size - block, windows or -(-size // block)
        elif use == "stream":
            self._count = (size - 1) // block
        else:
            self._count = -(-size // block)
        window = Field(np.dtype(np.int64), (block,))
        self.fields = {"x": window, "y": window}
        if use == "score" and size % block:
            self.fields = {**self.fields, "lengths": Field(np.dtype(np.int64), ())}
        if self._count < 1:
            raise DataError(
                f"{raw.source}: expected at least {block + 1:,} tokens to train on, a "
                f"block of {block} and one behind it, got {size:,}. Set a smaller "
                "dataset.block, or take more text."
            )

    def __len__(self) -> int:
        return self._count

    def _changed(
        self, begin: int, end: int, use: Use, vocabulary: Vocabulary | None = None
    ) -> Windows:
        stretch, windows = (begin, end), self.windows
        return Windows(
            self.numbers, self.raw, self.block, stretch, use, windows, vocabulary
        )

    def without_overlap(self, index: Array | None) -> Array | None:
        """Return windows that lie side by side."""
        if index is not None or self.use != "train":
            return index
        return np.arange(0, len(self), self.block)

    def take(self, index: Index, out: Mapping[str, Array]) -> None:
        """Gather windows, in the numbers of the vocabulary."""
        rows = np.arange(index.start, index.stop) if isinstance(index, slice) else index
        step = 1 if self.use == "train" else self.block
        # The first token that is scored is seen from the one before the stretch.
        first = self.begin - (self.use == "score" and self.begin > 0)
        begins = first + rows[:, None] * step
        for name, shift in (("x", 0), ("y", 1)):
            if name in out:
                places = begins + np.arange(shift, self.block + shift)
                found = self.numbers[np.minimum(places, self.end - 1)]
                out[name][...] = self._table[found]
        if "lengths" in out:
            left = self.end - self.begin - rows * self.block
            out["lengths"][...] = np.minimum(left, self.block)

    def split(self, validation: float, test: float) -> dict[str, Windows]:
        """Cut the text: the first tokens train, then those of validation and test.

        Args:
            validation: Share of the tokens.
            test: Likewise.
        """
        total = self.end
        counts = {"validation": round(validation * total), "test": round(test * total)}
        asked = {"validation": validation, "test": test}
        at = total - sum(counts.values())
        parts = {"train": self._changed(0, at, self.use)}
        for name, count in counts.items():
            if asked[name] and not count:
                raise DataError(
                    f"split: expected at least one token in the {name} part, got none "
                    f"of {total:,} (split.{name} is {asked[name]:g})."
                )
            if count:
                parts[name] = self._changed(at, at + count, "score")
            at += count
        return parts

    def fit(self, index: Array | None) -> Vocabulary:
        """Return the vocabulary of the stretch."""
        counts = np.zeros(len(self.raw.tokens), np.int64)
        for start in range(self.begin, self.end, CHUNK):
            some = self.numbers[start : min(start + CHUNK, self.end)]
            counts += np.bincount(some, minlength=len(counts))
        return self.raw.fit(counts)

    def encoded(self, vocabulary: Vocabulary) -> Windows:
        """Return the same windows in the numbers of a vocabulary.

        Raises:
            DataError: It lacks characters that the text has.
        """
        return self._changed(self.begin, self.end, self.use, vocabulary)

    def digest(self) -> str:
        """Return the SHA-256 of the whole text and of the size of windows."""
        facts = [
            self.raw.tokenizer,
            self.raw.tokens,
            self.block,
            str(self.numbers.dtype),
        ]
        total = hashlib.sha256(json.dumps(facts).encode())
        for start in range(0, len(self.numbers), CHUNK):
            total.update(np.ascontiguousarray(self.numbers[start : start + CHUNK]).data)
        return total.hexdigest()
