"""Changes of the inputs that are learned from the training part."""

from __future__ import annotations

from collections.abc import Iterator

from nncli.core.arrays import Array, xp
from nncli.core.errors import ArgumentError
from nncli.core.moments import Moments
from nncli.data.base import Transform


class Standardize(Transform, name="standardize"):
    """(x − mean) / std of each input element over the training rows.

    An element that never varies is only shifted. scikit-learn's ``StandardScaler``.
    """

    def fit(self, blocks: Iterator[Array]) -> None:
        """Learn mean and (biased) standard deviation."""
        moments = Moments()
        for x in blocks:
            moments.add(x)
        self.state = {"mean": moments.mean, "std": moments.deviation}

    def apply(self, x: Array) -> None:
        """Write (x − mean) / std."""
        xp.subtract(x, self.state["mean"].astype(x.dtype, copy=False), out=x)
        xp.divide(x, self.state["std"].astype(x.dtype, copy=False), out=x)


class Scale(Transform, name="scale"):
    """Each input element mapped from its training range to [low, high].

    An element that never varies becomes low. scikit-learn's ``MinMaxScaler``.

    Args:
        low: What the smallest training value becomes.
        high: What the largest training value becomes.
    """

    low: float = 0.0
    high: float = 1.0

    def __post_init__(self) -> None:
        if self.low >= self.high:
            raise ArgumentError(
                f"expected low < high, got {self.low:g} and {self.high:g}."
            )

    def fit(self, blocks: Iterator[Array]) -> None:
        """Learn the smallest value and the range."""
        extremes = _Extremes()
        for x in blocks:
            extremes.add(x)
        span = extremes.largest - extremes.least
        self.state = {"least": extremes.least, "span": xp.where(span > 0, span, 1.0)}

    def apply(self, x: Array) -> None:
        """Write low + (x − least) / span · (high − low)."""
        xp.subtract(x, self.state["least"].astype(x.dtype, copy=False), out=x)
        xp.divide(x, self.state["span"].astype(x.dtype, copy=False), out=x)
        xp.multiply(x, self.high - self.low, out=x)
        xp.add(x, self.low, out=x)


class _Extremes:
    """The smallest and the largest value of each element so far."""

    def __init__(self) -> None:
        self.least: Array = xp.asarray(xp.inf)
        self.largest: Array = xp.asarray(-xp.inf)

    def add(self, x: Array) -> None:
        self.least = xp.minimum(self.least, x.min(axis=0))
        self.largest = xp.maximum(self.largest, x.max(axis=0))
