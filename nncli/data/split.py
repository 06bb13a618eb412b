"""Split: which rows are for training, validation and test."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge, Le

from nncli.core.arrays import Array
from nncli.core.description import Section
from nncli.core.errors import ArgumentError, DataError
from nncli.core.randomness import stream
from nncli.core.signature import Fraction
from nncli.core.text import nearest
from nncli.data.base import Rows


class By(Section):
    """A column that says which rows belong together, or where; one of the three.

    Attributes:
        fold: The column says the part: ``train``, ``validation`` or ``test``.
            Example: part.
        group: Rows with one value stay in one part (one patient, one writer).
            Example: patient.
        time: The rows are taken in the order of this column: the first train.
            Example: date.
    """

    fold: str | None = None
    group: str | None = None
    time: str | None = None

    def __post_init__(self) -> None:
        given = [name for name, column in self.arguments.items() if column is not None]
        if len(given) != 1:
            raise ArgumentError(
                "expected one of fold, group and time with the name of a column, got "
                f"{' and '.join(given) or 'none'}."
            )


class Split(Section):
    """Which share of the rows is kept from training.

    Attributes:
        validation: Share of rows to evaluate on while training. Example: 0.2.
        test: Share of rows to evaluate on in the end. Example: 0.2.
        stratify: Keep the classes' shares the same in all parts. Example: false.
        seed: What the parts are drawn with; null for the config's seed. With a seed of
            their own the parts stay the same where the config's changes. Example: 1.
        order: ``random``, or ``given``: the first rows train, then come those of
            validation, the last ones are those of the test. Example: given.
        by: A column to split by; null for none. Example: {group: patient}.
    """

    validation: Fraction = 0.0
    test: Fraction = 0.0
    stratify: bool = True
    seed: Annotated[int, Ge(0), Le(2**63 - 1)] | None = None
    order: Literal["random", "given"] = "random"
    by: By | None = None

    def __post_init__(self) -> None:
        total = self.validation + self.test
        if total >= 1:
            raise ArgumentError(
                f"expected validation + test below 1, so that rows are left to train "
                f"on, got {total:g}."
            )
        if self.by is not None and self.by.fold is not None and total:
            raise ArgumentError(
                "expected no shares of validation and test where by.fold says the "
                f"part of each row, got {total:g}."
            )


PARTS = ("train", "validation", "test")


def split_rows(rows: Rows, split: Split, seed: int) -> dict[str, Array | None]:
    """Return the places of each part's rows, in their given order.

    Where the rows have official parts, these are the parts; a share of validation or
    test that is not among them is taken from the training part, which is all that is
    left, where it is not among them either.

    Args:
        rows: What is split.
        split: How.
        seed: The config's seed.

    Returns:
        By part; None for all rows there are.

    Raises:
        DataError: A part that is asked for, or the training part, is empty, or there
            is no such column.
    """
    official = {name: index for name, index in rows.parts.items() if name in PARTS}
    shares = {"validation": split.validation, "test": split.test}
    for name, share in shares.items():
        if share and name in official:
            raise DataError(
                f"split: expected no share for {name}, since the dataset has an "
                f"official {name} part, got {share:g}. Leave split.{name} out."
            )
    if split.by is not None and split.by.fold is not None:
        return _checked(_by_fold(_column(rows, split.by.fold)), shares, len(rows))
    whole = official.get("train")
    if whole is None and official:
        # Rows of an official test are none to train on.
        whole = np.setdiff1d(np.arange(len(rows)), np.concatenate([*official.values()]))
    if not any(shares.values()):
        return {"train": whole, **official}
    rng = stream(seed if split.seed is None else split.seed, "split")
    places = np.arange(len(rows)) if whole is None else whole
    part = _assigned(rows, places, split, rng)
    parts = {name: places[part == number] for number, name in enumerate(PARTS)}
    wanted = {
        name: index for name, index in parts.items() if name == "train" or shares[name]
    }
    return {**official, **_checked(wanted, shares, len(rows))}


def _assigned(
    rows: Rows, places: Array, split: Split, rng: np.random.Generator
) -> Array:
    """Return 0 (train), 1 (validation) or 2 (test) for each place."""
    shares = [split.validation, split.test]
    by = split.by
    if by is not None and by.time is not None:
        order = np.argsort(_column(rows, by.time)[places], kind="stable")
        return _in_order(order, shares)
    if by is not None and by.group is not None:
        return _by_group(_column(rows, by.group)[places], shares, rng)
    if split.order == "given":
        return _in_order(np.arange(len(places)), shares)
    y = rows.fields["y"]
    # Only where each row has one class.
    if split.stratify and rows.classes is not None and not y.shape:
        return _assign(rows.read("y", places), shares, rng)
    return _assign(np.zeros(len(places), int), shares, rng)


def _column(rows: Rows, name: str) -> Array:
    if name not in rows.keys:
        raise DataError(
            f"split: expected a column of the data, got {name!r}. "
            f"{nearest(name, list(rows.keys))}"
        )
    return rows.keys[name]


def _by_fold(column: Array) -> dict[str, Array]:
    names = np.char.lower(column.astype(str))
    strange = np.setdiff1d(names, [*PARTS, "val"])
    if strange.size:
        raise DataError(
            f"split: expected train, validation or test in the column of by.fold, got "
            f"{str(strange[0])!r}."
        )
    names = np.where(names == "val", "validation", names)
    return {
        name: np.flatnonzero(names == name) for name in PARTS if (names == name).any()
    }


def _in_order(order: Array, shares: list[float]) -> Array:
    """Give the first rows to training, the next to validation, the last to the test."""
    part = np.zeros(len(order), int)
    counts = [round(share * len(order)) for share in shares]
    end = len(order)
    for number, count in reversed([*enumerate(counts, start=1)]):
        part[order[end - count : end]] = number
        end -= count
    return part


def _by_group(groups: Array, shares: list[float], rng: np.random.Generator) -> Array:
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


def _checked(
    parts: dict[str, Array], shares: dict[str, float], total: int
) -> dict[str, Array | None]:
    for name in {"train": None, **parts}:
        if name not in parts or not parts[name].size:
            share = shares.get(name)
            asked = f"split.{name} is {share:g}" if share else "the rest"
            raise DataError(
                f"split: expected at least one row in the {name} part, got none of "
                f"{total} rows ({asked}). Change the shares or use more data."
            )
    return dict(parts)


def _assign(groups: Array, shares: list[float], rng: np.random.Generator) -> Array:
    """Return 0 (rest), 1, 2, ... for each row, drawn within each group.

    Each part gets round(share·N) rows, a group as near to its share of them as whole
    rows allow: its quota rounded down, the left-over to the largest remainders among
    the groups that have a row left.
    """
    _, group, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    rows = np.argsort(group, kind="stable")
    begins = np.cumsum(sizes) - sizes
    for begin, size in zip(begins, sizes, strict=True):
        if size > 1:
            rows[begin : begin + size] = rng.permutation(rows[begin : begin + size])
    # Of each row in that order: its place within its group.
    place = np.arange(len(rows)) - np.repeat(begins, sizes)
    part = np.zeros(len(groups), int)
    taken = np.zeros(len(sizes), int)
    for number, share in enumerate(shares, start=1):
        quota = share * sizes
        left = sizes - taken
        counts = np.minimum(np.floor(quota).astype(int), left)
        missing = round(share * len(groups)) - int(counts.sum())
        by_remainder = np.argsort(counts - quota, kind="stable")
        with_room = by_remainder[(counts < left)[by_remainder]]
        counts[with_room[: max(0, missing)]] += 1
        here = (place >= np.repeat(taken, sizes)) & (
            place < np.repeat(taken + counts, sizes)
        )
        part[rows[here]] = number
        taken += counts
    return part
