"""Labels: classes and indices."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nncli.core.errors import DataError, RunError
from nncli.data.labels import Labels


@pytest.mark.parametrize(
    "targets",
    [np.array([3, 1, 3, 7]), np.array(["b", "a", "b"]), np.array([True, False])],
)
def test_labels_encode_and_decode_are_inverse(targets: np.ndarray) -> None:
    labels = Labels.of(targets)
    np.testing.assert_array_equal(labels.decode(labels.encode(targets)), targets)
    again = Labels.from_json(labels.to_json())
    assert again.values.dtype == labels.values.dtype
    np.testing.assert_array_equal(again.values, labels.values)


def test_labels_keep_an_order_that_is_not_alphabetical() -> None:
    labels = Labels(np.array(["9", "10", "8"]))
    np.testing.assert_array_equal(labels.encode(np.array([10, 9, 8])), [1, 0, 2])
    assert labels.names == ("9", "10", "8")


def test_labels_refuse_a_class_that_is_new() -> None:
    with pytest.raises(DataError, match="one of the classes 1, 2, got 3"):
        Labels(np.array([1, 2])).encode(np.array([1, 3]))


def test_labels_refuse_objects_from_a_file() -> None:
    with pytest.raises(ValueError, match="numbers or texts"):
        Labels.from_json(["O", [1]])


@pytest.mark.parametrize(
    "value",
    [
        ["<U500000000", ["a", "b"]],
        ["<U0", ["abc", "b"]],
    ],
)
def test_texts_are_as_long_as_they_are_whatever_a_checkpoint_says(value: Any) -> None:
    labels = Labels.from_json(value)
    assert labels.names == tuple(value[1])
    assert labels.values.nbytes < 100


@pytest.mark.parametrize(
    "value",
    [
        ["O", [1]],
        ["V1000000000", [1]],
        ["S9", ["a"]],
        ["M8[s]", [1]],
        [["<i8", "<f8"], [1]],
        [{"names": ["a"], "formats": ["i8"]}, [1]],
        ["<i8", [[1], [2]]],
        ["<i8", [[1], 2]],
        ["<i8", 3],
        ["<i8", [2**70]],
        ["<i8", ["x"]],
        ["(1000000000,)i8", [1]],
        [None, [1]],
        3,
        [],
        "U",
        {"a": 1},
    ],
    ids=str,
)
def test_labels_of_a_hostile_checkpoint_are_one_message(value: Any) -> None:
    with pytest.raises(RunError, match="m: expected the labels of a model"):
        Labels.of_checkpoint({"labels": value}, "m")
