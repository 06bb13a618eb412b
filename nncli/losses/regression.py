"""Losses between numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from nncli.autograd.function import Function
from nncli.backend import Array, Shape, xp
from nncli.errors import ArgumentError
from nncli.losses.base import OneOp, one_hot_or_values
from nncli.ops import losses_regression, losses_vector
from nncli.ops.losses import Reduction
from nncli.signature import PositiveFloat


class Numbers(OneOp):
    """Base of losses between outputs and targets in one shape.

    Classes are compared as numbers: two classes with one output as 0 and 1, K classes
    with K outputs as one-hot rows.
    """

    def encode(
        self,
        targets: Array,
        classes: tuple[str, ...] | None,
        output_shape: Shape,
        dtype: np.dtype[Any],
    ) -> Array:
        """Return numbers in the outputs' shape."""
        return one_hot_or_values(targets, classes, output_shape, dtype, self.type_name)


class MeanSquaredError(Numbers, name="mse"):
    """Σ (x − t)² / n over all n elements. PyTorch's MSELoss.

    Classes are compared as numbers: two classes with one output as 0 and 1, K classes
    with K outputs as one-hot rows.

    Args:
        reduction: mean over all elements, or their sum.
    """

    def function(self) -> Function:
        """Make the op."""
        return losses_regression.MeanSquaredError(self.reduction)


class MeanAbsoluteError(Numbers, name="mae"):
    """Σ |x − t| / n over all n elements: the median is its best guess.

    PyTorch's L1Loss.

    Args:
        reduction: mean over all elements, or their sum.
    """

    def function(self) -> Function:
        """Make the op."""
        return losses_regression.MeanAbsoluteError(self.reduction)


class Huber(Numbers, name="huber"):
    """Σ l(x − t) / n; l(d) = d²/2 for |d| <= delta, else delta·(|d| − delta/2).

    Huber 1964, "Robust estimation of a location parameter". PyTorch's HuberLoss.

    Args:
        delta: Errors above it count in proportion instead of squared.
        reduction: mean over all elements, or their sum.
    """

    def __init__(
        self, delta: PositiveFloat = 1.0, reduction: Reduction = "mean"
    ) -> None:
        self.delta = delta
        super().__init__(reduction)

    def function(self) -> Function:
        """Make the op."""
        return losses_regression.Huber(self.delta, self.reduction)


class SmoothL1(Numbers, name="smooth_l1"):
    """Σ l(x − t) / n; l(d) = d²/(2·beta) for |d| < beta, else |d| − beta/2.

    Girshick 2015, "Fast R-CNN". PyTorch's SmoothL1Loss.

    Args:
        beta: Errors above it count as in mae, whatever beta is.
        reduction: mean over all elements, or their sum.
    """

    def __init__(
        self, beta: PositiveFloat = 1.0, reduction: Reduction = "mean"
    ) -> None:
        self.beta = beta
        super().__init__(reduction)

    def function(self) -> Function:
        """Make the op."""
        return losses_regression.SmoothL1(self.beta, self.reduction)


class LogCosh(Numbers, name="log_cosh"):
    """Σ ln cosh(x − t) / n: like mse for small errors, like mae for large ones.

    Keras's LogCosh.

    Args:
        reduction: mean over all elements, or their sum.
    """

    def function(self) -> Function:
        """Make the op."""
        return losses_regression.LogCosh(self.reduction)


class Cosine(Numbers, name="cosine"):
    """Σ_i (1 − x_i·t_i / (|x_i|·|t_i|)) / N: the angle of x and t (N, F) alone counts.

    Vectors lie along the last axis; a length counts at least 1e-8, as in PyTorch's
    CosineSimilarity. Classes are one-hot vectors.

    Args:
        reduction: mean over the vectors, or their sum.
    """

    def function(self) -> Function:
        """Make the op."""
        return losses_vector.Cosine(self.reduction)


class Poisson(Numbers, name="poisson"):
    """Σ (x − t·ln(x + 1e-8)) / n, from rates x > 0 and counts t >= 0.

    −ln of the Poisson probability of t without ln t!. The last layer must give
    positive numbers, such as softplus; log_poisson needs no such layer. PyTorch's
    PoissonNLLLoss with log_input=False, Keras's Poisson.

    Args:
        reduction: mean over all elements, or their sum.
    """

    positive = True

    def function(self) -> Function:
        """Make the op."""
        return losses_regression.Poisson(self.reduction)

    def encode(
        self,
        targets: Array,
        classes: tuple[str, ...] | None,
        output_shape: Shape,
        dtype: np.dtype[Any],
    ) -> Array:
        """Return counts in the outputs' shape."""
        return _counts(targets, classes, output_shape, dtype, self.type_name)


class LogPoisson(Numbers, name="log_poisson"):
    """Σ (e^x − t·x) / n, from the logarithms x of rates and counts t >= 0.

    −ln of the Poisson probability of t without ln t!; any x will do, and predictions
    are the rates e^x. PyTorch's PoissonNLLLoss as it is by default.

    Args:
        reduction: mean over all elements, or their sum.
    """

    def function(self) -> Function:
        """Make the op."""
        return losses_regression.LogPoisson(self.reduction)

    def encode(
        self,
        targets: Array,
        classes: tuple[str, ...] | None,
        output_shape: Shape,
        dtype: np.dtype[Any],
    ) -> Array:
        """Return counts in the outputs' shape."""
        return _counts(targets, classes, output_shape, dtype, self.type_name)

    def predictions(self, outputs: Array) -> Array:
        """Return the rates."""
        with xp.errstate(over="ignore"):
            rates: Array = xp.exp(outputs)
        return rates


def _counts(
    targets: Array,
    classes: tuple[str, ...] | None,
    output_shape: Shape,
    dtype: np.dtype[Any],
    name: str,
) -> Array:
    values = one_hot_or_values(targets, classes, output_shape, dtype, name)
    if values.size and values.min() < 0:
        raise ArgumentError(
            f"{name} expects counts, 0 or more; the dataset's targets go from "
            f"{values.min():g} on. Use a loss for any numbers: mse."
        )
    return values
