"""Trigonometric functions, element by element; angles are in radians."""

from __future__ import annotations

from nncli.core.arrays import Array, xp
from nncli.ops.elementwise import Curve


class Sin(Curve, name="sin"):
    """y = sin x; dL/dx = dL/dy · cos x."""

    f = xp.sin

    def slope(self, known: Array, out: Array) -> None:
        xp.cos(known, out=out)


class Cos(Curve, name="cos"):
    """y = cos x; dL/dx = −dL/dy · sin x."""

    f = xp.cos

    def slope(self, known: Array, out: Array) -> None:
        xp.sin(known, out=out)
        xp.negative(out, out=out)


class Tan(Curve, name="tan"):
    """y = tan x; dL/dx = dL/dy · (1 + y²)."""

    f = xp.tan
    saves_inputs, saves_output = False, True

    def slope(self, known: Array, out: Array) -> None:
        xp.multiply(known, known, out=out)
        xp.add(out, 1, out=out)


class Arctan(Curve, name="arctan"):
    """y = arctan x; dL/dx = dL/dy / (1 + x²)."""

    f = xp.arctan

    def slope(self, known: Array, out: Array) -> None:
        xp.multiply(known, known, out=out)
        xp.add(out, 1, out=out)
        xp.divide(1, out, out=out)
