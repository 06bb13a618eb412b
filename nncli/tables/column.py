"""One column as it is read, batch by batch: its kind, its words, what is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from nncli.core.arrays import Array
from nncli.core.errors import DataError
from nncli.core.text import count, show
from nncli.tables import cells as read
from nncli.tables.library import polars
from nncli.tables.raw import Kind, RawColumn
from nncli.tables.reading import Reading
from nncli.tables.tally import Tally, in_order

Where = Callable[[int], str]

MAX_WORDS = 100_000
"""A column of more different texts is no category, but where somebody says it is."""

MOST_WORDS = 1_000_000

EXPECTED = {
    "number": "a number",
    "boolean": "true or false",
    "category": "a category",
    "date": "a date (YYYY-MM-DD, with or without a time)",
}


class ColumnReader:
    """Reads one column.

    Args:
        name: Of the column.
        source: What messages call the file.
        reading: What its texts mean.
        kind: How cells are read; None to find out, or a date if it has a format.
        firm: What does not fit the kind is an error; else the column is a category.
        form: Of dates, as ``strptime`` has it; None for ISO 8601.
        words: That have their codes already.
        kept: The column may not be left out.

    Attributes:
        widened: Cells did not fit the kind that was found before: read it again as a
            category.
        note: What a reader of the file should know of it.
        tally: What was counted.
    """

    def __init__(
        self,
        name: str,
        source: str,
        reading: Reading,
        kind: Kind | None = None,
        firm: bool = True,
        form: str | None = None,
        words: Sequence[str] = (),
        kept: bool = False,
    ) -> None:
        self.name = name
        self.kind: Kind | None = kind or (None if form is None else "date")
        self.firm = firm and self.kind is not None
        self.kept = kept
        self.widened = False
        self.note = ""
        self.tally = Tally()
        self._source = source
        # Numbers that stand for nothing are only seen among the texts.
        self._by_text = reading.has_numbers
        self.reading = reading
        self._form = form
        self._codes = {word: code for code, word in enumerate(words)}
        self._full = False
        self._fault = ""
        self._faults = 0
        self._odd = ("", "")

    def again(self) -> ColumnReader:
        """Return a reader that reads the column from the beginning as a category."""
        reader = ColumnReader(
            self.name, self._source, self.reading, "category", False, kept=self.kept
        )
        reader.note, reader._odd = self.note, self._odd
        return reader

    @property
    def column(self) -> RawColumn:
        """The column as far as it was read."""
        kind = self.kind or "number"
        return RawColumn(self.name, kind, tuple(self._codes) if self.words else ())

    @property
    def words(self) -> Iterable[str]:
        """Texts of a category, in the order in which they came."""
        return self._codes if self.kind == "category" else ()

    @property
    def lost(self) -> bool:
        """Whether what is read now is of no use: too many words, or to read again."""
        return self.widened or self._full

    @property
    def may_be_numbers(self) -> bool:
        """Whether ``numbers`` may be called where all cells are plain numbers."""
        plain = not self.reading.comma and not self._by_text
        return plain and self.kind in (None, "number") and not self.lost

    def numbers(self, values: Array, where: Where) -> Array:
        """Read cells that all were numbers, or all said that they are none (NaN)."""
        if self.kind is None and not np.isnan(values).all():
            self.kind = "number"
        return self._counted(values, where)

    def texts(self, cells: Any, where: Where) -> Array:
        """Read a polars series of texts as float64, NaN where one is missing."""
        if self.lost:
            return np.full(len(cells), np.nan)
        clean = read.cleaned(cells, self.reading)
        if clean.null_count() == len(clean):
            self.tally.add(np.full(len(clean), np.nan))
            return np.full(len(clean), np.nan)
        if self.kind is None:
            self.kind = self._guessed(clean, where)
        if self.kind == "category":
            return self._coded(clean, where)
        values = self._parsed(clean)
        if values.null_count() > clean.null_count():
            self._misfit(clean, values, where)
        array = values.fill_null(np.nan).to_numpy()
        return array if self.widened else self._counted(array, where)

    def typed(
        self,
        values: Array,
        natural: Kind,
        where: Where,
        spell: Callable[[Array], list[str]],
    ) -> Array:
        """Read float64 that a typed file or a frame holds.

        Args:
            values: NaN where a cell is missing.
            natural: What they are.
            where: What messages call a row.
            spell: Writes some of the values as texts, for a category.
        """
        self.kind = self.kind or natural
        if self.kind == "category":
            there = ~np.isnan(values)
            found, place = in_order(values[there])
            codes = np.full(len(values), np.nan)
            codes[there] = self._codes_of(spell(found))[place]
            return self._counted(codes, where)
        fits = self.kind == natural or (self.kind, natural) == ("number", "boolean")
        wrong = np.isfinite(values) if not fits else np.zeros(len(values), bool)
        if (self.kind, natural) == ("boolean", "number"):
            wrong = ~np.isnan(values) & (values != 0) & (values != 1)
        if wrong.any():
            row = int(np.argmax(wrong))
            self._blame(spell(values[row : row + 1])[0], int(wrong.sum()), where(row))
        return self._counted(values, where)

    def coded(self, codes: Array, words: Sequence[str | None], where: Where) -> Array:
        """Read integers that stand for texts, −1 for a missing cell."""
        known = np.array([word is not None for word in words], bool)
        used, _ = in_order(codes[codes >= 0])
        table = np.full(len(words) + 1, np.nan)
        named = [int(code) for code in used if known[code]]
        self.kind = self.kind or "category"
        table[named] = self._codes_of([str(words[code]) for code in named])
        return self._counted(table[codes], where)

    def finish(self) -> None:
        """Tell what was wrong.

        Raises:
            DataError: Cells did not fit the kind, or nothing may be left out that has
                too many words.
        """
        if self._faults:
            more = f" ({count(self._faults, 'such cell')})" if self._faults > 1 else ""
            raise DataError(f"{self._fault}{more}. {self._way_out()}")
        if self._full and (self.kept or self.firm):
            raise DataError(
                f"{self._source}: column {self.name!r}: expected at most "
                f"{MOST_WORDS:,} different texts, got more."
            )
        if self.kind == "category" and not self.firm:
            self._refuse_separators()

    @property
    def full(self) -> bool:
        """Whether there were more different texts than are kept."""
        return self._full

    def _way_out(self) -> str:
        if self.kind == "date":
            return "Give the format of its dates, or another type for the column."
        return (
            "Mend the cells, add them to missing_values, or give the column another "
            "type."
        )

    def _counted(self, values: Array, where: Where) -> Array:
        if self.kind == "number" and np.isinf(values).any():
            row = int(np.argmax(np.isinf(values)))
            raise DataError(
                f"{where(row)}: column {self.name!r}: expected a number, got "
                f"{values[row]}, which is not finite. Mend the cell, or leave it empty."
            )
        self.tally.add(values)
        return values

    def _parsed(self, clean: Any) -> Any:
        if self.kind == "number":
            return read.numbers(clean, self.reading)
        if self.kind == "boolean":
            return read.booleans(clean)
        return read.dates(clean, self._form)

    def _guessed(self, clean: Any, where: Where) -> Kind:
        present = clean.drop_nulls()
        if not read.booleans(present).null_count():
            # What may be a target keeps its words: they name its classes.
            return "category" if self.kept else "boolean"
        values = read.numbers(present, self.reading)
        if not values.null_count():
            return "number"
        if not read.dates(present).null_count():
            return "date"
        self._remark(clean, read.numbers(clean, self.reading), "number", where)
        if values.null_count() * 2 > len(present):
            self.note = ""
        return "category"

    def _remark(self, clean: Any, values: Any, kind: Kind, where: Where) -> None:
        odd = int((clean.is_not_null() & values.is_null()).arg_max())
        self._odd = (where(odd), clean[odd])
        self.note = (
            f"{where(odd)}: {show(clean[odd])} is not {EXPECTED[kind]}, as others are: "
            "read as a category"
        )

    def _misfit(self, clean: Any, values: Any, where: Where) -> None:
        kind = self.kind or "category"
        if not self.firm:
            self.widened = True
            self._remark(clean, values, kind, where)
            return
        wrong = clean.is_not_null() & values.is_null()
        row = int(wrong.arg_max())
        self._blame(clean[row], int(wrong.sum()), where(row))

    def _blame(self, cell: str, number: int, where: str) -> None:
        if not self._faults:
            expected = EXPECTED[self.kind or "category"]
            if self.kind == "date" and self._form is not None:
                expected = f"a date as {self._form}"
            self._fault = (
                f"{where}: column {self.name!r}: expected {expected}, got {show(cell)}"
            )
        self._faults += number

    def _coded(self, clean: Any, where: Where) -> Array:
        pl = polars()
        found = clean.drop_nulls().unique(maintain_order=True)
        codes = pl.Series(self._codes_of(found.to_list()), dtype=pl.Float64)
        values = clean.replace_strict(
            found, codes, default=None, return_dtype=pl.Float64
        )
        return self._counted(values.fill_null(np.nan).to_numpy(), where)

    def _codes_of(self, words: Sequence[str]) -> Array:
        known = self._codes
        codes = [known.setdefault(word, len(known)) for word in words]
        limit = MOST_WORDS if self.kept or self.firm else MAX_WORDS
        self._full = self._full or len(known) > limit
        return np.array(codes, np.float64)

    def _refuse_separators(self) -> None:
        """Refuse numbers written with other signs, which would be words."""
        where, cell = self._odd
        if not cell or not all(map(read.almost_number, self._codes)):
            return
        sign, other = ",." if self.reading.comma else ".,"
        way = "thousands separators cannot be read: take them out"
        raise DataError(
            f"{where}: column {self.name!r}: expected a number with "
            f"{sign!r} as decimal sign, got {show(cell)}. For the other"
            f' one say decimal: "{other}"; {way}. If these are no numbers, give the '
            "column the type category."
        )
