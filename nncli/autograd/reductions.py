"""Methods of a tensor that compute along axes: sums, extremes, order, softmax.

Where NumPy and PyTorch differ, they do as PyTorch, and say so. The argument for the
axis is called ``axis``, the one that keeps reduced axes with length 1 ``keepdims``.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from nncli.autograd.methods import Methods
from nncli.autograd.shaping import Axes
from nncli.core.arrays import axes_of
from nncli.core.errors import NncliError

if TYPE_CHECKING:
    from nncli.autograd.tensor import Tensor


class Reductions(Methods):
    """What becomes of a tensor along some of its axes."""

    __slots__ = ()

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
