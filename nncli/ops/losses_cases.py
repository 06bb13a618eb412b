"""Calls of losses of class indices, for gradcheck."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence

import numpy as np

from nncli.autograd.function import Case
from nncli.core.arrays import Array, xp
from nncli.ops.losses_classes import Categorical


def vary_classes(
    functions: Sequence[Categorical], rng: np.random.Generator, scores: Array
) -> Iterator[Case]:
    """Yield calls with drawn labels, and weights of the rows for the last function.

    Of sequences, rows of the others have lengths.
    """
    labels = rng.integers(0, scores.shape[-1], scores.shape[:-1])
    for function in functions[:-1]:
        yield Case(function, (scores, labels))
        if labels.ndim > 1:
            shorter = copy.copy(function)
            shorter.by_length = True
            lengths = xp.arange(len(labels)) % (labels.shape[1] + 1)
            yield Case(shorter, (scores, labels, lengths))
    weights = rng.uniform(0.0, 2.0, len(scores))
    yield Case(functions[-1], (scores, labels, weights))
