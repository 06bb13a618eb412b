"""Cells that are texts, as numbers: what each kind of column takes."""

from __future__ import annotations

import re
from typing import Any

from nncli.core.arrays import Array
from nncli.core.errors import ArgumentError
from nncli.tables.library import polars
from nncli.tables.reading import Reading

TRUE = ("true", "yes", "t")
FALSE = ("false", "no", "f")

_DATE = (
    r"^(\d{4}-\d{2}-\d{2})"
    r"(?:[T ](\d{2}):(\d{2})(?::(\d{2}(?:\.\d+)?))? ?(Z|[+-]\d{2}:?\d{2})?)?$"
)
_NO_NUMBER = re.compile(r"[+-]?(\d{1,3}([,.']\d{3})+|\d+)([.,]\d+)?([eE][+-]?\d+)?")
"""What a program or a person may have written as a number, but is none here."""


def cleaned(cells: Any, reading: Reading) -> Any:
    """Return texts without the spaces around them, null where nothing is meant."""
    plain = cells.str.strip_chars()
    nothing = plain.is_in(list(reading.missing))
    return plain.set(nothing.fill_null(True), None) if nothing.any() else plain


def numbers(cells: Any, reading: Reading) -> Any:
    """Return float64, null where a text is no number; "nan" is none."""
    if reading.comma:
        cells = cells.set(cells.str.contains(".", literal=True), "?")
        cells = cells.str.replace(",", ".", literal=True)
    return cells.cast(polars().Float64, strict=False)


def all_numbers(frame: Any, names: list[str]) -> dict[str, Array]:
    """Return those columns of texts whose cells are all numbers, as float64."""
    pl = polars()
    found = frame.select(pl.col(names).cast(pl.Float64, strict=False))
    return {
        column.name: column.to_numpy()
        for column in found.get_columns()
        if not column.null_count()
    }


def booleans(cells: Any) -> Any:
    """Return 1 and 0, null where a text is neither true nor false."""
    pl = polars()
    low = cells.str.to_lowercase()
    known = [*TRUE, *FALSE]
    values = [1.0] * len(TRUE) + [0.0] * len(FALSE)
    return low.replace_strict(
        pl.Series(known), pl.Series(values), default=None, return_dtype=pl.Float64
    )


def dates(cells: Any, form: str | None = None) -> Any:
    """Return seconds since 1970 (UTC), null where a text is no date.

    Args:
        cells: Texts.
        form: As ``strptime`` has it (``%d.%m.%Y``); None for ISO 8601.

    Raises:
        ArgumentError: The format is none.
    """
    pl = polars()
    if form is None:
        return _iso_dates(cells)
    stamp = pl.col(cells.name)
    try:
        if re.search(r"%[HIkMSTRpXcsfz+]", form):
            parsed = stamp.str.to_datetime(form, strict=False, time_unit="us")
        else:
            parsed = stamp.str.to_date(form, strict=False).cast(pl.Datetime("us"))
        seconds = parsed.dt.epoch("us") / 1e6
        return cells.to_frame().select(seconds.cast(pl.Float64)).to_series()
    except pl.exceptions.PolarsError as error:
        raise ArgumentError(
            f"format: expected a format of dates such as %d.%m.%Y, got {form!r} "
            f"({error})."
        ) from None


def _iso_dates(cells: Any) -> Any:
    pl = polars()
    if (cells.str.len_bytes() == len("2000-01-01")).all():
        days = cells.str.to_date("%Y-%m-%d", strict=False)
        return days.cast(pl.Int32).cast(pl.Float64) * 86400
    parts = cells.str.extract_groups(_DATE).struct.unnest()
    parts.columns = ["day", "hour", "minute", "second", "zone"]
    clock = [
        pl.col(each).cast(pl.Float64, strict=False).fill_null(0.0)
        for each in ("hour", "minute", "second")
    ]
    zone = pl.col("zone")
    digits = zone.str.replace(":", "", literal=True)
    ahead = (
        digits.str.slice(1, 2).cast(pl.Float64, strict=False) * 3600
        + digits.str.slice(3, 2).cast(pl.Float64, strict=False) * 60
    ).fill_null(0.0)
    sign = pl.when(zone.str.starts_with("-")).then(-1.0).otherwise(1.0)
    day = pl.col("day").str.to_date("%Y-%m-%d", strict=False)
    days = day.cast(pl.Int32).cast(pl.Float64) * 86400
    hour, minute, second = clock
    total = days + hour * 3600 + minute * 60 + second - sign * ahead
    real = (hour < 24) & (minute < 60) & (second < 61)
    return parts.select(pl.when(real).then(total).otherwise(None)).to_series()


def almost_number(text: str) -> bool:
    """Tell whether a text is a number with separators that are not read."""
    return _NO_NUMBER.fullmatch(text) is not None
