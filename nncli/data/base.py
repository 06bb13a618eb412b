"""Dataset and Transform: the abstract classes and registries of data."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from nncli.core.arrays import Array
from nncli.core.registry import Component


@dataclass(frozen=True)
class Table:
    """Rows of inputs and targets.

    Attributes:
        x: (N, ...) inputs, float64.
        y: (N,) class indices where there are classes, else (N, ...) numbers.
        classes: Names of the classes; None where targets are numbers.
        weights: (N,) how much each row counts in the loss; None for 1.
    """

    x: Array
    y: Array
    classes: tuple[str, ...] | None
    weights: Array | None = None

    def __len__(self) -> int:
        return len(self.x)

    def rows(self, index: Array) -> Table:
        """Return some of the rows."""
        weights = None if self.weights is None else self.weights[index]
        return Table(self.x[index], self.y[index], self.classes, weights)


class Dataset(Component, family="dataset"):
    """Where inputs and targets come from.

    Class attributes:
        drawn: Whether the rows are drawn at random, so that others of the same kind
            can be drawn to test on.
    """

    drawn: ClassVar[bool] = False

    @abstractmethod
    def load(self, rng: np.random.Generator) -> Table:
        """Return all rows.

        Args:
            rng: Where drawn rows come from.

        Raises:
            DataError: A file is missing or broken.
        """


_UNFITTED: dict[str, Array] = {}


class Transform(Component, family="transform"):
    """A change of the inputs, fitted on the training part and kept in checkpoints.

    Attributes:
        state: What a live one was fitted to, by name; empty before.
    """

    state = _UNFITTED

    @abstractmethod
    def fit(self, x: Array) -> None:
        """Learn ``state`` from the inputs of the training part."""

    @abstractmethod
    def __call__(self, x: Array) -> Array:
        """Return the changed inputs."""
