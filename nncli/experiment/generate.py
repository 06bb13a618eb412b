"""Generate: text that a network makes, token by token."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nncli.autograd.repeated import Repeated
from nncli.autograd.tensor import Tensor
from nncli.core.arrays import Array
from nncli.core.errors import NncliError, UsageError
from nncli.data.vocabulary import PADDING, UNKNOWN, Vocabulary
from nncli.experiment.experiment import Experiment
from nncli.layers.attention import Attention
from nncli.layers.positions import Positions

AT_ONCE = 1024
"""Tokens of a prompt that are seen in one pass, at most: their values take memory."""


@dataclass(frozen=True)
class Sampling:
    """How the next token is chosen among those that are likely.

    Attributes:
        temperature: Probabilities p become p^(1/temperature): less than 1 prefers the
            likely ones; 0 always takes the likeliest.
        top_k: Only the k likeliest tokens; None for all.
        top_p: Only the likeliest tokens that have this probability together.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float = 1.0

    def draw(self, probabilities: Array, rng: np.random.Generator) -> int:
        """Return a token.

        Args:
            probabilities: (V,) of each.
            rng: Where one number is drawn from.
        """
        point = rng.random()
        if not self.temperature:
            return int(probabilities.argmax())
        weights = probabilities.astype(np.float64)
        if self.temperature != 1:
            # The likeliest counts 1, whatever the temperature.
            weights = (weights / weights.max()) ** (1 / self.temperature)
        few = self.top_k is not None and self.top_k < len(weights)
        if few or self.top_p < 1:
            weights = self._cut(weights)
        edges = np.cumsum(weights)
        place = int(np.searchsorted(edges, point * edges[-1], side="right"))
        # Rounding may give the last edge itself.
        return place if place < len(edges) else int(weights.argmax())

    def _cut(self, weights: Array) -> Array:
        """Return weights of which all but the likeliest are 0."""
        order = np.argsort(-weights, kind="stable")[: self.top_k]
        if self.top_p < 1:
            sums = np.cumsum(weights[order])
            # The one that reaches the share is the last one.
            enough = np.searchsorted(sums, self.top_p * sums[-1]) + 1
            order = order[:enough]
        kept = np.zeros_like(weights)
        kept[order] = weights[order]
        return kept


class Generator:
    """Goes on with tokens, one at a time, and remembers what it has seen.

    Recurrent networks remember by their state. Where a network has attention or
    positions, it sees as many tokens as a row of its training has, a block: once there
    are so many, all but the last half of them are forgotten.

    Args:
        experiment: A network that scores the next token at each step.
        sampling: How tokens are chosen.
        rng: Where all that is random comes from.

    Raises:
        UsageError: It is none.
    """

    def __init__(
        self, experiment: Experiment, sampling: Sampling, rng: np.random.Generator
    ) -> None:
        self.vocabulary = _vocabulary_of(experiment)
        self._network = experiment.network
        self._predictions = Repeated(experiment.loss.predictions)
        self._sampling, self._rng = sampling, rng
        self._network.set_training(False)
        layers = self._network.nested.values()
        limited = any(isinstance(layer, Attention | Positions) for layer in layers)
        self._block = int(self._network.shapes[0][0]) if limited else None
        edge = self.vocabulary.edge
        start = "\n" if edge is None else edge
        self._start = self.vocabulary.numbers.get(start, 0)
        self._edge = None if edge is None else self._start
        self._banned = [
            self.vocabulary.numbers[token]
            for token in (PADDING, UNKNOWN)
            if token in self.vocabulary.numbers
        ]
        self.forget()

    def forget(self) -> None:
        """Begin anew."""
        self._state: Any = None
        self._scores: Tensor | None = None
        self._seen: list[int] = []

    def feed(self, tokens: Sequence[int]) -> None:
        """Let the network see tokens; the same as if they came one by one."""
        if len(tokens):
            self._see(list(tokens))

    def _see(self, new: list[int]) -> Tensor:
        """Return the scores behind tokens, which are seen in one pass."""
        if self._edge in new:
            # A sequence of training is seen alone.
            new = new[len(new) - 1 - new[::-1].index(self._edge) :]
            self.forget()
        elif self._edge is not None and self._state is None:
            new = [self._edge, *new]
        if self._block is not None:
            new = self._within(new, self._block)
        for first in range(0, len(new), AT_ONCE):
            x = Tensor(np.array([new[first : first + AT_ONCE]]))
            scores, self._state = self._network.advance(x, self._state)
        self._scores = scores
        if self._block is not None:
            self._seen += new
        return scores

    def _within(self, new: list[int], block: int) -> list[int]:
        """Return what is to be seen next; what is too much is forgotten."""
        beyond = len(self._seen) + len(new) - block
        if beyond <= 0:
            return new
        # Whenever a block is full, its last half stays, and fills up once more.
        half = block // 2
        kept = half + 1 + (beyond - 1) % (block - half)
        new = [*self._seen, *new][-kept:]
        self.forget()
        return new

    def tokens(self) -> Iterator[int]:
        """Yield tokens without an end; each is seen before the next one is made."""
        while True:
            token = self._sampling.draw(self.probabilities(), self._rng)
            self.feed([token])
            yield token

    def probabilities(self) -> Array:
        """Return (V,) probabilities of the next token.

        Raises:
            NncliError: They are not finite.
        """
        scores = self._see([self._start]) if self._scores is None else self._scores
        with np.errstate(all="ignore"):
            last = self._predictions(Tensor(scores.data[:, -1:]))
        found: Array = last.data[0, 0]
        if np.isnan(found).any():
            raise NncliError(
                "generate: expected scores that are numbers, got NaN: the network "
                "diverged in training. Take an earlier checkpoint, such as best."
            )
        if self._banned:
            found = found.copy()
            found[self._banned] = 0
        return found


def _vocabulary_of(experiment: Experiment) -> Vocabulary:
    vocabulary = experiment.vocabulary
    name = experiment.config.dataset.type_name if experiment.config.dataset else ""
    if vocabulary is None:
        raise UsageError(
            "generate: expected a network that was trained on text, got one of dataset "
            f"{name or 'rows of a program'}. Train one: nncli train shakespeare_gpt"
        )
    shape = experiment.network.shapes[-1]
    if len(shape) != 2 or shape[1] != len(vocabulary) or not experiment.labels:
        raise UsageError(
            f"generate: expected a network that scores each of the {len(vocabulary):,} "
            f"tokens at each step, got outputs of shape {shape}. What classifies texts "
            "makes none: nncli predict."
        )
    return vocabulary
