"""Random changes of training images."""

from __future__ import annotations

import math
from typing import Annotated, Literal

import numpy as np
from annotated_types import Le

from nncli.autograd.buffers import form, scratch
from nncli.core.arrays import Array
from nncli.core.errors import ArgumentError
from nncli.core.signature import (
    Fraction,
    NonNegative,
    Positive,
    PositiveFloat,
    UnitInterval,
)
from nncli.data.base import Augmentation, Field
from nncli.data.warp import Fill, no_images, pad, warp


class ImageAugmentation(Augmentation):
    """Base of changes of images (N, C, H, W), each image by itself."""

    def refuses(self, x: Field, targets: Field) -> str | None:
        """Refuse what are no images."""
        return no_images(x)


class Flip(ImageAugmentation, name="flip"):
    """Mirror an image, with some probability.

    Args:
        direction: ``horizontal`` turns left to right, ``vertical`` upside down.
        probability: That of being mirrored.
    """

    direction: Literal["horizontal", "vertical"] = "horizontal"
    probability: UnitInterval = 0.5

    def apply(self, x: Array, targets: Array, rng: np.random.Generator) -> None:
        """Draw which images are mirrored."""
        chosen = rng.random(len(x)) < self.probability
        mirrored = scratch(form(x.shape, x.dtype))
        axis = -1 if self.direction == "horizontal" else -2
        np.copyto(mirrored, np.flip(x, axis))
        np.copyto(x, mirrored, where=chosen[:, None, None, None])


class Crop(ImageAugmentation, name="crop"):
    """Pad an image on all sides and cut its size out of that, somewhere.

    A shift by whole pixels, up to ``padding`` along each axis.

    Source: Lee et al. 2015, "Deeply-Supervised Nets"; usual for CIFAR.

    Args:
        padding: Pixels on each side.
        fill: What they hold, in units of the transformed inputs; ``edge`` for what the
            nearest pixel does.
    """

    padding: Positive = 4
    fill: Fill = "edge"

    def apply(self, x: Array, targets: Array, rng: np.random.Generator) -> None:
        """Draw a corner for each image."""
        height, width = x.shape[-2:]
        by = self.padding
        padded = scratch(form((*x.shape[:2], height + 2 * by, width + 2 * by), x.dtype))
        pad(x, by, self.fill, padded)
        corners = rng.integers(0, 2 * by, (len(x), 2), endpoint=True).tolist()
        for image, source, (top, left) in zip(x, padded, corners, strict=True):
            image[...] = source[:, top : top + height, left : left + width]


class Shift(ImageAugmentation, name="shift"):
    """Move an image along both axes, by parts of pixels too (bilinear).

    Args:
        share: How far at most, as a share of height and width.
        fill: What comes in, in units of the transformed inputs; ``edge`` for what the
            nearest pixel holds.
    """

    share: Fraction = 0.1
    fill: Fill = "edge"

    def apply(self, x: Array, targets: Array, rng: np.random.Generator) -> None:
        """Draw a way for each image, uniformly."""
        most = self.share * np.array(x.shape[-2:])
        shifts = rng.uniform(-1, 1, (len(x), 2)) * most
        warp(x, np.broadcast_to(np.eye(2), (len(x), 2, 2)), shifts, self.fill)


class Rotate(ImageAugmentation, name="rotate"):
    """Turn an image about its centre, either way (bilinear).

    Args:
        degrees: How far at most.
        fill: What comes in, in units of the transformed inputs; ``edge`` for what the
            nearest pixel holds.
    """

    degrees: Annotated[NonNegative, Le(180)] = 10.0
    fill: Fill = "edge"

    def apply(self, x: Array, targets: Array, rng: np.random.Generator) -> None:
        """Draw an angle for each image, uniformly."""
        angles = np.radians(rng.uniform(-self.degrees, self.degrees, len(x)))
        cos, sin = np.cos(angles), np.sin(angles)
        maps = np.array([[cos, -sin], [sin, cos]]).transpose(2, 0, 1)
        warp(x, maps, np.zeros((len(x), 2)), self.fill)


class Scale(ImageAugmentation, name="scale"):
    """Enlarge or shrink an image about its centre (bilinear).

    Args:
        low: The smallest factor; below 1 the image shrinks.
        high: The largest factor.
        fill: What comes in, in units of the transformed inputs; ``edge`` for what the
            nearest pixel holds.
    """

    low: PositiveFloat = 0.9
    high: PositiveFloat = 1.1
    fill: Fill = "edge"

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise ArgumentError(
                f"expected low <= high, got {self.low:g} and {self.high:g}."
            )

    def apply(self, x: Array, targets: Array, rng: np.random.Generator) -> None:
        """Draw a factor for each image, its logarithm uniformly."""
        factors = np.exp(rng.uniform(math.log(self.low), math.log(self.high), len(x)))
        maps = np.eye(2) / factors[:, None, None]
        warp(x, maps, np.zeros((len(x), 2)), self.fill)


class Brightness(ImageAugmentation, name="brightness"):
    """x + b, one b ~ U(−by, by) for all pixels of an image.

    Args:
        by: The most that is added, in units of the transformed inputs.
    """

    by: NonNegative = 0.1

    def apply(self, x: Array, targets: Array, rng: np.random.Generator) -> None:
        """Draw a number for each image."""
        added = rng.uniform(-self.by, self.by, (len(x), 1, 1, 1))
        x += added.astype(x.dtype)


class Cutout(ImageAugmentation, name="cutout"):
    """Cover a square of an image, around any of its pixels.

    Source: DeVries and Taylor 2017, "Improved Regularization of Convolutional Neural
    Networks with Cutout".

    Args:
        size: Height and width of the square; what of it lies outside covers nothing.
        fill: What it is covered with, in units of the transformed inputs.
    """

    size: Positive = 8
    fill: float = 0.0

    def apply(self, x: Array, targets: Array, rng: np.random.Generator) -> None:
        """Draw the middle of the square for each image."""
        middles = rng.integers(0, x.shape[-2:], (len(x), 2))
        starts = middles - self.size // 2
        for image, (top, left) in zip(x, starts.tolist(), strict=True):
            rows = slice(max(top, 0), top + self.size)
            image[:, rows, max(left, 0) : left + self.size] = self.fill
