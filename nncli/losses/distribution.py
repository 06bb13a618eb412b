"""Losses between distributions over K classes."""

from __future__ import annotations

from typing import Any

import numpy as np

from nncli.autograd.function import Function
from nncli.autograd.tensor import Tensor, apply
from nncli.backend import Array, Shape
from nncli.errors import ShapeError
from nncli.losses.base import OneOp, zeros_to_ones
from nncli.ops import losses_vector
from nncli.ops.softmax import Softmax


class Distributions(OneOp):
    """Base of losses whose targets are distributions, or classes as one-hot rows."""

    def encode(
        self,
        targets: Array,
        classes: tuple[str, ...] | None,
        output_shape: Shape,
        dtype: np.dtype[Any],
    ) -> Array:
        """Return rows whose sum is 1."""
        if output_shape[-1:] == (1,):
            raise ShapeError(
                f"{self.type_name} expects one output a class; the network gives "
                f"{output_shape}. Set units to the number of classes in the last layer."
            )
        rows = zeros_to_ones(targets, classes, output_shape, dtype, self.type_name)
        sums = rows.sum(axis=-1)
        if sums.size and np.abs(sums - 1).max() > 1e-3:
            raise ShapeError(
                f"{self.type_name} expects distributions as targets, rows with the sum "
                f"1; the dataset's sums go from {sums.min():g} to {sums.max():g}. "
                "Use a loss for numbers: mse."
            )
        return rows


class KLDivergence(Distributions, name="kl_divergence"):
    """Σ_i Σ_k t_ik·ln(t_ik / p_ik) / N, from distributions p and t (N, K).

    Like Keras's KLDivergence it takes probabilities, and like PyTorch's ``batchmean``
    it divides by rows. A logarithm of p counts at least −100. After a softmax as the
    last layer both are fused into softmax_kl_divergence.

    Args:
        reduction: mean over the rows, or their sum.
    """

    takes = "distribution"
    fusion = ("softmax", "softmax_kl_divergence")

    def function(self) -> Function:
        """Make the op."""
        return losses_vector.KLDivergence(self.reduction)


class SoftmaxKLDivergence(Distributions, name="softmax_kl_divergence"):
    """Σ_i Σ_k t_ik·ln(t_ik / softmax(z_i)_k) / N, from logits z (N, K).

    PyTorch's KLDivLoss with ``batchmean`` (or ``sum``), of log_softmax(z).

    Args:
        reduction: mean over the rows, or their sum.
    """

    takes = "logits"

    def function(self) -> Function:
        """Make the op."""
        return losses_vector.SoftmaxKLDivergence(self.reduction)

    def predictions(self, outputs: Array) -> Array:
        """Return probabilities."""
        return apply(Softmax(), Tensor(outputs)).data
