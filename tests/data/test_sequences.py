"""Datasets of sequences: bAbI, the adding problem, texts in tables, rows as steps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nncli.core.errors import DataError
from nncli.data.adding import Adding
from nncli.data.babi import Babi
from nncli.data.sequences import Sequences
from nncli.data.text_table import TextTable
from nncli.data.vocabulary import PADDING, UNKNOWN

RNG = np.random.default_rng(0)
BABI = Path(__file__).parents[2] / "datasets" / "babi"

STORY = """\
1 Mary went to the hall.
2 Where is Mary? \thall\t1
3 Bo is here.
4 Where is Mary? \thall\t1
1 Ann left.
2 Where is Ann? \tgarden\t1
"""


def test_a_question_stands_behind_its_story_and_the_answer_is_the_class(
    tmp_path: Path,
) -> None:
    path = tmp_path / "qa.txt"
    path.write_text(STORY, encoding="utf-8")
    rows = Babi(str(path)).load(RNG)
    assert rows.lengths is not None
    texts = [
        " ".join(np.array(rows.raw.tokens)[x[:size]])
        for x, size in zip(rows.x, rows.lengths, strict=True)
    ]
    assert texts == [
        "Mary went to the hall . Where is Mary ?",
        "Mary went to the hall . Bo is here . Where is Mary ?",
        "Ann left . Where is Ann ?",
    ]
    assert rows.classes == ("garden", "hall")
    assert rows.y is not None
    assert rows.y.tolist() == [1, 1, 0]
    short = Babi(str(path), sentences=1).load(RNG)
    assert short.lengths is not None
    assert short.lengths.tolist() == [10, 8, 7]


def test_a_step_may_be_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "qa.txt"
    path.write_text(STORY, encoding="utf-8")
    rows = Babi(str(path), steps="sentences").load(RNG)
    assert rows.lengths is not None
    assert rows.lengths.tolist() == [2, 3, 2]
    assert rows.x.shape == (3, 3, 6)
    tokens = np.array(rows.raw.tokens)
    sentences = [" ".join(tokens[words[words > 0]]) for words in rows.x[1]]
    assert sentences == ["Mary went to the hall .", "Bo is here .", "Where is Mary ?"]
    assert not rows.x[2, 2].any()
    known = rows.fit(np.array([2])).tokens
    assert known[:2] == (PADDING, UNKNOWN)
    assert sorted(known[2:]) == [".", "?", "Ann", "Where", "is", "left"]


def test_the_files_of_a_folder_are_the_official_parts() -> None:
    rows = Babi(str(BABI)).load(RNG)
    assert {name: len(index) for name, index in rows.parts.items()} == {
        "train": 1000,
        "test": 1000,
    }
    assert len(rows.classes or ()) == 6
    with pytest.raises(DataError, match=r"a file qa7_\.\.\._train.txt"):
        Babi(str(BABI), task=7).load(RNG)


def test_what_is_no_babi_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "qa.txt"
    path.write_text("1 Mary went.\nhello\n", encoding="utf-8")
    with pytest.raises(DataError, match="line 2: expected a number and a sentence"):
        Babi(str(path)).load(RNG)


def test_the_target_of_the_adding_problem_is_the_sum_of_two_marked_numbers() -> None:
    rows = Adding(length=9, samples=300).load(np.random.default_rng(1))
    values, marks = rows.x[..., 0], rows.x[..., 1]
    assert rows.y is not None
    np.testing.assert_allclose(rows.y[:, 0], (values * marks).sum(axis=1))
    assert (marks[:, :4].sum(axis=1) == 1).all()
    assert (marks[:, 4:].sum(axis=1) == 1).all()
    assert np.mean((rows.y - 1) ** 2) == pytest.approx(1 / 6, rel=0.2)


@pytest.fixture
def reviews(tmp_path: Path) -> Path:
    pytest.importorskip("polars")
    path = tmp_path / "r.csv"
    path.write_text(
        'id,review,label\n1,"good, very good",pos\n2,bad,neg\n3,good good,pos\n',
        encoding="utf-8",
    )
    return path


def test_a_column_of_texts_becomes_padded_tokens(reviews: Path) -> None:
    rows = TextTable(str(reviews), "review", "label").load(RNG)
    vocabulary = rows.fit(np.array([0, 2]))
    assert vocabulary.tokens == (PADDING, UNKNOWN, "good", ",", "very")
    rows = rows.encoded(vocabulary)
    assert rows.x.tolist() == [[2, 3, 4, 2], [1, 0, 0, 0], [2, 2, 0, 0]]
    assert rows.lengths is not None
    assert rows.lengths.tolist() == [4, 1, 2]
    assert rows.classes == ("neg", "pos")
    assert rows.y is not None
    assert rows.y.tolist() == [1, 0, 1]
    assert rows.keys["id"].tolist() == [1, 2, 3]


def test_an_empty_text_or_one_that_is_too_long_is_told(
    reviews: Path, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=r"at most 2 tokens a row.*first in row 1 with"):
        TextTable(str(reviews), "review", "label", max_length=2).load(RNG)
    empty = tmp_path / "e.csv"
    empty.write_text("t,y\n.,1\n,0\n.,1\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"a token in each row at least.*row 2"):
        TextTable(str(empty), "t", "y").load(RNG)


STEPS = """\
run,t,a,b,kind
x,2,3,30,up
y,1,5,50,down
x,1,2,20,up
x,0,1,10,up
y,0,4,40,down
"""


def test_rows_of_one_id_are_the_steps_of_a_sequence_in_order_of_time(
    tmp_path: Path,
) -> None:
    pytest.importorskip("polars")
    path = tmp_path / "s.csv"
    path.write_text(STEPS, encoding="utf-8")
    rows = Sequences(str(path), id="run", target="kind", time="t").load(RNG)
    assert rows.x.tolist() == [
        [[1, 10], [2, 20], [3, 30]],
        [[4, 40], [5, 50], [0, 0]],
    ]
    assert rows.lengths is not None
    assert rows.lengths.tolist() == [3, 2]
    assert rows.classes == ("down", "up")
    assert rows.y is not None
    assert rows.y.tolist() == [1, 0]
    cut = Sequences(
        str(path), id="run", target="kind", time="t", max_length=2, cut=True
    ).load(RNG)
    assert cut.x[0].tolist() == [[2, 20], [3, 30]]


def test_a_sequence_with_two_targets_is_told(tmp_path: Path) -> None:
    pytest.importorskip("polars")
    path = tmp_path / "s.csv"
    path.write_text(STEPS.replace("x,1,2,20,up", "x,1,2,20,down"), encoding="utf-8")
    with pytest.raises(DataError, match=r"one 'kind' in all rows.*'run' is 'x'"):
        Sequences(str(path), id="run", target="kind", time="t").load(RNG)
