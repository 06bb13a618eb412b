"""Scores of tokens, one at each step of a sequence, and of whole sequences."""

from __future__ import annotations

import math

from nncli.core.arrays import Array, xp
from nncli.core.signature import Count
from nncli.metrics.base import Metric, decide
from nncli.metrics.classification import Likelihood


class Surprisal(Likelihood):
    """Base of scores of the mean of −ln p(right token) over tokens that count.

    p lies between ε and 1 − ε, the resolution of the dtype, as in ``log_loss``.

    Args:
        ignore_label: Index of a token that counts nothing, such as padding.
    """

    ignore_label: Count | None = None

    def update(self, predictions: Array, targets: Array) -> None:
        """Add up −ln p of the right tokens."""
        if self.ignore_label is not None:
            counts = targets != self.ignore_label
            predictions, targets = predictions[counts], targets[counts]
        super().update(predictions, targets)

    def mean(self) -> float:
        """Return the mean; NaN of no tokens."""
        return super().mean() if self.rows else math.nan


class Perplexity(Surprisal, name="perplexity"):
    """e^(−Σ ln p(right class) / n): among so many equally likely classes one guesses.

    Of tokens, those that ``ignore_label`` names and those beyond a row's length are no
    part of the mean. Infinite where e^ of the mean is.
    """

    def result(self) -> float:
        """Return e to the power of the mean."""
        try:
            return math.exp(self.mean())
        except OverflowError:
            return math.inf


class BitsPerCharacter(Surprisal, name="bits_per_character"):
    """−Σ log₂ p(right token) / n: how many bits a token takes when coded by the model.

    Bits a character where a token is one; of other tokens, bits a token. It is the log
    loss divided by ln 2.
    """

    def result(self) -> float:
        """Return the mean in bits."""
        return self.mean() / math.log(2)


class Share(Metric):
    """Base of shares of what is right in sequences of tokens (N, T).

    Args:
        ignore_label: Index of a token that counts nothing, such as padding.
    """

    ignore_label: Count | None = None

    task = "classification"

    def reset(self) -> None:
        self.right = self.total = 0

    def count(self, right: Array, counts: Array) -> None:
        """Count what is right among what counts."""
        self.right += int(xp.count_nonzero(right & counts))
        self.total += int(xp.count_nonzero(counts))

    def result(self) -> float:
        """Return right / total; NaN of none."""
        return self.right / self.total if self.total else math.nan


class TokenAccuracy(Share, name="token_accuracy"):
    """Share of tokens (N, T) that are the most probable ones at their step."""

    def update(self, predictions: Array, targets: Array) -> None:
        """Count the right tokens."""
        counts = _counts(targets, self.ignore_label)
        self.count(decide(predictions) == targets, counts)


class SequenceAccuracy(Share, name="sequence_accuracy"):
    """Share of rows (N, T) of which all tokens are the most probable ones.

    A row without any token that counts is no part of it.
    """

    def update(self, predictions: Array, targets: Array) -> None:
        """Count the rows that are right."""
        self.score(predictions, targets, None)

    def score(self, predictions: Array, targets: Array, lengths: Array | None) -> None:
        """Count the rows that are right as far as they go."""
        counts = _counts(targets, self.ignore_label)
        if lengths is not None:
            counts &= xp.arange(targets.shape[1]) < lengths[:, None]
        steps = tuple(range(1, targets.ndim))
        wrong = ((decide(predictions) != targets) & counts).any(axis=steps)
        self.count(~wrong, xp.asarray(counts.any(axis=steps)))


def _counts(targets: Array, ignore_label: int | None) -> Array:
    """Say of each token whether it counts."""
    if ignore_label is None:
        return xp.ones(targets.shape, bool)
    counts: Array = targets != ignore_label
    return counts
