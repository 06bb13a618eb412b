"""Balance: weights under which rare classes count as much as frequent ones."""

from __future__ import annotations

import numpy as np

from nncli.core.arrays import Array


def balanced_weights(counts: Array) -> Array:
    """Return n / (K·n_k) for each of the K classes that occur, 0 for the others.

    n_k rows are of class k, n of any: each class so counts n / K in all. As
    scikit-learn's ``compute_class_weight("balanced")``.

    Args:
        counts: (K,) how many rows each class has.
    """
    there = counts > 0
    room = np.zeros(len(counts))
    np.divide(counts.sum(), there.sum() * counts, out=room, where=there)
    return room
