"""Scaled targets: mean 0 and deviation 1, and back in their own units."""

from __future__ import annotations

import numpy as np

from nncli.experiment.target_scale import TargetScale


def test_equal_targets_keep_their_unit_although_their_mean_is_rounded() -> None:
    same = np.full(100, 0.1)
    assert same.std() > 0
    assert TargetScale.of(same).scale == (1.0,)


def test_scaled_targets_come_back_in_their_own_units() -> None:
    targets = np.random.default_rng(0).normal((5e4, -2), (1e4, 1e-3), (50, 2))
    scale = TargetScale.of(targets)
    scaled = scale.scaled(targets)
    np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(scaled.std(axis=0), 1)
    np.testing.assert_allclose(scale.unscaled(scaled), targets)
