"""Methods of a tensor that compute: functions of each element, reductions, order.

Where NumPy and PyTorch differ, they do as PyTorch, and say so. The argument for the
axis is called ``axis``, the one that keeps reduced axes with length 1 ``keepdims``.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from nncli.autograd.shaping import Axes, Shaping
from nncli.core.arrays import axes_of
from nncli.core.errors import NncliError

if TYPE_CHECKING:
    from nncli.autograd.tensor import Tensor


class Methods(Shaping):
    """What a tensor's elements are computed to."""

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

    # Reductions: along ``axis``, an integer or several; all axes by default.

    def sum(self, axis: Axes = None, keepdims: bool = False) -> Tensor:
        """Add up; integers and booleans in int64."""
        return self.operate("sum", self, axis=axis, keepdims=keepdims)

    def mean(self, axis: Axes = None, keepdims: bool = False) -> Tensor:
        """Average; of integers in float32, of nothing NaN."""
        return self.operate("mean", self, axis=axis, keepdims=keepdims)

    def prod(self, axis: Axes = None, keepdims: bool = False) -> Tensor:
        """Multiply; integers and booleans in int64."""
        return self.operate("prod", self, axis=axis, keepdims=keepdims)

    def var(
        self, axis: Axes = None, keepdims: bool = False, *, correction: float = 1
    ) -> Tensor:
        """Return Σ (x − mean)² / (n − correction).

        The correction of 1 is PyTorch's default; NumPy's is 0, and called ddof.
        """
        chosen = {"axis": axis, "keepdims": keepdims, "correction": correction}
        return self.operate("var", self, **chosen)

    def std(
        self, axis: Axes = None, keepdims: bool = False, *, correction: float = 1
    ) -> Tensor:
        """Return the root of ``var``; where it is 0, the derivative is 0."""
        chosen = {"axis": axis, "keepdims": keepdims, "correction": correction}
        return self.operate("std", self, **chosen)

    def norm(
        self, order: float = 2, axis: Axes = None, keepdims: bool = False
    ) -> Tensor:
        """Return a length: √Σ x², Σ |x| for order 1, max |x| for order infinity.

        Of all elements, or of the vectors along ``axis``; the derivative of √Σ x² at 0
        is 0.
        """
        if order == 1:
            return self.abs().sum(axis, keepdims)
        if order == math.inf:
            return self.abs().amax(axis, keepdims)
        if order != 2:
            raise NncliError(f"norm: expected order 1, 2 or infinity, got {order}.")
        return self.operate("norm", self, axis=axis, keepdims=keepdims)

    def any(self, axis: Axes = None, keepdims: bool = False) -> Tensor:
        """Return whether some element is not 0."""
        return self.operate("any", self, axis=axis, keepdims=keepdims)

    def all(self, axis: Axes = None, keepdims: bool = False) -> Tensor:
        """Return whether no element is 0."""
        return self.operate("all", self, axis=axis, keepdims=keepdims)

    # Extremes; NaN where an element is.

    def amax(self, axis: Axes = None, keepdims: bool = False) -> Tensor:
        """Return the largest element; all that are share the gradient evenly."""
        return self.operate("amax", self, axis=axis, keepdims=keepdims)

    def amin(self, axis: Axes = None, keepdims: bool = False) -> Tensor:
        """Return the smallest element; all that are share the gradient evenly."""
        return self.operate("amin", self, axis=axis, keepdims=keepdims)

    def max(self, axis: Axes = None, keepdims: bool = False) -> Tensor:
        """Return the largest element.

        Along one axis, the first of several gets the gradient, as in PyTorch (which
        returns places as well: here ``argmax`` does); else they share it evenly.
        """
        if axis is None or isinstance(axis, tuple):
            return self.amax(axis, keepdims)
        found = self.gather(axis, self.argmax(axis, keepdims=True))
        return found if keepdims else found.squeeze(axis)

    def min(self, axis: Axes = None, keepdims: bool = False) -> Tensor:
        """Return the smallest element; gradients as those of ``max``."""
        if axis is None or isinstance(axis, tuple):
            return self.amin(axis, keepdims)
        found = self.gather(axis, self.argmin(axis, keepdims=True))
        return found if keepdims else found.squeeze(axis)

    def argmax(self, axis: int | None = None, keepdims: bool = False) -> Tensor:
        """Return the first place of the largest element along an axis, or of all."""
        return self.operate("argmax", self, axis=axis, keepdims=keepdims)

    def argmin(self, axis: int | None = None, keepdims: bool = False) -> Tensor:
        """Return the first place of the smallest element along an axis, or of all."""
        return self.operate("argmin", self, axis=axis, keepdims=keepdims)

    # Order.

    def cumsum(self, axis: int | None = None) -> Tensor:
        """Return running sums along an axis, or of all elements in row-major order."""
        if axis is None:
            return self.flatten().cumsum(0)
        return self.operate("cumsum", self, axis=axis)

    def argsort(self, axis: int = -1, descending: bool = False) -> Tensor:
        """Return the places of the elements from the smallest to the largest.

        Equal ones keep their order; NaN counts as the largest.
        """
        return self.operate("argsort", self, axis=axis, descending=descending)

    def sort(self, axis: int = -1, descending: bool = False) -> Tensor:
        """Return the elements in order; ``argsort`` has their places.

        (PyTorch's sort returns both.)
        """
        return self.gather(axis, self.argsort(axis, descending))

    def topk(
        self, count: int, axis: int = -1, largest: bool = True
    ) -> tuple[Tensor, Tensor]:
        """Return the largest elements (or the smallest) in order, and their places."""
        places = self.argsort(axis, descending=largest)
        place = axes_of(axis, self.ndim, "topk")[0]
        if not 0 <= count <= self.shape[place]:
            raise NncliError(
                f"topk: expected a count from 0 to {self.shape[place]}, got {count}."
            )
        chosen = places[(slice(None),) * place + (slice(0, count),)]
        return self.gather(axis, chosen), chosen

    # Scores and probabilities.

    def softmax(self, axis: int = -1) -> Tensor:
        """Return e^x / Σ e^x along an axis."""
        return self._along("softmax", axis)

    def log_softmax(self, axis: int = -1) -> Tensor:
        """Return x − ln Σ e^x along an axis."""
        return self._along("log_softmax", axis)

    def logsumexp(self, axis: Axes = None, keepdims: bool = False) -> Tensor:
        """Return ln Σ e^x along axes: a smooth maximum."""
        axes = axes_of(axis, self.ndim, "logsumexp")
        others = tuple(i for i in range(self.ndim) if i not in axes)
        sizes = tuple(self.shape[i] for i in others)
        last = math.prod(self.shape[i] for i in axes)
        rows = self.transpose((*others, *axes)).reshape((*sizes, last))
        found = self.operate("logsumexp", rows)
        kept = tuple(1 if i in axes else n for i, n in enumerate(self.shape))
        return found.reshape(kept) if keepdims else found

    def _along(self, name: str, axis: int) -> Tensor:
        """Apply an op of the last axis along another one."""
        if not self.ndim and axis in (0, -1):
            return self.operate(name, self.reshape(1)).reshape(())
        return self.operate(name, self.moveaxis(axis, -1)).moveaxis(-1, axis)
