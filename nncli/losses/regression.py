"""Losses between numbers.

Classes are compared as numbers: two classes with one output as 0 and 1, K classes
with K outputs as one-hot rows.
"""

from __future__ import annotations

from nncli.autograd.tensor import Tensor
from nncli.core.arrays import Array
from nncli.core.errors import ArgumentError
from nncli.core.signature import PositiveFloat
from nncli.losses.base import Loss, Targets
from nncli.ops import losses_regression, losses_vector


class MeanSquaredError(Loss, name="mse"):
    """Σ (x − t)² / n over all n elements. PyTorch's MSELoss.

    Classes are compared as numbers: two classes with one output as 0 and 1, K classes
    with K outputs as one-hot rows.
    """

    op = losses_regression.MeanSquaredError
    distance = True


class MeanAbsoluteError(Loss, name="mae"):
    """Σ |x − t| / n over all n elements: the median is its best guess.

    PyTorch's L1Loss.
    """

    op = losses_regression.MeanAbsoluteError
    distance = True


class Huber(Loss, name="huber"):
    """Σ l(x − t) / n; l(d) = d²/2 for |d| <= delta, else delta·(|d| − delta/2).

    Huber 1964, "Robust estimation of a location parameter". PyTorch's HuberLoss.

    Args:
        delta: Errors above it count in proportion instead of squared.
    """

    delta: PositiveFloat = 1.0

    op = losses_regression.Huber
    distance = True


class SmoothL1(Loss, name="smooth_l1"):
    """Σ l(x − t) / n; l(d) = d²/(2·beta) for |d| < beta, else |d| − beta/2.

    Girshick 2015, "Fast R-CNN". PyTorch's SmoothL1Loss.

    Args:
        beta: Errors above it count as in mae, whatever beta is.
    """

    beta: PositiveFloat = 1.0

    op = losses_regression.SmoothL1
    distance = True


class LogCosh(Loss, name="log_cosh"):
    """Σ ln cosh(x − t) / n: like mse for small errors, like mae for large ones.

    Keras's LogCosh.
    """

    op = losses_regression.LogCosh
    distance = True


class Cosine(Loss, name="cosine"):
    """Σ_i (1 − x_i·t_i / (|x_i|·|t_i|)) / N: the angle of x and t (N, F) alone counts.

    Vectors lie along the last axis; a length counts at least 1e-8, as in PyTorch's
    CosineSimilarity. Classes are one-hot vectors.
    """

    op = losses_vector.Cosine


class Counts(Loss):
    """Base of losses whose targets are counts, 0 or more."""

    def encode(self, targets: Targets) -> Array:
        """Return counts in the outputs' shape."""
        values = super().encode(targets)
        if values.size and values.min() < 0:
            raise ArgumentError(
                f"{self.type_name} expects counts, 0 or more; the dataset's targets "
                f"go from {values.min():g} on. Use a loss for any numbers: mse."
            )
        return values


class Poisson(Counts, name="poisson"):
    """Σ (x − t·ln(x + 1e-8)) / n, from rates x > 0 and counts t >= 0.

    −ln of the Poisson probability of t without ln t!. The last layer must give
    positive numbers, such as softplus; log_poisson needs no such layer. PyTorch's
    PoissonNLLLoss with log_input=False, Keras's Poisson.
    """

    op = losses_regression.Poisson
    positive = True


class LogPoisson(Counts, name="log_poisson"):
    """Σ (e^x − t·x) / n, from the logarithms x of rates and counts t >= 0.

    −ln of the Poisson probability of t without ln t!; any x will do, and predictions
    are the rates e^x. PyTorch's PoissonNLLLoss as it is by default.
    """

    op = losses_regression.LogPoisson

    def predictions(self, outputs: Tensor) -> Tensor:
        """Return the rates."""
        return outputs.exp()
