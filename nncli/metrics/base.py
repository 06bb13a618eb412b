"""Metric: the abstract class and the registry of scores."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar, Literal, Self

from nncli.core.arrays import Array, counted, xp
from nncli.core.registry import Component
from nncli.core.signature import signature_of

Task = Literal["classification", "regression"]


class Metric(Component, family="metric"):
    """A score of predictions, added up batch by batch.

    Class attributes:
        task: What kind of targets it scores.
        higher_is_better: Which of two values is the better one.
    """

    task: ClassVar[Task]
    higher_is_better: ClassVar[bool] = True

    def live(self) -> Self:
        """Return a live copy that has seen no batches."""
        live = super().live()
        live.reset()
        return live

    @property
    def key(self) -> str:
        """Its name among the scores: with arguments, if they are not the defaults."""
        defaults = signature_of(type(self)).defaults()
        words = [
            str(value)
            for name, value in self.arguments.items()
            if value != defaults.get(name)
        ]
        return "_".join([self.type_name, *words])

    @abstractmethod
    def reset(self) -> None:
        """Forget all batches."""

    @abstractmethod
    def update(self, predictions: Array, targets: Array) -> None:
        """Add a batch.

        Args:
            predictions: Probabilities (N, K) or (N, 1) of classes, or values.
            targets: Class indices (N,), or values in the predictions' shape.
        """

    def score(self, predictions: Array, targets: Array, lengths: Array | None) -> None:
        """Add a batch of sequences: here, each of their steps that counts is a row.

        Args:
            predictions: As ``update`` takes them; with lengths, (N, T, ...).
            targets: Likewise.
            lengths: (N,) how many steps of each row count; None for all.
        """
        self.update(counted(predictions, lengths), counted(targets, lengths))

    @abstractmethod
    def result(self) -> float:
        """Return the score of all batches since ``reset``; NaN where it has none."""


def decide(predictions: Array) -> Array:
    """Return the class index of each row: the most probable, or p > ½ of one output."""
    if predictions.shape[-1] == 1:
        return xp.asarray(predictions[..., 0] > 0.5, int)
    classes: Array = xp.argmax(predictions, axis=-1)
    return classes
