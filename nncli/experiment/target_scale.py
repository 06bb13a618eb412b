"""TargetScale: numbers as the loss sees them, and in their own units."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import numpy as np

from nncli.core.arrays import Array


@dataclass(frozen=True)
class TargetScale:
    """(t − center) / scale of each target: mean 0 and deviation 1 over training rows.

    Attributes:
        center: One number for each target.
        scale: Likewise.
    """

    center: tuple[float, ...]
    scale: tuple[float, ...]

    @classmethod
    def of(cls, targets: Array) -> Self:
        """Learn it from (N,) or (N, T) targets of the training part."""
        columns = np.asarray(targets, np.float64).reshape(len(targets), -1)
        # The deviation of equal numbers is not exactly 0 where their mean is rounded.
        varies = columns.min(axis=0) < columns.max(axis=0)
        deviation = columns.std(axis=0)
        scale = np.where(varies & (deviation > 0), deviation, 1.0)
        return cls(tuple(columns.mean(axis=0).tolist()), tuple(scale.tolist()))

    def scaled(self, targets: Array) -> Array:
        """Return (N,) or (N, T) targets, scaled, in float64."""
        columns = np.asarray(targets, np.float64).reshape(len(targets), -1)
        scaled: Array = (columns - _row(self.center)) / _row(self.scale)
        return scaled.reshape(targets.shape)

    def unscaled(self, values: Array) -> Array:
        """Return (N, T) scaled values in their own units, in their type."""
        exact = values.astype(np.float64) * _row(self.scale) + _row(self.center)
        unscaled: Array = exact.astype(values.dtype)
        return unscaled


def _row(values: Iterable[float]) -> Array:
    return np.array([*values])
