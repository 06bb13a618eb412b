"""What is counted of a column while it is read, and why it may be left out."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

import numpy as np

from nncli.core.arrays import Array

FEW = 20
"""Of so few rows, that all cells differ says nothing."""

DIFFERENT = 0.9
"""A larger part of different texts makes a column a name of its rows."""

SPARSE, MANY = 8, 10_000_000
"""Integers that are sparser are sorted, of no more rows than that."""

LONG, WORDY = 40, 6
"""Free text is longer on average, or has more words."""

_ID = re.compile(r"(?i:id|index|row_?id)|.*(_id|_ID|[a-z]Id|[a-z]ID)")


@dataclass
class Tally:
    """Counts of one column.

    Attributes:
        rows: Cells.
        missing: Cells that hold nothing.
        low: Smallest value.
        high: Largest value.
        whole: All values are integers.
    """

    rows: int = 0
    missing: int = 0
    low: float = np.inf
    high: float = -np.inf
    whole: bool = True

    def add(self, values: Array) -> None:
        """Count some cells; NaN is a missing one."""
        self.rows += len(values)
        nothing = int(np.isnan(values).sum())
        self.missing += nothing
        if nothing == len(values):
            return
        self.low = min(self.low, float(np.nanmin(values)))
        self.high = max(self.high, float(np.nanmax(values)))
        if self.whole:
            present = values[~np.isnan(values)] if nothing else values
            self.whole = bool((present == np.floor(present)).all())

    @property
    def empty(self) -> bool:
        """Whether nothing is there."""
        return self.missing == self.rows

    @property
    def constant(self) -> bool:
        """Whether all cells are the same."""
        return self.rows > 1 and not self.missing and self.low == self.high

    def may_number_rows(self, name: str) -> bool:
        """Tell whether the values could be numbers of the rows, judged by counts."""
        if self.missing or not self.whole or self.rows <= FEW:
            return False
        consecutive = self.high - self.low + 1 == self.rows
        return consecutive or _ID.fullmatch(name) is not None


def text_reason(words: Collection[str], present: int) -> str:
    """Return why a column of texts is left out; "" if it is not."""
    number = len(words)
    if present > FEW and number > DIFFERENT * present:
        return f"nearly every row has a text of its own ({number:,} of {present:,})"
    if number > FEW:
        length = sum(map(len, words)) / number
        spaces = sum(word.count(" ") for word in words) / number
        if length > LONG or spaces >= WORDY:
            return f"free text ({number:,} different, {length:.0f} letters on average)"
    return ""


def are_all_different(parts: Iterable[Array], tally: Tally) -> bool:
    """Tell whether no integer occurs twice; of very many, the first are looked at."""
    span = tally.high - tally.low + 1
    if span > SPARSE * tally.rows:
        values: list[Array] = []
        for part in parts:
            values.append(part.copy())
            if sum(map(len, values)) > MANY:
                break
        ordered = np.sort(np.concatenate(values))
        return bool((ordered[1:] != ordered[:-1]).all())
    seen = np.zeros(int(span), bool)
    for part in parts:
        place = (part - tally.low).astype(np.int64)
        if seen[place].any():
            return False
        seen[place] = True
        if len(np.unique(place)) < len(place):
            return False
    return True
