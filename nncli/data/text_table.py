"""TextTable: a column of texts, and what they are classified as."""

from __future__ import annotations

import numpy as np

from nncli.core.errors import DataError
from nncli.core.signature import File, Positive
from nncli.data.base import Dataset
from nncli.data.csv import Csv
from nncli.data.files import Kind
from nncli.data.text import check_min_count
from nncli.data.token_table import TokenTable, token_rows
from nncli.data.vocabulary import RawTokens, Tokenizer
from nncli.tables.settings import Column


class TextTable(Dataset, name="text_table"):
    """A column of texts in a table: x (N, T) tokens, y a class or number each.

    Shorter rows are padded, with a token of their own, number 0. The vocabulary is that
    of the training part. Needs polars: ``pip install "nncli[tables]"``.

    Args:
        path: CSV or TSV (perhaps ``.gz``), Parquet or Arrow; relative to the config.
        text: Name of the column of texts.
        target: Name of the target's column, or several names.
        tokenizer: What a token is: ``word`` (also a punctuation mark or the end of a
            line; spaces are none), ``char`` or ``bytes``.
        max_length: Tokens of the longest text; null for that of the file.
        cut: Cut longer texts, rather than refuse them.
        min_count: Words that the training part has less often are unknown.
        validation: File of the validation part; null for a share by ``split``.
        test: File of the test part; null likewise.
        targets: As in dataset csv.
    """

    path: File
    text: str
    target: str | list[str]
    tokenizer: Tokenizer = "word"
    max_length: Positive | None = None
    cut: bool = False
    min_count: Positive = 1
    validation: File | None = None
    test: File | None = None
    targets: Kind = "auto"

    def __post_init__(self) -> None:
        check_min_count(self.min_count, self.tokenizer)

    def load(self, rng: np.random.Generator) -> TokenTable:
        """Read the table, and cut its texts into tokens."""
        rows = Csv(
            self.path,
            target=self.target,
            features=[self.text],
            columns={self.text: Column(type="category")},
            validation=self.validation,
            test=self.test,
            targets=self.targets,
        ).load(rng)
        raw = RawTokens(self.tokenizer, (), self.path, self.min_count)
        texts = rows.keys[self.text].tolist()
        if not all(isinstance(text, str) for text in texts):
            raise DataError(
                f"{self.path}: expected texts in column {self.text!r}, got none."
            )
        x, lengths, raw = token_rows(texts, raw, self.max_length, cut=self.cut)
        return TokenTable(
            x,
            rows.y,
            rows.classes,
            lengths=lengths,
            keys=rows.keys,
            parts=rows.parts,
            below=len(raw.tokens),
            targets=rows.targets,
            scale_targets=rows.scale_targets,
            target_names=rows.target_names,
            raw=raw,
        )
