"""Random changes of training batches."""

from __future__ import annotations

import numpy as np

from nncli.autograd.buffers import form, scratch
from nncli.core.arrays import Array
from nncli.core.signature import NonNegative
from nncli.data.base import Augmentation


class GaussianNoise(Augmentation, name="gaussian_noise"):
    """x + std · N(0, 1), drawn for each element of a training batch.

    Source: Bishop 1995, "Training with noise is equivalent to Tikhonov regularization".

    Args:
        std: Standard deviation of the noise, in units of the transformed inputs.
    """

    std: NonNegative = 0.1

    def apply(self, x: Array, rng: np.random.Generator) -> None:
        """Add the noise; drawn in the type of the inputs."""
        noise = scratch(form(x.shape, x.dtype))
        rng.standard_normal(dtype=x.dtype.type, out=noise)
        noise *= self.std
        x += noise
