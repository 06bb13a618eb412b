"""Drawn datasets against their formulas, written as plain loops."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from nncli.core.errors import ArgumentError, NncliError
from nncli.data.base import Dataset
from nncli.data.synthetic import Linear, Spiral, TwoEllipses, Xor, XorTable
from nncli.data.table import Table


def _load(dataset: Dataset, seed: int = 0) -> Any:
    table = dataset.load(np.random.default_rng(seed))
    assert isinstance(table, Table)
    return table


@pytest.mark.parametrize(("samples", "classes"), [(100, 3), (7, 5), (2, 2), (1, 2)])
def test_spiral_is_its_formula(samples: int, classes: int) -> None:
    table = _load(Spiral(samples, classes, 0.2), seed=4)
    rng = np.random.default_rng(4)
    row = 0
    for arm in range(classes):
        for i in range(samples):
            r = i / (samples - 1) if samples > 1 else 0.0
            t = arm * 4 + r * 4 + 0.2 * rng.normal()
            expected = r * math.sin(2.5 * t), r * math.cos(2.5 * t)
            assert table.x[row].tolist() == pytest.approx(expected, abs=1e-14)
            assert table.y[row] == arm
            row += 1
    assert len(table) == row == samples * classes


def test_spiral_is_the_book_s() -> None:
    # Kinsley and Kukieła's spiral_data: the arms' angles run from 4k to 4(k + 1).
    table = _load(Spiral(50, 3, 0.0))
    for arm in range(3):
        r = np.linspace(0.0, 1.0, 50)
        t = np.linspace(arm * 4, (arm + 1) * 4, 50)
        expected = np.c_[r * np.sin(t * 2.5), r * np.cos(t * 2.5)]
        np.testing.assert_allclose(table.x[table.y == arm], expected, atol=1e-14)


def test_spiral_noise_moves_angles_only() -> None:
    radius = np.linalg.norm(_load(Spiral(30, 2, 5.0)).x, axis=1)
    np.testing.assert_allclose(radius, np.tile(np.linspace(0, 1, 30), 2), atol=1e-15)


def test_xor_without_noise_is_its_corners() -> None:
    table = _load(Xor(3, 0.0))
    assert len(table) == 12
    assert {
        (*row, label)
        for row, label in zip(table.x.tolist(), table.y.tolist(), strict=True)
    } == {
        (-1.0, -1.0, 0),
        (-1.0, 1.0, 1),
        (1.0, -1.0, 1),
        (1.0, 1.0, 0),
    }


def test_xor_clouds_have_their_centres_and_spread() -> None:
    table = _load(Xor(5000, 0.3))
    for cloud in range(4):
        x = table.x[5000 * cloud : 5000 * (cloud + 1)]
        centre = np.sign(x.mean(axis=0))
        np.testing.assert_allclose(x.mean(axis=0), centre, atol=0.025)
        np.testing.assert_allclose(x.std(axis=0), 0.3, rtol=0.05)
        label = int(centre[0] != centre[1])
        assert (table.y[5000 * cloud : 5000 * (cloud + 1)] == label).all()


def test_xor_table_is_the_truth_table() -> None:
    table = _load(XorTable())
    rows = [(*x, y) for x, y in zip(table.x.tolist(), table.y.tolist(), strict=True)]
    assert rows == [(0.0, 0.0, 0), (0.0, 1.0, 1), (1.0, 0.0, 1), (1.0, 1.0, 0)]


def test_two_ellipses_without_noise_are_a_disc_and_a_ring() -> None:
    table = _load(TwoEllipses(2000, 0.0))
    inner, ring = table.x[table.y == 0], table.x[table.y == 1]
    squared = (inner[:, 0] / 1.0) ** 2 + (inner[:, 1] / 0.5) ** 2
    assert (squared <= 1 + 1e-12).all()
    # Filled evenly: the squared radius is uniform.
    assert squared.mean() == pytest.approx(0.5, abs=0.04)
    np.testing.assert_allclose((ring[:, 0] / 2) ** 2 + (ring[:, 1] / 1.2) ** 2, 1.0)
    assert len(inner) == len(ring) == 2000


def test_linear_without_noise_is_its_formula() -> None:
    table = _load(Linear(6, [2.0, -1.0, 0.5], 3.0, 0.0))
    for x, y in zip(table.x.tolist(), table.y.tolist(), strict=True):
        expected = 2.0 * x[0] - 1.0 * x[1] + 0.5 * x[2] + 3.0
        assert y == pytest.approx([expected], abs=1e-13)
    assert table.classes is None


def test_linear_noise_has_its_deviation() -> None:
    table = _load(Linear(20_000, [2.0, -1.0], 0.5, 0.7))
    residual = table.y[:, 0] - table.x @ np.array([2.0, -1.0]) - 0.5
    assert residual.mean() == pytest.approx(0.0, abs=0.025)
    assert residual.std() == pytest.approx(0.7, rel=0.03)


def test_linear_refuses_an_empty_list_of_coefficients() -> None:
    with pytest.raises(ArgumentError, match="at least one coefficient"):
        Linear(coefficients=[])


DRAWN: list[Dataset] = [Spiral(), Xor(), TwoEllipses(), Linear()]


@pytest.mark.parametrize("dataset", DRAWN, ids=lambda d: d.type_name)
def test_drawn_rows_are_a_function_of_the_seed(dataset: Dataset) -> None:
    assert dataset.drawn
    first, again, other = (_load(dataset, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.x, again.x)
    np.testing.assert_array_equal(first.y, again.y)
    assert (first.x != other.x).any()


@pytest.mark.parametrize("dataset", [*DRAWN, XorTable()], ids=lambda d: d.type_name)
def test_datasets_give_float64_inputs_and_targets_that_fit(dataset: Dataset) -> None:
    table = _load(dataset)
    assert table.x.dtype == np.float64
    assert np.isfinite(table.x).all()
    assert len(table.x) == len(table.y)
    if table.classes is None:
        assert table.y.dtype == np.float64
        return
    assert table.y.dtype.kind == "i"
    assert sorted(set(table.y.tolist())) == list(range(len(table.classes)))


@pytest.mark.parametrize(
    ("cls", "arguments"),
    [
        (Spiral, {"samples": 10**13}),
        (Xor, {"samples": 10**13}),
        (TwoEllipses, {"samples": 10**13}),
        (Linear, {"samples": 10**13}),
    ],
)
def test_datasets_larger_than_the_memory_are_refused(
    cls: type[Dataset], arguments: dict[str, Any]
) -> None:
    with pytest.raises(NncliError, match="memory"):
        _load(cls(**arguments))
