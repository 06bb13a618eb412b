"""Losses between distributions over K classes."""

from __future__ import annotations

import numpy as np

from nncli.autograd.tensor import Tensor, apply
from nncli.core.arrays import Array
from nncli.core.errors import ShapeError
from nncli.losses.base import Targets, zeros_to_ones
from nncli.losses.by_class import ByClass
from nncli.ops import losses_vector
from nncli.ops.softmax import Softmax


class Distributions(ByClass, kw_only=True):
    """Base of losses whose targets are distributions, or classes as one-hot rows."""

    def encode(self, targets: Targets) -> Array:
        """Return rows whose sum is 1."""
        if targets.output_shape[-1:] == (1,):
            raise ShapeError(
                f"{self.type_name} expects one output a class; the network gives "
                f"{targets.output_shape}. Set units to the number of classes in the "
                "last layer."
            )
        rows = zeros_to_ones(targets, self.type_name)
        sums = rows.sum(axis=-1)
        if sums.size and np.abs(sums - 1).max() > 1e-3:
            raise ShapeError(
                f"{self.type_name} expects distributions as targets, rows with the sum "
                f"1; the dataset's sums go from {sums.min():g} to {sums.max():g}. "
                "Use a loss for numbers: mse."
            )
        self.check_rows(rows)
        return rows


class KLDivergence(Distributions, name="kl_divergence"):
    """Σ_i Σ_k t_ik·ln(t_ik / p_ik) / N, from distributions p and t (N, K).

    Like Keras's KLDivergence it takes probabilities, and like PyTorch's ``batchmean``
    it divides by rows. A logarithm of p counts at least −100. After a softmax as the
    last layer both are fused into softmax_kl_divergence.
    """

    op = losses_vector.KLDivergence
    takes = "distribution"
    fusion = ("softmax", "softmax_kl_divergence")


class SoftmaxKLDivergence(Distributions, name="softmax_kl_divergence"):
    """Σ_i Σ_k t_ik·ln(t_ik / softmax(z_i)_k) / N, from logits z (N, K).

    PyTorch's KLDivLoss with ``batchmean`` (or ``sum``), of log_softmax(z).
    """

    op = losses_vector.SoftmaxKLDivergence
    takes = "logits"

    def predictions(self, outputs: Tensor) -> Tensor:
        """Return probabilities."""
        return apply(Softmax(), outputs)
