"""Units: what the inputs of a table were before they were scaled."""

from __future__ import annotations

from dataclasses import dataclass

from nncli.tables.encoder import PERIODS, Category, Date, Encoder, Fitted


@dataclass(frozen=True)
class Unit:
    """What one input stands for: input · scale + center.

    Attributes:
        name: Of that, for people: the column, and what was done to its numbers.
        center: What became 0.
        scale: What became 1 beside it.
    """

    name: str
    center: float = 0.0
    scale: float = 1.0


def units_of(encoder: Encoder) -> tuple[Unit, ...]:
    """Return what each input stands for.

    A number is one in the units of its column again, but for one that a curve bends:
    that stays bent, and the name says how. A date is its year, with a fraction.

    Args:
        encoder: What was learned of the columns.
    """
    return tuple(unit for column in encoder.ordered for unit in _units(column))


def _units(column: Fitted) -> tuple[Unit, ...]:
    if isinstance(column, Category):
        return tuple(map(Unit, column.features))
    if isinstance(column, Date):
        year = PERIODS["year"]
        center, scale = 1970 + column.center / year, column.scale / year
        first = Unit(f"{column.name}, year", center, scale)
    else:
        bent = " as ±ln(1 + |v|)" if column.log else ""
        bent = " as share of rows below" if column.quantiles else bent
        first = Unit(column.name + bent, column.center, column.scale)
    return first, *map(Unit, column.features[1:])
