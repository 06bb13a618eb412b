"""The dataset of tables: its columns, targets, weights and parts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nncli.core.errors import ArgumentError, DataError
from nncli.data.columns import RawRows, encoded
from nncli.data.csv import Csv

pytest.importorskip("polars", reason="tables are read by polars")

RNG = np.random.default_rng(0)

CSV = """a,b,who,sick
1.5,x,ann,yes
2.5,y,bob,no
,x,cid,no
4.5,z,dan,yes
"""


def load(tmp_path: Path, text: str = CSV, **arguments: Any) -> RawRows:
    (tmp_path / "d.csv").write_text(text, encoding="utf-8")
    return Csv(str(tmp_path / "d.csv"), **arguments).load(RNG)


@pytest.mark.parametrize(
    ("arguments", "inputs"),
    [
        ({}, ("a", "b", "who")),
        ({"drop": ["who"]}, ("a", "b")),
        ({"features": ["b", "a"]}, ("b", "a")),
        ({"target": "a", "features": ["b"]}, ("b",)),
        ({"target": 1, "drop": ["a"]}, ("who", "sick")),
        ({"weights": "a", "drop": ["who"]}, ("b",)),
    ],
)
def test_inputs_are_the_columns_that_have_no_other_part(
    tmp_path: Path, arguments: dict[str, Any], inputs: tuple[str, ...]
) -> None:
    text = CSV.replace("\n,", "\n3.5,")
    assert load(tmp_path, text, **arguments).inputs == inputs


def test_a_file_without_names_has_numbers_for_names(tmp_path: Path) -> None:
    rows = load(tmp_path, "1;2;0\n3;4;1\n5;1;1\n", target=0)
    assert rows.inputs == ("1", "2")
    assert rows.y is not None
    assert rows.y.tolist() == [1, 3, 5]


def test_texts_are_classes_in_alphabetical_order(tmp_path: Path) -> None:
    rows = load(tmp_path, CSV)
    assert rows.classes == ("no", "yes")
    assert rows.y is not None
    assert rows.y.tolist() == [1, 0, 0, 1]
    rows = load(tmp_path, CSV, target="b")
    assert rows.classes == ("x", "y", "z")


def test_several_targets_are_numbers_side_by_side(tmp_path: Path) -> None:
    rows = load(tmp_path, "a,b,c\n1,2,3\n4,5,7\n", target=["c", "a"])
    assert rows.y is not None
    assert rows.y.tolist() == [[3, 1], [7, 4]]
    assert rows.inputs == ("b",)
    assert rows.target_names == ("c", "a")


def test_columns_are_there_to_split_by_as_numbers_or_texts(tmp_path: Path) -> None:
    keys = load(tmp_path).keys
    assert keys["who"].tolist() == ["ann", "bob", "cid", "dan"]
    assert keys["b"].tolist() == ["x", "y", "x", "z"]
    assert set(keys) == {"a", "b", "who", "sick"}
    assert "nothing" not in keys


def test_files_of_their_own_are_official_parts(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("sick,b,a,who\nyes,w,9,eve\n", encoding="utf-8")
    rows = load(tmp_path, test=str(tmp_path / "t.csv"))
    assert {n: i.tolist() for n, i in rows.parts.items()} == {
        "train": [0, 1, 2, 3],
        "test": [4],
    }
    assert rows.keys["who"].tolist()[4] == "eve"


def test_what_is_encoded_is_taken_in_any_type_and_order(tmp_path: Path) -> None:
    rows = load(tmp_path, drop=["who"])
    made = encoded(rows, rows.fit(np.array([0, 1, 2])))
    assert made.columns == ("a", "a is missing", "b=x", "b=(other)")
    whole = made.read("x", slice(0, 4))
    out = np.full((2, 4), 77, np.float32)
    y = np.zeros(2, int)
    made.take(np.array([3, 2]), {"x": out, "y": y})
    np.testing.assert_array_equal(out, whole[[3, 2]].astype(np.float32))
    assert y.tolist() == [1, 0]
    np.testing.assert_allclose(
        whole, [[-1, 0, 1, 0], [1, 0, 0, 1], [0, 1, 1, 0], [5, 0, 0, 1]]
    )


def test_the_digest_is_of_content_and_of_what_is_used(tmp_path: Path) -> None:
    def digest(text: str = CSV, **arguments: Any) -> str:
        rows = load(tmp_path, text, **arguments)
        return encoded(rows, rows.fit(None)).digest()

    assert digest() == digest()
    others = {digest(CSV.replace("2.5", "2.6")), digest(drop=["who"]), digest()}
    assert len(others) == 3


@pytest.mark.parametrize(
    ("text", "arguments", "message"),
    [
        ("a,b\n1,2\n3,4\n", {"target": "c"}, "a column 'c' as target. Expected one"),
        ("a,b\n1,2\n3,4\n", {"target": 5}, "target below 2"),
        ("a,b\n1,2\n3,4\n", {"drop": ["z"]}, "a column 'z'"),
        ("a,b\n1,2\n3,4\n", {"features": ["z"]}, "a column 'z' as input"),
        ("a,b\n1,2\n3,4\n", {"drop": ["a"]}, "a column of inputs, got none"),
        ("a,b,c\n1,7,2\n3,7,4\n", {"target": "c", "features": ["b"]}, "same value"),
        ("a,b\n1,2\n3,\n", {}, "value in each row, got none in 1 of 2, .* row 2"),
        (
            "a,b,c\n1,x,5\n3,y,6\n",
            {"target": ["a", "b"]},
            "numbers .* in each of several",
        ),
        ("a,b\n1,2020-01-01\n3,2020-01-02\n", {}, "got dates in 'b'"),
        ("a,b,w\n1,2,-1\n3,4,1\n", {"target": "b", "weights": "w"}, "weights of at"),
        ("a,b\nx,2\n3,4\n", {"columns": {"a": {"type": "number"}}}, "2: column 'a'"),
        ("a,b\nx,2\ny,4\n", {"columns": {"a": {"scaling": "log"}}}, "no scaling for"),
    ],
)
def test_what_cannot_be_trained_on_is_refused(
    tmp_path: Path, text: str, arguments: dict[str, Any], message: str
) -> None:
    from nncli.config.validate import component_from
    from nncli.data.base import Dataset

    path = tmp_path / "d.csv"
    path.write_text(text, encoding="utf-8")
    dataset = component_from(Dataset, {"type": "csv", "path": str(path), **arguments})
    with pytest.raises(DataError, match=message) as failure:
        dataset.load(RNG).fit(None)
    assert failure.value.exit_code == 2


def test_a_delimiter_is_one_character() -> None:
    with pytest.raises(ArgumentError, match="one character"):
        Csv("d.csv", delimiter="::")
