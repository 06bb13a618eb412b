"""bAbI: stories, and questions about them."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Literal

import numpy as np

from nncli.core.arrays import Array, Shape, check_memory
from nncli.core.errors import ArgumentError, DataError
from nncli.core.signature import File, Positive
from nncli.data.base import Dataset
from nncli.data.labels import Labels
from nncli.data.table import Table
from nncli.data.texts import lines_of, read_text
from nncli.data.token_table import TokenTable, rows_of_texts, token_rows
from nncli.data.vocabulary import RawTokens, Vocabulary

PARTS = ("train", "test")


class Babi(Dataset, name="babi"):
    """bAbI's question answering: a story and a question about it, as one sequence.

    x (N, T) words in their order, those of the question last; the class is the answer.
    Or x (N, S, W) sentences and their words, the question last.
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
        steps: What a step of a sequence is: ``words``, or ``sentences`` of W words
            each, for layers such as embedding_bag (Sukhbaatar et al. 2015, "End-to-end
            memory networks").
    """

    path: File
    task: Positive = 1
    test: File | None = None
    sentences: Positive | None = None
    steps: Literal["words", "sentences"] = "words"

    def load(self, rng: np.random.Generator) -> TokenTable:
        """Read the files."""
        files = self._files()
        told = [self._questions(read_text(file), str(file)) for file in files]
        questions = [question for each in told for question in each]
        stories = [story for story, _ in questions]
        answers = [answer for _, answer in questions]
        raw = RawTokens("word", (), self.path)
        x, lengths, raw = token_rows(self._texts(stories), raw, None, cut=False)
        if self.steps == "sentences":
            x, lengths = _by_story(x, stories, None, self.path)
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

    def unanswered(
        self, text: str, vocabulary: Vocabulary, shape: Shape, source: str
    ) -> Table:
        """Return the questions of a text, which need no answers, as rows to predict.

        Args:
            text: Lines as a file has them; of a question without an answer the last
                character is a question mark.
            vocabulary: That of the network's training.
            shape: Of a row that the network takes.
            source: What messages call the text.

        Raises:
            DataError: A line is none of bAbI's, or a story is too long.
        """
        stories = [story for story, _ in self._questions(text, source, answered=False)]
        texts, longest = self._texts(stories), shape[-1]
        table = rows_of_texts(texts, vocabulary, longest, source, cut=False)
        if self.steps == "words":
            return table
        x, lengths = _by_story(table.x, stories, shape[0], source)
        return dataclasses.replace(table, x=x, lengths=lengths)

    def _texts(self, stories: list[list[str]]) -> list[str]:
        """Return what is cut into words together: stories, or all their sentences."""
        if self.steps == "words":
            return [*map(" ".join, stories)]
        return [sentence for story in stories for sentence in story]

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

    def _questions(
        self, text: str, source: str, *, answered: bool = True
    ) -> list[tuple[list[str], str]]:
        """Return the sentences before each question and itself, and its answer.

        Args:
            text: Lines as a file has them.
            source: What messages call the text.
            answered: Whether only what has an answer is a question; else a question
                mark makes one, too.

        Raises:
            DataError: A line is none of bAbI's.
        """
        story: list[str] = []
        found: list[tuple[list[str], str]] = []
        count = 0
        for place, line in enumerate(lines_of(text), start=1):
            number, _, said = line.strip(" ").partition(" ")
            if number == "1":
                story, count = [], 0
            count += 1
            sentence, *rest = map(str.strip, said.split("\t"))
            fault = ""
            if not number.isdecimal() or not said.strip():
                fault = "a number and a sentence, as bAbI has them"
            elif number != str(count):
                numbers = "1" if count == 1 else f"{count} (or 1, of another story)"
                fault = f"the number {numbers}"
            elif rest and not (sentence and rest[0]):
                fault = "a question, a tab and an answer"
            if fault:
                raise DataError(
                    f"{source}: line {place:,}: expected {fault}, got {line[:40]!r}."
                )
            if rest or (not answered and sentence.endswith("?")):
                known = story if self.sentences is None else story[-self.sentences :]
                found.append(([*known, sentence], "".join(rest[:1])))
            else:
                story.append(sentence)
        if not found:
            more = " with answers" * answered
            raise DataError(f"{source}: expected questions{more}, got none.")
        return found


def _by_story(
    words: Array, stories: list[list[str]], longest: int | None, source: str
) -> tuple[Array, Array]:
    """Return sentences (M, W) as rows (N, S, W), and how many each story has.

    Raises:
        DataError: A story has more than the longest may have.
    """
    lengths = np.array([*map(len, stories)])
    steps = longest or int(lengths.max())
    if lengths.max() > steps:
        row = int(lengths.argmax())
        raise DataError(
            f"{source}: expected at most {steps:,} sentences, as in training, got "
            f"{lengths[row]:,} of question {row + 1:,}."
        )
    shape = (len(stories), steps, words.shape[1])
    check_memory(shape, words.dtype, source)
    x = np.zeros(shape, words.dtype)
    x[np.arange(steps) < lengths[:, None]] = words
    return x, lengths
