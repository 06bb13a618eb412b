"""Small datasets that are drawn from a formula."""

from __future__ import annotations

import math
from typing import Annotated

import numpy as np
from annotated_types import Ge

from nncli.core.arrays import check_memory
from nncli.core.errors import ArgumentError
from nncli.core.signature import NonNegative, Positive
from nncli.data.base import Dataset
from nncli.data.table import Table

Classes = Annotated[int, Ge(2)]


class Spiral(Dataset, name="spiral"):
    """Arms of a spiral in the plane, one a class: x (N, 2).

    Point i of arm k lies at radius r = i/(samples − 1) and angle
    2.5·(4·(k + r) + noise·N(0, 1)), as (r·sin, r·cos).

    Source: Karpathy, CS231n course notes; angle factor of Kinsley and Kukieła, "Neural
    Networks from Scratch".

    Args:
        samples: Points an arm.
        classes: Number of arms.
        noise: Standard deviation of the angle, before the factor 2.5.
    """

    samples: Positive = 100
    classes: Classes = 3
    noise: NonNegative = 0.2

    drawn = True

    def load(self, rng: np.random.Generator) -> Table:
        """Draw the arms, one after the other."""
        _check_size(self.samples * self.classes, 2)
        radius = np.tile(np.linspace(0.0, 1.0, self.samples), self.classes)
        label = np.repeat(np.arange(self.classes), self.samples)
        noise = self.noise * rng.normal(size=label.size)
        angle = 2.5 * (4 * (label + radius) + noise)
        x = np.stack([radius * np.sin(angle), radius * np.cos(angle)], axis=1)
        return Table(x, label, tuple(range(self.classes)))


class Xor(Dataset, name="xor"):
    """Four clouds around (±1, ±1); the class says whether the signs differ: x (N, 2).

    Args:
        samples: Points a cloud.
        noise: Standard deviation of each coordinate.
    """

    samples: Positive = 100
    noise: NonNegative = 0.3

    drawn = True

    def load(self, rng: np.random.Generator) -> Table:
        """Draw the clouds, one after the other."""
        _check_size(self.samples * 4, 2)
        centre = np.repeat(_CORNERS, self.samples, axis=0)
        x = 2.0 * centre - 1.0 + self.noise * rng.normal(size=centre.shape)
        return Table(x, centre[:, 0] ^ centre[:, 1], (0, 1))


class XorTable(Dataset, name="xor_table"):
    """The truth table of exclusive or: four rows of two bits, x (4, 2)."""

    def load(self, rng: np.random.Generator) -> Table:
        """Return the four rows."""
        return Table(_CORNERS.astype(float), _CORNERS[:, 0] ^ _CORNERS[:, 1], (0, 1))


class TwoEllipses(Dataset, name="two_ellipses"):
    """A filled ellipse (class 0) inside an elliptic ring (class 1): x (N, 2).

    The inner points have semi-axes (1, ½)·√u with u ~ U(0, 1); the ring has (2, 1.2).
    Both are blurred.

    Args:
        samples: Points a class.
        noise: Standard deviation of the blur of each coordinate.
    """

    samples: Positive = 200
    noise: NonNegative = 0.1

    drawn = True

    def load(self, rng: np.random.Generator) -> Table:
        """Draw the inner ellipse, then the ring."""
        _check_size(self.samples * 2, 2)
        label = np.repeat(np.arange(2), self.samples)
        angle = rng.uniform(0, 2 * math.pi, label.size)
        radius = np.where(label == 0, np.sqrt(rng.uniform(size=label.size)), 1.0)
        axes = np.array([[1.0, 0.5], [2.0, 1.2]])[label]
        circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)
        x = radius[:, None] * axes * circle
        x = x + self.noise * rng.normal(size=x.shape)
        return Table(x, label, (0, 1))


class Linear(Dataset, name="linear"):
    """y = x·coefficients + intercept + noise·N(0, 1), x ~ N(0, 1): x (N, F), y (N, 1).

    Args:
        samples: Number of rows.
        coefficients: One factor for each input; by default 2 and -1.
        intercept: The value at x = 0.
        noise: Standard deviation of what is added to y.
    """

    samples: Positive = 200
    coefficients: list[float] | None = None
    intercept: float = 0.5
    noise: NonNegative = 0.1

    drawn = True

    def __post_init__(self) -> None:
        if self.coefficients is not None and not self.coefficients:
            raise ArgumentError("expected at least one coefficient, got none.")

    def load(self, rng: np.random.Generator) -> Table:
        """Draw inputs, then noise."""
        coefficients = np.array(self.coefficients or [2.0, -1.0])
        _check_size(self.samples, len(coefficients))
        x = rng.normal(size=(self.samples, len(coefficients)))
        y = x @ coefficients + self.intercept
        y = y + self.noise * rng.normal(size=self.samples)
        return Table(x, y[:, None], None)


_CORNERS = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])


def _check_size(rows: int, features: int) -> None:
    check_memory((rows, features), np.dtype(np.float64), "dataset")
