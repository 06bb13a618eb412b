"""Methods of a tensor that compute something of each element."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nncli.autograd.shaping import Shaping
from nncli.core.errors import NncliError

if TYPE_CHECKING:
    from nncli.autograd.tensor import Tensor


class Methods(Shaping):
    """What becomes of each of a tensor's elements."""

    __slots__ = ()

    # Functions of each element: powers and logarithms.

    def abs(self) -> Tensor:
        """Return |x|; the derivative at 0 is 0."""
        return self.operate("abs", self)

    def square(self) -> Tensor:
        """Return x²."""
        return self**2

    def sqrt(self) -> Tensor:
        """Return √x."""
        return self.operate("sqrt", self)

    def rsqrt(self) -> Tensor:
        """Return 1 / √x."""
        return self.sqrt().reciprocal()

    def reciprocal(self) -> Tensor:
        """Return 1 / x."""
        return self.operate("reciprocal", self)

    def exp(self) -> Tensor:
        """Return e^x."""
        return self.operate("exp", self)

    def expm1(self) -> Tensor:
        """Return e^x − 1, exact near x = 0."""
        return self.operate("expm1", self)

    def log(self) -> Tensor:
        """Return the natural logarithm."""
        return self.operate("log", self)

    def log1p(self) -> Tensor:
        """Return ln(1 + x), exact near x = 0."""
        return self.operate("log1p", self)

    def log2(self) -> Tensor:
        """Return the logarithm to base 2."""
        return self.operate("log2", self)

    def log10(self) -> Tensor:
        """Return the logarithm to base 10."""
        return self.operate("log10", self)

    # Curves.

    def sin(self) -> Tensor:
        """Return the sine."""
        return self.operate("sin", self)

    def cos(self) -> Tensor:
        """Return the cosine."""
        return self.operate("cos", self)

    def tan(self) -> Tensor:
        """Return the tangent."""
        return self.operate("tan", self)

    def arctan(self) -> Tensor:
        """Return the angle from −π/2 to π/2 whose tangent is x."""
        return self.operate("arctan", self)

    def erf(self) -> Tensor:
        """Return 2/√π · ∫₀ˣ e^(−t²) dt."""
        return self.operate("erf", self)

    def relu(self) -> Tensor:
        """Return max(x, 0)."""
        return self.operate("relu", self)

    def sigmoid(self) -> Tensor:
        """Return 1 / (1 + e^−x)."""
        return self.operate("sigmoid", self)

    def tanh(self) -> Tensor:
        """Return the hyperbolic tangent."""
        return self.operate("tanh", self)

    # Bounds and whole numbers; the derivative of steps is 0.

    def clip(self, min: float | None = None, max: float | None = None) -> Tensor:  # noqa: A002
        """Cut off below ``min`` and above ``max``; the derivative at them is 1."""
        bounds = [bound for bound in (min, max) if bound is not None]
        if not bounds or not all(
            isinstance(b, int | float | np.number) for b in bounds
        ):
            raise NncliError(
                f"clip: expected one number or two as bounds, got {min} and {max}. "
                "For arrays, use maximum(...) and minimum(...)."
            )
        base = self._holding(min, max)
        return base.operate("clip", base, low=min, high=max)

    def sign(self) -> Tensor:
        """Return −1, 0 or 1."""
        return self.operate("sign", self)

    def floor(self) -> Tensor:
        """Return the largest whole number that is not above x."""
        return self.operate("floor", self)

    def ceil(self) -> Tensor:
        """Return the smallest whole number that is not below x."""
        return self.operate("ceil", self)

    def round(self, decimals: int = 0) -> Tensor:
        """Return the nearest number of so many decimals, the even one of two."""
        return self.operate("round", self, decimals=decimals)

    # What kind of number an element is: booleans, without a derivative.

    def isnan(self) -> Tensor:
        """Return whether x is no number."""
        return self.operate("isnan", self)

    def isinf(self) -> Tensor:
        """Return whether x is ∞ or −∞."""
        return self.operate("isinf", self)

    def isfinite(self) -> Tensor:
        """Return whether x is a number, and neither ∞ nor −∞."""
        return self.operate("isfinite", self)

    def logical_not(self) -> Tensor:
        """Return whether x is 0."""
        return self.operate("logical_not", self)
