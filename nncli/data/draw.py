"""Draw: rows handed out to parts or to folds, by class, by group or in order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nncli.core.arrays import Array


def in_order(order: Array, shares: Sequence[float]) -> Array:
    """Return 0 for the first rows, 1, 2, ... for those behind them, by their shares.

    Args:
        order: (N,) places of the rows, the first one first.
        shares: Of the rows that are numbered 1, 2, ...; the rest comes before them.
    """
    part = np.zeros(len(order), int)
    counts = [round(share * len(order)) for share in shares]
    end = len(order)
    for number, count in reversed([*enumerate(counts, start=1)]):
        part[order[end - count : end]] = number
        end -= count
    return part


def by_group(groups: Array, shares: Sequence[float], rng: np.random.Generator) -> Array:
    """Hand out whole groups, in a drawn order, until each part has its share."""
    _, group, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    number_of = np.zeros(len(sizes), int)
    order = rng.permutation(len(sizes))
    at = 0
    for number, share in enumerate(shares, start=1):
        wanted, got = round(share * len(groups)), 0
        # A group is taken where more than half of it fits.
        while at < len(order) and got + sizes[order[at]] / 2 <= wanted and got < wanted:
            number_of[order[at]] = number
            got += int(sizes[order[at]])
            at += 1
    return number_of[group.reshape(-1)]


def by_class(
    classes: Array, shares: Sequence[float], rng: np.random.Generator
) -> Array:
    """Return 0 (rest), 1, 2, ... for each row, drawn within each class.

    Each part gets round(share·N) rows, a class as near to its share of them as whole
    rows allow: its quota rounded down, the left-over to the largest remainders among
    the classes that have a row left.
    """
    rows, sizes = _shuffled(classes, rng)
    begins = np.cumsum(sizes) - sizes
    part = np.zeros(len(classes), int)
    taken = np.zeros(len(sizes), int)
    for number, share in enumerate(shares, start=1):
        quota = share * sizes
        left = sizes - taken
        counts = np.minimum(np.floor(quota).astype(int), left)
        missing = round(share * len(classes)) - int(counts.sum())
        by_remainder = np.argsort(counts - quota, kind="stable")
        with_room = by_remainder[(counts < left)[by_remainder]]
        counts[with_room[: max(0, missing)]] += 1
        for begin, count in zip(begins + taken, counts, strict=True):
            part[rows[begin : begin + count]] = number
        taken += counts
    return part


def class_folds(classes: Array, folds: int, rng: np.random.Generator) -> Array:
    """Return the fold of each row, 1 to ``folds``, drawn within each class.

    Rows are dealt one by one, class after class: the sizes of folds differ by at most
    one, in all and in each class.
    """
    rows, _ = _shuffled(classes, rng)
    fold = np.empty(len(classes), int)
    fold[rows] = 1 + np.arange(len(rows)) % folds
    return fold


def group_folds(groups: Array, folds: int, rng: np.random.Generator) -> Array:
    """Return the fold of each row, 1 to ``folds``: that of its group.

    Each group, in a drawn order, goes to the fold that has the fewest rows: the sizes
    of folds differ by at most the largest group.
    """
    _, group, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    fold_of = np.empty(len(sizes), int)
    rows = np.zeros(folds, int)
    for each in rng.permutation(len(sizes)):
        fewest = int(rows.argmin())
        fold_of[each] = 1 + fewest
        rows[fewest] += sizes[each]
    return fold_of[group.reshape(-1)]


def ordered_fold(order: Array, number: int, folds: int) -> tuple[Array, Array]:
    """Return the rows to train on and those held out: what comes after these.

    The last rows are cut into ``folds`` runs of N // (folds + 1); fold k holds out the
    k-th of them and trains on all before it, as scikit-learn's ``TimeSeriesSplit``.
    """
    size = len(order) // (folds + 1)
    begin = len(order) - (folds - number + 1) * size
    return order[:begin], order[begin : begin + size]


def _shuffled(classes: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    """Return the rows class after class, shuffled in each, and the classes' sizes."""
    if len(classes) and (classes == classes[0]).all():
        # Of millions of rows without classes, finding them out takes a second.
        return rng.permutation(np.arange(len(classes))), np.array([len(classes)])
    _, index, sizes = np.unique(classes, return_inverse=True, return_counts=True)
    rows = np.argsort(index.reshape(-1), kind="stable")
    for begin, size in zip(np.cumsum(sizes) - sizes, sizes, strict=True):
        if size > 1:
            rows[begin : begin + size] = rng.permutation(rows[begin : begin + size])
    return rows, sizes
