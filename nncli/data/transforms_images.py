"""Changes of images: the same for all pixels, or for all of a channel."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nncli.core.arrays import Array, xp
from nncli.core.errors import ArgumentError, DataError
from nncli.data.base import Transform
from nncli.data.transforms import Standardize


class Pixels(Transform, name="pixels"):
    """Bytes from 0 to 255 mapped to [low, high]: the same for every pixel and dataset.

    Args:
        low: What 0 becomes.
        high: What 255 becomes.
    """

    low: float = 0.0
    high: float = 1.0

    def __post_init__(self) -> None:
        if self.low >= self.high:
            raise ArgumentError(
                f"expected low < high, got {self.low:g} and {self.high:g}."
            )

    def fit(self, blocks: Iterator[Array]) -> None:
        """Learn nothing."""

    def apply(self, x: Array) -> None:
        """Write low + x·(high − low)/255."""
        xp.multiply(x, (self.high - self.low) / 255, out=x)
        if self.low:
            xp.add(x, self.low, out=x)


class StandardizeChannels(Transform, name="standardize_channels"):
    """(x − mean) / std of each channel over all pixels of the training images.

    A channel that never varies is only shifted. For MNIST these are the well-known
    0.1307 and 0.3081 (of pixels from 0 to 1).
    """

    def fit(self, blocks: Iterator[Array]) -> None:
        """Learn mean and (biased) standard deviation of (N, C, ...) images.

        Raises:
            DataError: The inputs have no channels.
        """
        pixels = Standardize().live()
        pixels.fit(_rows_of_channels(x) for x in blocks)
        self.state = pixels.state

    def apply(self, x: Array) -> None:
        """Write (x − mean) / std."""
        shape = (-1, *[1] * (x.ndim - 2))
        mean, std = (
            self.state[name].astype(x.dtype, copy=False).reshape(shape)
            for name in ("mean", "std")
        )
        xp.subtract(x, mean, out=x)
        xp.divide(x, std, out=x)


def _rows_of_channels(x: Array) -> Array:
    """Return (N, C, ...) images as (pixels, C)."""
    if x.ndim < 3:
        raise DataError(
            f"standardize_channels: expected images (N, C, ...), got shape "
            f"{('N', *x.shape[1:])}. Use standardize.".replace("'N'", "N")
        )
    rows: Array = np.moveaxis(x, 1, -1).reshape(-1, x.shape[1])
    return rows
