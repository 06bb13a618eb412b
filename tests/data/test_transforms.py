"""Transforms against scikit-learn's scalers, and on inputs that never vary."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nncli.core.arrays import Array
from nncli.core.errors import ArgumentError
from nncli.data.base import Transform
from nncli.data.transforms import Scale, Standardize
from tests.parity import without_case

TRANSFORMS: dict[str, list[Transform]] = {
    "standardize": [Standardize()],
    "scale": [Scale(), Scale(-1.0, 1.0), Scale(2.0, 2.5)],
}
EVERY = [transform for members in TRANSFORMS.values() for transform in members]


def _rows(*shape: int) -> Array:
    return np.random.default_rng(sum(shape)).normal(-20.0, 5.0, shape)


def changed(transform: Transform, x: Array) -> Array:
    out = x.astype(float)
    transform.apply(out)
    return out


def _fitted(transform: Transform, x: Array) -> Transform:
    live = transform.live()
    live.fit(iter([x]))
    return live


def _sklearn(transform: Transform) -> Any:
    preprocessing = pytest.importorskip(
        "sklearn.preprocessing", reason="scikit-learn is the oracle of this test"
    )
    if isinstance(transform, Standardize):
        return preprocessing.StandardScaler()
    assert isinstance(transform, Scale)
    return preprocessing.MinMaxScaler((transform.low, transform.high))


@pytest.mark.parity
@pytest.mark.parametrize("transform", EVERY, ids=lambda t: str(t.arguments))
def test_transform_agrees_with_sklearn(transform: Transform) -> None:
    oracle, transform = _sklearn(transform), transform.live()
    train, test = _rows(50, 4), 3 * _rows(20, 4)
    for column, value in enumerate((0.1, 1e6 / 3)):
        train[:, column] = value
    train[:, 2] = np.linspace(-1e6, 1e6, 50)
    transform.fit(iter([train[:17], train[17:]]))
    oracle.fit(train)
    for x in (train, test[:, [2, 3, 2, 3]], train[:1]):
        np.testing.assert_allclose(
            changed(transform, x), oracle.transform(x), rtol=1e-12, atol=1e-9
        )


def test_every_transform_has_a_parity_case() -> None:
    # Those of images: tests/data/test_transforms_images.py.
    covered = {*TRANSFORMS, "pixels", "standardize_channels"}
    missing = without_case(Transform.members(), covered)
    assert not missing, f"transforms without a comparison: {missing}"


def test_standardize_gives_mean_0_and_deviation_1() -> None:
    x = _rows(200, 3)
    y = changed(_fitted(Standardize(), x), x)
    np.testing.assert_allclose(y.mean(axis=0), 0.0, atol=1e-13)
    np.testing.assert_allclose(y.std(axis=0), 1.0, rtol=1e-13)


@pytest.mark.parametrize("rows", [1, 3, 7, 1000])
@pytest.mark.parametrize("value", [0.0, 0.1, -0.3, 1e8 / 3, 1e-300])
def test_standardize_only_shifts_what_never_varies(value: float, rows: int) -> None:
    # The mean of equal numbers is not always that number: 0.1 three times.
    x = np.full((rows, 1), value)
    transform = _fitted(Standardize(), x)
    np.testing.assert_allclose(changed(transform, x), 0.0, atol=1e-15 * abs(value))
    np.testing.assert_allclose(changed(transform, x + 2.0), 2.0, rtol=1e-7)


def test_standardize_divides_what_varies_by_its_biased_deviation() -> None:
    x = np.array([[1.0], [3.0]])
    transform = _fitted(Standardize(), x)
    assert changed(transform, np.array([[5.0]])).tolist() == [[3.0]]


@pytest.mark.parametrize("low_high", [(0.0, 1.0), (-1.0, 1.0), (-3.0, -2.0)])
def test_scale_maps_the_training_range_to_low_and_high(
    low_high: tuple[float, float],
) -> None:
    x = _rows(30, 2, 2)
    y = changed(_fitted(Scale(*low_high), x), x)
    np.testing.assert_allclose(y.min(axis=0), low_high[0], atol=1e-14)
    np.testing.assert_allclose(y.max(axis=0), low_high[1], atol=1e-14)


def test_scale_goes_on_beyond_the_training_range() -> None:
    transform = _fitted(Scale(), np.array([[0.0], [2.0]]))
    assert changed(transform, np.array([[-2.0], [1.0], [4.0]])).tolist() == [
        [-1],
        [0.5],
        [2],
    ]


def test_scale_makes_what_never_varies_low() -> None:
    x = np.full((3, 1), 0.1)
    y = changed(_fitted(Scale(-1.0, 1.0), x), x)
    np.testing.assert_array_equal(y, -1.0)


@pytest.mark.parametrize("bounds", [(1.0, 1.0), (2.0, 1.0)])
def test_scale_refuses_a_range_that_is_none(bounds: tuple[float, float]) -> None:
    with pytest.raises(ArgumentError, match="low < high"):
        Scale(*bounds)


@pytest.mark.parametrize("transform", EVERY, ids=lambda t: str(t.arguments))
def test_transform_is_fitted_without_a_change_of_what_it_sees(
    transform: Transform,
) -> None:
    x = _rows(9, 2, 3)
    before = x.copy()
    _fitted(transform, x)
    np.testing.assert_array_equal(x, before)


@pytest.mark.parametrize("transform", EVERY, ids=lambda t: str(t.arguments))
def test_transform_s_state_is_all_that_it_learned(transform: Transform) -> None:
    x = _rows(9, 3)
    fitted = _fitted(transform, x)
    y = changed(fitted, x)
    other = transform.live()
    other.state = {name: array.copy() for name, array in fitted.state.items()}
    np.testing.assert_array_equal(changed(other, x), y)


@pytest.mark.parametrize("sizes", [[1000], [1, 2, 997], [3, 500, 1, 496]])
@pytest.mark.parametrize("offset", [0.0, 1e9, -1e9])
def test_transforms_fitted_block_by_block_are_numpy_s_answer(
    sizes: list[int], offset: float
) -> None:
    # The blocks lie apart: what joins them counts.
    x = offset + np.linspace(-3.0, 3.0, 1000)[:, None] + _rows(1000, 4) / 20
    x[:, 3] = 0.1
    blocks = np.split(x, np.cumsum(sizes)[:-1])
    standardize, scale = Standardize().live(), Scale().live()
    for transform in (standardize, scale):
        transform.fit(iter(block.copy() for block in blocks))
    # Two passes over numbers around 0.
    exact = x - x[0]
    mean, std = x[0] + exact.mean(axis=0), exact.std(axis=0)
    std[3] = 1.0
    np.testing.assert_allclose(standardize.state["mean"], mean, rtol=1e-12)
    np.testing.assert_allclose(standardize.state["std"], std, rtol=1e-12)
    np.testing.assert_array_equal(scale.state["least"], x.min(axis=0))
    span = [*np.ptp(x[:, :3], axis=0), 1.0]
    np.testing.assert_array_equal(scale.state["span"], span)
