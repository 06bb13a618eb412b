"""Assessment of tokens: what people look at in predictions of what comes next."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nncli.core.arrays import Array, counted, xp
from nncli.experiment.experiment import Experiment
from nncli.experiment.part import Part
from nncli.metrics.base import decide
from nncli.metrics.classification import log_losses
from nncli.metrics.sequences import BitsPerCharacter, Perplexity, TokenAccuracy
from nncli.training.beside import Assessment

MOST_TOKENS = 20
"""Tokens that have scores of their own: the most frequent ones."""


class OfTokens(Assessment):
    """A token at each step: the guess is the share of each in the training part.

    A token is better where it got a higher probability.
    """

    always = (TokenAccuracy(), Perplexity(), BitsPerCharacter())
    baseline = "share of each token"

    def __init__(self, experiment: Experiment, train: Part, names: list[str]) -> None:
        self.tokens = names
        counts = xp.zeros(len(names), xp.int64)
        for tokens, lengths in _tokens(train.without_overlap()):
            counts += xp.bincount(
                counted(tokens, lengths).ravel(), minlength=len(names)
            )
        shares = (counts / counts.sum()).astype(experiment.network.dtype)
        super().__init__(experiment, shares)

    def reset(self) -> None:
        """Forget all batches."""
        super().reset()
        self.there, self.right, self.lost = xp.zeros((3, len(self.tokens)))

    def score(self, predictions: Array, targets: Array, lengths: Array | None) -> None:
        """Look at a batch, and at each token in it."""
        super().score(predictions, targets, lengths)
        p, t = counted(predictions, lengths), counted(targets, lengths).ravel()
        p, size = p.reshape(len(t), -1), len(self.tokens)
        self.there += xp.bincount(t, minlength=size)
        self.right += xp.bincount(t[decide(p) == t], minlength=size)
        self.lost += xp.bincount(t, log_losses(p, t), minlength=size)

    def beats(self, predictions: Array, guess: Array, targets: Array) -> Array:
        """Compare the losses of each token."""
        ours, theirs = log_losses(predictions, targets), log_losses(guess, targets)
        return (ours < theirs).ravel()

    def guessed(self) -> dict[str, Any]:
        """Name the most frequent token."""
        return {"token": self.tokens[int(self.guess.argmax())]}

    def details(self) -> dict[str, Any]:
        """Return how many tokens were scored, and a table of the most frequent ones."""
        order = xp.argsort(-self.there, kind="stable")[:MOST_TOKENS]
        table = [
            {
                "token": self.tokens[k],
                "count": int(self.there[k]),
                "recall": float(self.right[k] / self.there[k]),
                "log_loss": float(self.lost[k] / self.there[k]),
            }
            for k in order.tolist()
            if self.there[k]
        ]
        return {"tokens": int(self.there.sum()), "most_frequent": table}


def _tokens(part: Part) -> Iterator[tuple[Array, Array | None]]:
    """Yield targets of some rows at a time, and their lengths."""
    sized = "lengths" in part.rows.fields
    for y, *lengths in part.rows.blocks("y", *["lengths"] * sized, index=part.index):
        yield y.astype(xp.int64), lengths[0] if sized else None
