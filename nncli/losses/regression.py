"""Losses between numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from nncli.autograd.tensor import Tensor, apply
from nncli.backend import Array, Shape
from nncli.losses.base import Loss, given, one_hot_or_values
from nncli.ops import losses


class MeanSquaredError(Loss, name="mse"):
    """Σ (x − t)² / n over all n elements.

    Classes are compared as numbers: two classes with one output as 0 and 1, K classes
    with K outputs as one-hot rows.
    """

    def __call__(
        self, outputs: Tensor, targets: Tensor, weights: Tensor | None = None
    ) -> Tensor:
        """Return the mean of the squared differences."""
        return apply(losses.MeanSquaredError(), outputs, targets, *given(weights))

    def encode(
        self,
        targets: Array,
        classes: tuple[str, ...] | None,
        output_shape: Shape,
        dtype: np.dtype[Any],
    ) -> Array:
        """Return numbers in the outputs' shape."""
        return one_hot_or_values(targets, classes, output_shape, dtype, "mse")
