"""Split: which rows are for training, validation and test."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge, Le

from nncli.core.arrays import Array
from nncli.core.description import Section
from nncli.core.errors import ArgumentError, DataError
from nncli.core.randomness import stream
from nncli.core.signature import Fraction, Positive
from nncli.core.text import nearest
from nncli.data.base import Rows
from nncli.data.draw import (
    by_class,
    by_group,
    class_folds,
    group_folds,
    in_order,
    ordered_fold,
)


class Fold(Section):
    """Which fold of a cross-validation (nncli cv) is the test part.

    Attributes:
        number: Which fold is held out, from 1. Example: 2.
        of: How many folds there are. Example: 5.
        repeat: Which draw of the folds, from 1. Example: 1.
    """

    number: Positive
    of: Annotated[int, Ge(2)]
    repeat: Positive = 1

    def __post_init__(self) -> None:
        if self.number > self.of:
            raise ArgumentError(
                f"expected a number from 1 to {self.of}, got {self.number}."
            )


class Split(Section):
    """Which share of the rows is kept from training.

    At most one of ``column``, ``time`` and ``group`` names a column to split by.

    Attributes:
        validation: Share of rows to evaluate on while training. Example: 0.2.
        test: Share of rows to evaluate on in the end. Example: 0.2.
        stratify: Keep the classes' shares the same in all parts that are drawn row by
            row: not with ``group``, whose rows go together. Example: false.
        seed: What the parts are drawn with; null for the config's seed. With a seed of
            their own the parts stay the same where the config's changes. Example: 1.
        order: ``random``, or ``given``: the first rows train, then come those of
            validation, the last ones are those of the test. Example: given.
        column: The column says the part of each row: ``train``, ``validation`` or
            ``test``; null for none. Example: part.
        time: The rows are taken in the order of this column: the first train; null
            for none. Example: date.
        group: Rows with one value in this column stay in one part (one patient, one
            writer); null for none. Example: patient.
        fold: The test part is this fold of the rows; null for none.
            Example: {number: 2, of: 5}.
    """

    validation: Fraction = 0.0
    test: Fraction = 0.0
    stratify: bool = True
    seed: Annotated[int, Ge(0), Le(2**63 - 1)] | None = None
    order: Literal["random", "given"] = "random"
    column: str | None = None
    time: str | None = None
    group: str | None = None
    fold: Fold | None = None

    def __post_init__(self) -> None:
        total = self.validation + self.test
        if total >= 1:
            raise ArgumentError(
                f"expected validation + test below 1, so that rows are left to train "
                f"on, got {total:g}."
            )
        given = {"column": self.column, "time": self.time, "group": self.group}
        named = [name for name, column in given.items() if column is not None]
        if len(named) > 1:
            raise ArgumentError(
                f"expected at most one of column, time and group, got "
                f"{' and '.join(named)}. Leave all but one out."
            )
        if self.column is not None and total:
            raise ArgumentError(
                "expected no shares of validation and test where the column "
                f"{self.column!r} says the part of each row, got {total:g}."
            )
        if self.fold is not None:
            self._check_fold(self.fold)

    def _check_fold(self, fold: Fold) -> None:
        if self.test:
            raise ArgumentError(
                f"expected no share of test beside fold, which is the test part, got "
                f"{self.test:g}. Set split.test: 0."
            )
        if fold.repeat > 1 and not self.drawn:
            raise ArgumentError(
                "expected the first repeat of folds that follow the order of the rows, "
                f"for no other can be drawn, got {fold.repeat}."
            )

    @property
    def drawn(self) -> bool:
        """Whether rows are drawn, rather than taken in an order."""
        return self.time is None and (self.order == "random" or self.group is not None)


PARTS = ("train", "validation", "test")

Parts = dict[str, Array]


def split_rows(rows: Rows, split: Split, seed: int) -> dict[str, Array | None]:
    """Return the places of each part's rows, in their given order.

    Where the rows have official parts, or a column that says the parts, these are the
    parts; a share of validation or test that is not among them is taken from the
    training part, which is all that is left, where it is not among them either. A fold
    is one of the training part's, and stands in the place of any test part.

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
    for key in (split.time, split.group):
        if key is not None:
            _check_column(rows, key)
    official = {name: index for name, index in rows.parts.items() if name in PARTS}
    shares = {"validation": split.validation, "test": split.test}
    for name, share in shares.items():
        if share and name in official:
            raise DataError(
                f"split: expected no share for {name}, since the dataset has an "
                f"official {name} part, got {share:g}. Leave split.{name} out."
            )
    if split.column is not None:
        official = _by_column(split.column, _column(rows, split.column))
        _check(official, shares, len(rows))
    whole = official.get("train")
    if whole is None and official:
        # Rows of an official test are none to train on.
        whole = np.setdiff1d(np.arange(len(rows)), np.concatenate([*official.values()]))
    if split.fold is None and not any(shares.values()):
        return {"train": whole, **official}
    places = np.arange(len(rows)) if whole is None else whole
    seed = seed if split.seed is None else split.seed
    if split.fold is None:
        parts = _drawn(rows, places, split, stream(seed, "split"))
    else:
        parts = _with_fold(rows, places, split, split.fold, seed)
    _check(parts, shares, len(rows))
    return {**official, **parts}


def _drawn(rows: Rows, places: Array, split: Split, rng: np.random.Generator) -> Parts:
    """Share out places among the parts."""
    shares = {"validation": split.validation, "test": split.test}
    part = _assigned(rows, places, split, [*shares.values()], rng)
    return {
        name: places[part == number]
        for number, name in enumerate(PARTS)
        if name == "train" or shares[name]
    }


def _assigned(
    rows: Rows,
    places: Array,
    split: Split,
    shares: list[float],
    rng: np.random.Generator,
) -> Array:
    """Return 0 (train), 1 (validation) or 2 (test) for each place."""
    if not split.drawn:
        return in_order(_order(rows, places, split), shares)
    if split.group is not None:
        return by_group(_column(rows, split.group)[places], shares, rng)
    return by_class(_classes(rows, places, split), shares, rng)


def _with_fold(rows: Rows, places: Array, split: Split, fold: Fold, seed: int) -> Parts:
    """Hold a fold out, and share out what is left of the places."""
    if split.drawn:
        # Keys of their own keep the draws apart from those of plain parts.
        of = _folds(rows, places, split, fold.of, stream(seed, "split", fold.repeat))
        rest, held = places[of != fold.number], places[of == fold.number]
    else:
        _check_folds(fold.of, len(places), "rows", fold.of + 1)
        order = _order(rows, places, split)
        first, then = ordered_fold(order, fold.number, fold.of)
        rest, held = places[np.sort(first)], places[np.sort(then)]
    rng = stream(seed, "split", fold.repeat, fold.number)
    return _drawn(rows, rest, split, rng) | {"test": held}


def _folds(
    rows: Rows, places: Array, split: Split, count: int, rng: np.random.Generator
) -> Array:
    """Return the fold of each place."""
    if split.group is None:
        _check_folds(count, len(places), "rows", count)
        return class_folds(_classes(rows, places, split), count, rng)
    groups = _column(rows, split.group)[places]
    there = len(np.unique(groups))
    _check_folds(count, there, f"groups of {split.group!r}", count)
    return group_folds(groups, count, rng)


def _check_folds(count: int, there: int, what: str, least: int) -> None:
    if there < least:
        raise DataError(
            f"split: expected at least {least} {what} for {count} folds, got {there}. "
            "Take fewer folds."
        )


def _order(rows: Rows, places: Array, split: Split) -> Array:
    """Return which of the places come first, for parts that are not drawn."""
    if split.time is None:
        return np.arange(len(places))
    return np.argsort(_column(rows, split.time)[places], kind="stable")


def _classes(rows: Rows, places: Array, split: Split) -> Array:
    """Return the class of each place; one for all where classes play no part."""
    # Only where each row has one class.
    if split.stratify and rows.classes is not None and not rows.fields["y"].shape:
        return rows.read("y", places)
    return np.zeros(len(places), int)


def _column(rows: Rows, name: str) -> Array:
    _check_column(rows, name)
    return rows.keys[name]


def _check_column(rows: Rows, name: str) -> None:
    if name not in rows.keys:
        raise DataError(
            f"split: expected a column of the data, got {name!r}. "
            f"{nearest(name, list(rows.keys))}"
        )


def _by_column(name: str, column: Array) -> Parts:
    names = np.char.lower(column.astype(str))
    strange = np.setdiff1d(names, [*PARTS, "val"])
    if strange.size:
        raise DataError(
            f"split: expected train, validation or test in the column {name!r}, got "
            f"{strange[0].removesuffix('.0')!r}."
        )
    names = np.where(names == "val", "validation", names)
    return {
        name: np.flatnonzero(names == name) for name in PARTS if (names == name).any()
    }


def _check(parts: Parts, shares: dict[str, float], total: int) -> None:
    """Refuse parts without rows."""
    for name in {"train": None, **parts}:
        if name not in parts or not parts[name].size:
            share = shares.get(name)
            asked = f"split.{name} is {share:g}" if share else "the rest"
            raise DataError(
                f"split: expected at least one row in the {name} part, got none of "
                f"{total} rows ({asked}). Change the shares or use more data."
            )
