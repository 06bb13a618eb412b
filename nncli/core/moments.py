"""Moments: mean and deviation of columns that are gone through block by block."""

from __future__ import annotations

import numpy as np

from nncli.core.arrays import Array


class Moments:
    """Mean and (biased) standard deviation of each element, without those missing.

    Means and sums of squares of blocks are joined as in Chan, Golub and LeVeque 1979,
    "Updating formulae and a pairwise algorithm for computing sample variances".

    Attributes:
        count: How many values each element has.
    """

    def __init__(self) -> None:
        self.count: Array = np.zeros((), int)
        self._origin: Array = np.asarray(np.nan)
        self._near, self._squares = np.zeros(()), np.zeros(())

    def add(self, block: Array, absent: Array | None = None) -> None:
        """Count another block.

        Args:
            block: (n, ...) float64, one row at least.
            absent: (n, ...) whether a value is missing; None where none is.
        """
        if absent is None:
            here: Array = np.asarray(len(block))
            first = block[0]
        else:
            here = len(block) - absent.sum(axis=0)
            places = (~absent).argmax(axis=0)[None]
            first = np.take_along_axis(block, places, axis=0)[0]
        # Sums of what lies near 0 keep their digits, wherever the values lie, and are
        # exactly 0 where these never vary.
        self._origin = np.where(np.isnan(self._origin), first, self._origin)
        near = _kept(block - self._origin, absent)
        mean = near.sum(axis=0) / np.maximum(here, 1)
        total = np.maximum(self.count + here, 1)
        shift = mean - self._near
        squares = self._squares + (_kept(near - mean, absent) ** 2).sum(axis=0)
        self._squares = squares + shift**2 * (self.count * here / total)
        self._near = self._near + shift * (here / total)
        self.count = self.count + here

    @property
    def mean(self) -> Array:
        """The mean of each element; 0 where all values are missing."""
        return np.where(self.count > 0, self._origin + self._near, 0.0)

    @property
    def deviation(self) -> Array:
        """The standard deviation of each element; 1 where nothing varies."""
        deviation = np.sqrt(self._squares / np.maximum(self.count, 1))
        return np.where(deviation > 0, deviation, 1.0)


def _kept(values: Array, absent: Array | None) -> Array:
    return values if absent is None else np.where(absent, 0, values)
