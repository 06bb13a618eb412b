"""Split: which rows are for training, validation and test."""

from __future__ import annotations

import numpy as np

from nncli.core.arrays import Array
from nncli.core.description import Section
from nncli.core.errors import ArgumentError, DataError
from nncli.core.signature import Fraction
from nncli.data.base import Table


class Split(Section):
    """Which share of the rows is kept from training; drawn with the config's seed.

    Attributes:
        validation: Share of rows to evaluate on while training. Example: 0.2.
        test: Share of rows to evaluate on in the end. Example: 0.2.
        stratify: Keep the classes' shares the same in all parts. Example: false.
    """

    validation: Fraction = 0.0
    test: Fraction = 0.0
    stratify: bool = True

    def __post_init__(self) -> None:
        total = self.validation + self.test
        if total >= 1:
            raise ArgumentError(
                f"expected validation + test below 1, so that rows are left to train "
                f"on, got {total:g}."
            )


PARTS = ("train", "validation", "test")


def split_table(
    table: Table, split: Split, rng: np.random.Generator
) -> dict[str, Table]:
    """Return the parts that are not empty by design, rows in their given order.

    Raises:
        DataError: A part that the config asks for, or the training part, is empty.
    """
    shares = {"validation": split.validation, "test": split.test}
    # Only where each row has one class.
    stratify = split.stratify and table.classes is not None and table.y.ndim == 1
    groups = table.y if stratify else np.zeros(len(table), int)
    part = _assign(groups, list(shares.values()), rng)
    parts = {}
    for number, name in enumerate(PARTS):
        index = np.flatnonzero(part == number)
        wanted = name == "train" or shares[name] > 0
        if wanted and not index.size:
            asked = (
                f"split.{name} is {shares[name]:g}" if name in shares else "the rest"
            )
            raise DataError(
                f"split: expected at least one row in the {name} part, got none of "
                f"{len(table)} rows ({asked}). Change the shares or use more data."
            )
        if wanted:
            parts[name] = table.rows(index)
    return parts


def _assign(groups: Array, shares: list[float], rng: np.random.Generator) -> Array:
    """Return 0 (rest), 1, 2, ... for each row, drawn within each group.

    Each part gets round(share·N) rows, a group as near to its share of them as whole
    rows allow: its quota rounded down, the left-over to the largest remainders among
    the groups that have a row left.
    """
    part = np.zeros(len(groups), int)
    names, sizes = np.unique(groups, return_counts=True)
    orders = [rng.permutation(np.flatnonzero(groups == name)) for name in names]
    taken = np.zeros(len(names), int)
    for number, share in enumerate(shares, start=1):
        quota = share * sizes
        left = sizes - taken
        counts = np.minimum(np.floor(quota).astype(int), left)
        missing = round(share * len(groups)) - int(counts.sum())
        by_remainder = np.argsort(counts - quota, kind="stable")
        with_room = by_remainder[(counts < left)[by_remainder]]
        counts[with_room[: max(0, missing)]] += 1
        for group, count in enumerate(counts):
            begin = taken[group]
            part[orders[group][begin : begin + count]] = number
        taken += counts
    return part
