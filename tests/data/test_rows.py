"""What a program hands over is checked, and errors say where it is wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nncli as nn
from nncli.config.schema import Config
from nncli.config.validate import component_from
from nncli.core.errors import NncliError
from nncli.data.rows import finite, not_finite, paired
from nncli.data.table import Table
from nncli.experiment.crosschecks import check_rows

X = np.random.default_rng(0).normal(size=(150, 4))
Y = np.arange(150) % 3


class Frame:
    """What is asked of a data frame."""

    def __init__(self, values: Any, columns: list[str]) -> None:
        self.values, self.columns = values, columns

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return np.asarray(self.values, dtype)


def spoiled(value: float) -> Any:
    x = X.copy()
    x[[17, 20, 149], [2, 0, 1]] = value
    return x


def test_not_finite_says_how_many_and_where() -> None:
    assert not_finite(Table(X), "x") == ""
    wanted = "3 of 150 rows hold NaN, the first in row 17, column 2 (from 0)"
    assert not_finite(Table(spoiled(np.nan)), "x") == wanted
    both = spoiled(np.inf)
    both[0, 0] = np.nan
    assert not_finite(Table(both), "x").startswith(
        "4 of 150 rows hold NaN or infinity, the first"
    )
    one = np.array([1.0, np.inf])
    assert (
        not_finite(Table(one), "x")
        == "1 of 2 rows holds infinity, the first in row 1 (from 0)"
    )
    image = np.zeros((2, 3, 4))
    image[1, 2, 3] = np.nan
    assert not_finite(Table(image), "x").endswith("row 1 at (2, 3) (from 0)")


def test_fit_and_predict_say_which_rows_hold_nan() -> None:
    model = nn.Model([nn.Dense(3)]).compile()
    with pytest.raises(NncliError, match="inputs: 3 of 150 rows hold NaN, the first"):
        model.fit(spoiled(np.nan), Y)
    model.fit(X, Y)
    frame = Frame(spoiled(np.nan), ["a", "b", "c", "d"])
    with pytest.raises(NncliError, match=r"row 17 \(from 0\), column 'c'"):
        model.predict(frame)


def test_dataset_says_which_rows_hold_nan() -> None:
    values = {
        "dataset": "spiral",
        "layers": ["relu"],
        "loss": "mse",
        "optimizer": "adam",
        "training": {"epochs": 1},
    }
    config = component_from(Config, values)
    with pytest.raises(
        NncliError, match="dataset spiral: expected finite inputs: 3 of"
    ):
        check_rows(Table(spoiled(np.nan), Y, None), config)
    targets = Y.astype(float)
    targets[4] = np.inf
    with pytest.raises(NncliError, match="finite targets: 1 of 150 rows holds infin"):
        check_rows(Table(X, targets, None), config)


def test_frame_of_mixed_types_names_the_column() -> None:
    values = np.array([[1.0, "2", "red"], [2.0, "3", "blue"]], object)
    with pytest.raises(NncliError, match=r"got 'red' in row 0 .*, column 'c'"):
        paired(Frame(values, ["a", "b", "c"]), [0, 1])
    with pytest.raises(NncliError, match=r"got 'red' in row 0, column 2 \(from 0\)"):
        finite(values, "inputs")


def test_wrong_shapes_name_what_was_expected_and_given() -> None:
    with pytest.raises(NncliError, match=r"x of shape \(150, 4\) and y of .*\(149,"):
        paired(X, Y[:149])
    model = nn.Model([nn.Dense(3)]).compile()
    model.fit(X, Y)
    with pytest.raises(NncliError, match=r"x of shape \(N, 4\), got \(150, 3\)"):
        model.predict(X[:, :3])


@pytest.mark.parametrize("dtype", [float, int, bool])
def test_one_hot_targets_of_class_indices_are_advised(dtype: Any) -> None:
    model = nn.Model([nn.Dense(3)]).compile(loss="softmax_cross_entropy")
    with pytest.raises(NncliError, match=r"got one-hot rows. Give y.argmax\(axis=-1\)"):
        model.fit(X, np.eye(3, dtype=dtype)[Y])


def test_column_of_class_indices_is_advised() -> None:
    model = nn.Model([nn.Dense(3)]).compile(loss="softmax_cross_entropy")
    with pytest.raises(NncliError, match=r"got a column, \(N, 1\). Give y.ravel\(\)"):
        model.fit(X, Y[:, None])


@pytest.mark.parametrize("loss", ["mse", "huber"])
def test_class_indices_for_a_loss_of_numbers_are_advised(loss: str) -> None:
    model = nn.Model([nn.Dense(3)]).compile(loss=loss)
    with pytest.raises(NncliError, match=r"looks like class indices.*np.eye\(3\)\[y\]"):
        model.fit(X, Y)
    nn.Model([nn.Dense(3)]).compile(loss=loss).fit(X, np.eye(3)[Y])
