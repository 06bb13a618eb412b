"""bAbI: stories, and questions about them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nncli.core.errors import ArgumentError, DataError
from nncli.core.signature import File, Positive
from nncli.data.base import Dataset
from nncli.data.labels import Labels
from nncli.data.texts import read_text
from nncli.data.token_table import TokenTable, token_rows
from nncli.data.vocabulary import RawTokens

PARTS = ("train", "test")


class Babi(Dataset, name="babi"):
    """bAbI's question answering: a story and a question about it, as one sequence.

    x (N, T) words in their order, those of the question last; the class is the answer.
    A line is a number, which begins a story where it is 1, and a sentence; or a number,
    a question, a tab, the answer, a tab, and numbers of lines. Source: Weston et al.
    2015, "Towards AI-Complete Question Answering".

    Args:
        path: The folder of tasksv1-2/en, of whose task the files become the parts for
            training and test; or one file. Relative to the config.
        task: Which of the 20 tasks, of a folder.
        test: A file of the test part, where ``path`` is a file; null for a share by
            ``split``.
        sentences: Only so many sentences before the question; null for all.
    """

    path: File
    task: Positive = 1
    test: File | None = None
    sentences: Positive | None = None

    def load(self, rng: np.random.Generator) -> TokenTable:
        """Read the files."""
        files = self._files()
        told = [_questions(file, self.sentences) for file in files]
        questions = [question for each in told for question in each]
        texts, answers = zip(*questions, strict=True)
        raw = RawTokens("word", (), self.path)
        x, lengths, raw = token_rows(texts, raw, None, cut=False)
        labels = Labels.of(np.array(answers))
        parts = {}
        if len(files) > 1:
            ends = np.cumsum([0, *map(len, told)])
            parts = {
                name: np.arange(ends[i], ends[i + 1]) for i, name in enumerate(PARTS)
            }
        return TokenTable(
            x,
            labels.encode(np.array(answers)),
            tuple(labels.values.tolist()),
            lengths=lengths,
            below=len(raw.tokens),
            parts=parts,
            raw=raw,
        )

    def _files(self) -> list[Path]:
        path = Path(self.path)
        if not path.is_dir():
            return [path, *([Path(self.test)] if self.test else [])]
        if self.test is not None:
            raise ArgumentError(
                "expected no test beside a folder, which has the file of the test part."
            )
        files = []
        for part in PARTS:
            found = sorted(path.glob(f"qa{self.task}_*_{part}.txt"))
            if not found:
                raise DataError(
                    f"{path}: expected a file qa{self.task}_..._{part}.txt, found none."
                )
            files.append(found[0])
        return files


def _questions(path: Path, most: int | None) -> list[tuple[str, str]]:
    """Return each question behind its story, and its answer.

    Raises:
        DataError: A line is none of bAbI's.
    """
    story: list[str] = []
    found: list[tuple[str, str]] = []
    count = 0
    for place, line in enumerate(read_text(path).splitlines(), start=1):
        number, _, text = line.strip(" ").partition(" ")
        if number == "1":
            story, count = [], 0
        count += 1
        question, *rest = map(str.strip, text.split("\t"))
        fault = ""
        if not number.isdecimal() or not text.strip():
            fault = "a number and a sentence, as bAbI has them"
        elif number != str(count):
            numbers = "1" if count == 1 else f"{count} (or 1, of another story)"
            fault = f"the number {numbers}"
        elif rest and not (question and rest[0]):
            fault = "a question, a tab and an answer"
        if fault:
            raise DataError(
                f"{path}: line {place:,}: expected {fault}, got {line[:40]!r}."
            )
        if rest:
            known = story if most is None else story[-most:]
            found.append((" ".join([*known, question]), rest[0]))
        else:
            story.append(text)
    if not found:
        raise DataError(f"{path}: expected questions with answers, got none.")
    return found
