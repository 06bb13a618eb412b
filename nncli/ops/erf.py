"""erf, the error function, which NumPy does not have: the op, and its computation."""

from __future__ import annotations

import math
from collections.abc import Sequence

from nncli.autograd.buffers import Form, form, scratch, scratches
from nncli.core.arrays import Array, xp
from nncli.ops.elementwise import Unary

# Cody 1969, tables II and III (n = 4 and n = 8); highest power first.
_NEAR_TOP = (
    1.85777706184603153e-1,
    3.16112374387056560e0,
    1.13864154151050156e2,
    3.77485237685302021e2,
    3.20937758913846947e3,
)
_NEAR_BOTTOM = (
    1.0,
    2.36012909523441209e1,
    2.44024637934444173e2,
    1.28261652607737228e3,
    2.84423683343917062e3,
)
_FAR_TOP = (
    2.15311535474403846e-8,
    5.64188496988670089e-1,
    8.88314979438837594e0,
    6.61191906371416295e1,
    2.98635138197400131e2,
    8.81952221241769090e2,
    1.71204761263407058e3,
    2.05107837782607147e3,
    1.23033935479799725e3,
)
_FAR_BOTTOM = (
    1.0,
    1.57449261107098347e1,
    1.17693950891312499e2,
    5.37181101862009858e2,
    1.62138957456669019e3,
    3.29079923573345963e3,
    4.36261909014324716e3,
    3.43936767414372164e3,
    1.23033935480374942e3,
)

NEAR = 0.46875
"""Up to here, erf itself is approximated, beyond it 1 − erf."""

ONE = 6.0
"""From here on, erf is 1 to the last bit of float64."""

BLOCK = 8192
"""Elements at a time, so that the sixty passes over them stay in the cache."""


def erf_forms(values: Form) -> tuple[Form, Form]:
    """Return the forms of the workspaces of ``erf``."""
    block = max(1, min(values.size, BLOCK))
    return form((4, block), values.dtype), form((block,), bool)


def erf(x: Array, rooms: Sequence[Array], out: Array) -> None:
    """Write 2/√π · ∫₀ˣ e^(−t²) dt for a vector ``x``; ``out`` may be ``x``.

    With a = |x|, two quotients R of polynomials: erf(a) = a·R(a²) up to 0.46875 and
    erf(a) = 1 − e^(−a²)·R(a) beyond. The relative error is below 5e-16 in float64.

    Source: Cody, "Rational Chebyshev approximations for the error function", 1969.
    His third quotient, for a > 4, is not needed: 1 − erf is so small there that the
    second one still gives erf to the last bit.

    Args:
        x: (n,) where.
        rooms: Workspaces, as ``erf_forms`` says.
        out: (n,) what is written.
    """
    block = rooms[1].size
    for start in range(0, x.size, block):
        part = slice(start, start + block)
        _write(x[part], rooms, out[part])


def _write(x: Array, rooms: Sequence[Array], out: Array) -> None:
    a, near, far, bottom = rooms[0][:, : x.size]
    is_far = rooms[1][: x.size]
    xp.absolute(x, out=a)
    xp.minimum(a, ONE, out=a)

    xp.multiply(a, a, out=bottom)
    xp.negative(bottom, out=bottom)
    xp.exp(bottom, out=bottom)
    polynomial(_FAR_TOP, a, far)
    xp.multiply(far, bottom, out=far)
    polynomial(_FAR_BOTTOM, a, bottom)
    xp.divide(far, bottom, out=far)
    xp.subtract(1, far, out=far)

    # Where it is far, the near quotient is not used, but must not overflow.
    xp.greater(a, NEAR, out=is_far)
    xp.copyto(near, a)
    xp.multiply(a, a, out=a)
    xp.minimum(a, NEAR**2, out=a)
    polynomial(_NEAR_TOP, a, bottom)
    xp.multiply(near, bottom, out=near)
    polynomial(_NEAR_BOTTOM, a, bottom)
    xp.divide(near, bottom, out=near)

    xp.copyto(near, far, where=is_far)
    xp.copysign(near, x, out=out)


def polynomial(coefficients: Sequence[float], x: Array, out: Array) -> None:
    """Write Σ c_i·x^(n−i) by Horner's rule."""
    highest, *others, last = coefficients
    xp.multiply(x, highest, out=out)
    for coefficient in others:
        xp.add(out, coefficient, out=out)
        xp.multiply(out, x, out=out)
    xp.add(out, last, out=out)


class Erf(Unary, name="erf"):
    """y = 2/√π · ∫₀ˣ e^(−t²) dt; dL/dx = dL/dy · 2/√π · e^(−x²)."""

    saves_inputs = True

    def forward(self, x: Array, out: Array) -> None:
        self.x = x
        xp.copyto(out, x)
        # A view: the form of a buffer has no gaps.
        row = out.ravel(order="K")
        erf(row, scratches(*erf_forms(self.form)), row)

    def backward(self, grad: Array, dx: Array) -> None:
        slope = scratch(self.form)
        xp.multiply(self.x, self.x, out=slope)
        xp.negative(slope, out=slope)
        xp.exp(slope, out=slope)
        xp.multiply(slope, 2 / math.sqrt(math.pi), out=slope)
        xp.multiply(grad, slope, out=dx)
