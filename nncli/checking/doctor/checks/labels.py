"""Targets that have nothing to do with their inputs, as if somebody shuffled them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np

from nncli.checking.doctor.base import Check, Finding
from nncli.core.arrays import Array
from nncli.core.randomness import stream
from nncli.data.batches import Batch

MOST_ROWS, LEAST_ROWS = 1000, 100
"""Rows that are compared. Among fewer, a weak relation cannot be told from chance."""

LEAST_OTHERS = 25
"""Rows that are not of the most frequent class: few are seldom neighbours."""

NEIGHBOURS = 10
"""Nearest rows whose targets are compared with a row's own."""

ORDERS = 100
"""Random orders of the targets, for what chance alone gives."""

LIMIT = 4.0
"""Deviations of chance that one of two relations has to be away from it.

Chance gets there once in some 100 times at most; the shipped configs have 20 and more.
That neighbours in the inputs are alike in what depends on these is the test of
Schilling 1986 ("Multivariate two-sample tests based on nearest neighbors"), here with
targets of any kind and against shuffled ones. Where they are less alike than chance
makes them, as in a parity, targets belong to their rows, too. Among many columns
without a meaning, neighbours are those of chance; the correlations with single columns
are not.
"""


class Labels(Check, name="labels"):
    """Whether rows with similar inputs have similar targets, more than chance gives.

    Or targets follow one input. Of vectors and images; distances between sequences
    say little.
    """

    stage = "data"

    def run(self) -> Iterator[Finding]:
        batch = self.exam.drawn(MOST_ROWS)
        x, targets = _inputs(batch), _targets(batch)
        if x is None or targets is None or len(x) < LEAST_ROWS:
            return
        if _rare(batch.targets.data) < LEAST_OTHERS:
            return
        rng = stream(self.exam.config.seed, "check", 1)
        score, line = likeness(x, targets, rng), correlation(x, targets, rng)
        if abs(score) >= LIMIT or line >= LIMIT:
            return
        yield self.finding(
            f"Rows with similar inputs have targets no more alike than chance makes "
            f"them: {score:.1f} deviations above shuffled targets over {len(x):,} "
            f"rows, and the largest correlation with an input is {line:.1f} above, "
            f"expected at least {LIMIT:g} of one of them. Targets may belong to other "
            "rows, as when one of two files was shuffled or sorted alone.",
            "Look at some rows beside their targets. If they are right, what the "
            "targets depend on is not among the inputs.",
        )


def likeness(x: Array, targets: Array, rng: np.random.Generator) -> float:
    """Return how much more neighbours are alike than in shuffled rows, in deviations.

    The likeness is Σ t_i·t_j over all rows i and the NEIGHBOURS nearest rows j.

    Args:
        x: (N, F) inputs.
        targets: (N, K) targets, with mean 0.
        rng: Where the orders come from.
    """
    near = _neighbours(x)
    return _beyond_chance(
        lambda t: float(np.einsum("ik,ijk->", t, t[near])), targets, rng
    )


def correlation(x: Array, targets: Array, rng: np.random.Generator) -> float:
    """Return how much more targets follow a single input than shuffled ones do.

    In deviations of the largest |Σ_i x_if·t_ik| over all inputs f and targets k.

    Args:
        x: (N, F) inputs, each with mean 0.
        targets: (N, K) targets, with mean 0.
        rng: Where the orders come from.
    """
    return _beyond_chance(lambda t: float(np.abs(x.T @ t).max()), targets, rng)


def _beyond_chance(
    score: Callable[[Array], float], targets: Array, rng: np.random.Generator
) -> float:
    """Return how far a score is above that of shuffled targets, in deviations."""
    chance = [score(rng.permutation(targets)) for _ in range(ORDERS)]
    spread = float(np.std(chance))
    return (score(targets) - float(np.mean(chance))) / spread if spread else math.inf


def _neighbours(x: Array) -> Array:
    """Return (N, NEIGHBOURS) places of each row's nearest rows."""
    squares = np.square(x).sum(axis=1)
    distance = squares[:, None] + squares - 2 * (x @ x.T)
    np.fill_diagonal(distance, np.inf)
    nearest: Array = np.argpartition(distance, NEIGHBOURS, axis=1)[:, :NEIGHBOURS]
    return nearest


def _inputs(batch: Batch) -> Array | None:
    """Return (N, F) inputs of deviation 1; None for tokens and sequences."""
    x = batch.x.data
    if x.dtype.kind != "f" or x.ndim == 3:
        return None
    flat = x.reshape(len(x), -1).astype(np.float64)
    spread = flat.std(axis=0)
    scaled: Array = (flat - flat.mean(axis=0)) / np.where(spread > 0, spread, 1)
    return scaled


def _rare(targets: Array) -> int:
    """Return how many rows have another target than the most frequent one."""
    _, counts = np.unique(targets, return_counts=True, axis=0)
    return int(counts.sum() - counts.max())


def _targets(batch: Batch) -> Array | None:
    """Return (N, K) targets of mean 0, classes as one-hot rows; None for sequences."""
    t = batch.targets.data
    if t.ndim > 2:
        return None
    if t.dtype.kind in "iu":
        if t.ndim > 1:
            return None
        t = t[:, None] == np.unique(t)
    wide = t.reshape(len(t), -1).astype(np.float64)
    centred: Array = wide - wide.mean(axis=0)
    return centred
