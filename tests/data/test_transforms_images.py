"""Transforms of images: one rule for all pixels of a channel."""

from __future__ import annotations

import numpy as np
import pytest

from nncli.core.arrays import Array
from nncli.core.errors import ArgumentError, DataError
from nncli.data.base import Transform
from nncli.data.transforms_images import Pixels, StandardizeChannels

X = np.random.default_rng(0).integers(0, 256, (30, 3, 5, 4)) * np.array(
    [[[1.0]], [[0.1]], [[0.0]]]
)


def changed(transform: Transform, x: Array) -> Array:
    out = x.copy()
    transform.apply(out)
    return out


def test_pixels_maps_bytes_to_the_range() -> None:
    x = np.array([[0.0, 51.0, 255.0]])
    np.testing.assert_allclose(changed(Pixels(), x), [[0, 0.2, 1]])
    np.testing.assert_allclose(changed(Pixels(-1.0, 1.0), x), [[-1, -0.6, 1]])
    with pytest.raises(ArgumentError, match="low < high"):
        Pixels(1.0, 1.0)


def test_standardize_channels_is_numpys_mean_and_deviation() -> None:
    transform = StandardizeChannels().live()
    transform.fit(iter([X[:7], X[7:]]))
    mean, std = X.mean(axis=(0, 2, 3)), X.std(axis=(0, 2, 3))
    assert std[2] == 0
    np.testing.assert_allclose(transform.state["mean"], mean, rtol=1e-12)
    np.testing.assert_allclose(transform.state["std"][:2], std[:2], rtol=1e-12)
    y = changed(transform, X)
    np.testing.assert_allclose(y.mean(axis=(0, 2, 3)), 0, atol=1e-12)
    np.testing.assert_allclose(y.std(axis=(0, 2, 3)), [1, 1, 0], atol=1e-12)


@pytest.mark.parity
def test_standardize_channels_agrees_with_sklearn() -> None:
    preprocessing = pytest.importorskip("sklearn.preprocessing")
    pixels = np.moveaxis(X, 1, -1).reshape(-1, 3)
    wanted = preprocessing.StandardScaler().fit_transform(pixels)
    transform = StandardizeChannels().live()
    transform.fit(iter([X]))
    found = np.moveaxis(changed(transform, X), 1, -1).reshape(-1, 3)
    np.testing.assert_allclose(found, wanted, atol=1e-12)


def test_standardize_channels_refuses_rows_without_channels() -> None:
    with pytest.raises(DataError, match=r"images \(N, C, ...\), got shape \(N, 2\)"):
        StandardizeChannels().live().fit(iter([np.ones((4, 2))]))
