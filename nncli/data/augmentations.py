"""Random changes of training batches, number by number."""

from __future__ import annotations

import numpy as np

from nncli.autograd.buffers import form, scratch
from nncli.core.arrays import Array
from nncli.core.signature import NonNegative, PositiveFloat
from nncli.data.base import Augmentation, Field


class GaussianNoise(Augmentation, name="gaussian_noise"):
    """x + std · N(0, 1), drawn for each element of a training batch.

    Source: Bishop 1995, "Training with noise is equivalent to Tikhonov regularization".

    Args:
        std: Standard deviation of the noise, in units of the transformed inputs.
    """

    std: NonNegative = 0.1

    def apply(self, x: Array, targets: Array, rng: np.random.Generator) -> None:
        """Add the noise; drawn in the type of the inputs."""
        noise = scratch(form(x.shape, x.dtype))
        rng.standard_normal(dtype=x.dtype.type, out=noise)
        noise *= self.std
        x += noise


class Mixup(Augmentation, name="mixup"):
    """λ·x + (1 − λ)·x', and the same of the targets, with another row x' of the batch.

    λ ~ Beta(alpha, alpha) is drawn for a batch, the rows x' are the batch in another
    order. Mixed targets are no classes any more: the loss has to compare with
    distributions or numbers. ``softmax_kl_divergence`` has the gradient of
    ``softmax_cross_entropy``. A row's weight stays its own.

    Source: Zhang et al. 2018, "mixup: Beyond Empirical Risk Minimization".

    Args:
        alpha: How much is mixed: small values leave λ near 0 or 1, at 1 all are alike.
    """

    alpha: PositiveFloat = 0.2

    def apply(self, x: Array, targets: Array, rng: np.random.Generator) -> None:
        """Mix inputs and targets in the same way."""
        share, order = rng.beta(self.alpha, self.alpha), rng.permutation(len(x))
        for array in (x, targets):
            others = scratch(form(array.shape, array.dtype))
            np.take(array, order, axis=0, out=others, mode="clip")
            others *= 1 - share
            array *= share
            array += others

    def refuses(self, x: Field, targets: Field) -> str | None:
        """Refuse what cannot be mixed: indices of classes, and tokens."""
        if x.dtype.kind != "f":
            return f"expected inputs that are numbers, got {x.dtype} values."
        if targets.dtype.kind != "f":
            return (
                "mixes targets: expected a loss that compares with distributions or "
                "numbers, got one of class indices. Set loss: softmax_kl_divergence."
            )
        return None
