"""Changes of the inputs that are learned from the training part."""

from __future__ import annotations

from nncli.core.arrays import Array, xp
from nncli.core.errors import ArgumentError
from nncli.data.base import Transform


class Standardize(Transform, name="standardize"):
    """(x − mean) / std of each input element over the training rows.

    An element that never varies is only shifted. scikit-learn's ``StandardScaler``.
    """

    def fit(self, x: Array) -> None:
        """Learn mean and (biased) standard deviation."""
        std = x.std(axis=0)
        # Of equal values the mean, and so the deviation, may be off by rounding.
        varies = (x.max(axis=0) > x.min(axis=0)) & (std > 0)
        self.state = {"mean": x.mean(axis=0), "std": xp.where(varies, std, 1.0)}

    def __call__(self, x: Array) -> Array:
        """Return (x − mean) / std."""
        scaled: Array = (x - self.state["mean"]) / self.state["std"]
        return scaled


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

    def fit(self, x: Array) -> None:
        """Learn the smallest value and the range."""
        least = x.min(axis=0)
        span = x.max(axis=0) - least
        self.state = {"least": least, "span": xp.where(span > 0, span, 1.0)}

    def __call__(self, x: Array) -> Array:
        """Return low + (x − least) / span · (high − low)."""
        share = (x - self.state["least"]) / self.state["span"]
        scaled: Array = self.low + share * (self.high - self.low)
        return scaled
