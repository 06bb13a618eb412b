"""Normalization: layers that fix the mean and the spread of what passes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nncli.autograd.function import Function
from nncli.autograd.tensor import Tensor, apply
from nncli.core.arrays import Shape, xp
from nncli.core.errors import ShapeError
from nncli.core.randomness import Streams
from nncli.core.signature import PositiveFloat, UnitInterval
from nncli.initializers.constant import Ones, Zeros
from nncli.layers.base import Layer
from nncli.ops import channel_norm, norm


class BatchNorm(Layer, name="batch_norm"):
    """y = γ·(x − μ) / √(σ² + eps) + β, (N, C, ...) → the same, for each feature.

    Features are axis 1, as in PyTorch: the numbers of a vector (N, F), the channels of
    images (N, C, H, W), volumes (N, C, D, H, W) and of (N, C, L). In training μ and σ²
    are the mean and the (biased) variance over all else in the batch; in use they are
    running averages r ← (1 − momentum)·r + momentum·batch, where, as in PyTorch, the
    variance enters unbiased. γ is 1 and β is 0 at first; running mean 0, variance 1.
    With ``trainable: false`` γ and β stay, the statistics are those of training.

    Source: Ioffe and Szegedy 2015.

    Args:
        momentum: Weight of the newest batch in the running averages.
        eps: Added to the variance under the root.
    """

    momentum: UnitInterval = 0.1
    eps: PositiveFloat = 1e-5

    min_rows = 2

    def build(self, input_shape: Shape, rng: Streams) -> Shape:
        """Make γ, β and the running averages."""
        if not input_shape:
            raise ShapeError("expected inputs with an axis of features.")
        features, space = input_shape[:1], math.prod(input_shape[1:])
        # Of one row, the pixels of a channel still have a variance.
        self.min_rows = 2 if space == 1 else 1
        self.add_parameter("gamma", features, Ones(), rng)
        self.add_parameter("beta", features, Zeros(), rng)
        self.running_mean = self.add_state("running_mean", xp.zeros(features))
        self.running_var = self.add_state("running_var", xp.ones(features))
        return input_shape

    def __call__(self, x: Tensor) -> Tensor:
        """Normalize with the batch in training, with the averages otherwise."""
        gamma, beta = self.parameters["gamma"], self.parameters["beta"]
        mean, var = self.running_mean, self.running_var
        function: Function
        if not self.training:
            function = channel_norm.BatchNormInUse(mean, var, self.eps)
        elif x.ndim == 2:
            function = norm.BatchNorm(mean, var, self.momentum, self.eps)
        else:
            function = channel_norm.ChannelBatchNorm(mean, var, self.momentum, self.eps)
        return apply(function, x, gamma, beta)


class LayerNorm(Layer, name="layer_norm"):
    """y = γ·(x − μ) / √(σ² + eps) + β along the last axis, (N, ..., F) → the same.

    μ and σ² are the mean and the biased variance of each row's F features, as in
    PyTorch: one row does not depend on the others, and training is as use. γ is 1 and
    β is 0 at first. Source: Ba et al. 2016.

    Args:
        eps: Added to the variance under the root.
    """

    eps: PositiveFloat = 1e-5

    op = norm.LayerNorm

    def build(self, input_shape: Shape, rng: Streams) -> Shape:
        shape = _features(input_shape)
        self.add_parameter("gamma", shape, Ones(), rng)
        self.add_parameter("beta", shape, Zeros(), rng)
        return input_shape

    def advance(self, x: Tensor, state: Any) -> tuple[Tensor, Any]:
        """Normalize few rows; the state is the share 1/F of each feature in a mean."""
        if x.ndim < 3:
            return super().advance(x, state)
        share = (
            xp.full(x.shape[-1], 1 / x.shape[-1], x.dtype) if state is None else state
        )
        normal = x.data - (x.data @ share)[..., None]
        spread = xp.sqrt((normal * normal) @ share + self.eps)
        normal /= spread[..., None]
        normal *= self.parameters["gamma"].data
        normal += self.parameters["beta"].data
        return Tensor(normal), share


class RmsNorm(Layer, name="rms_norm"):
    """y = γ·x / √(mean(x²) + eps) along the last axis, (N, ..., F) → the same.

    Layer norm without its mean and its β. γ is 1 at first. Source: Zhang and Sennrich
    2019; PyTorch's RMSNorm.

    Args:
        eps: Added to the mean square under the root; null is the smallest number that
            still makes a difference to 1 (1.2e-7 in float32), as in PyTorch.
    """

    eps: PositiveFloat | None = None

    def build(self, input_shape: Shape, rng: Streams) -> Shape:
        self.add_parameter("gamma", _features(input_shape), Ones(), rng)
        return input_shape

    def settled(self) -> dict[str, Any]:
        """Return the eps that null stands for: in float64 it is to stay the same."""
        return {"eps": self._eps}

    def __call__(self, x: Tensor) -> Tensor:
        return apply(norm.RmsNorm(self._eps), x, self.parameters["gamma"])

    @property
    def _eps(self) -> float:
        return float(np.finfo(self.dtype).eps) if self.eps is None else self.eps


def _features(input_shape: Shape) -> Shape:
    """Return the shape of one number a feature."""
    if not input_shape:
        raise ShapeError("expected inputs with at least one axis of features.")
    return input_shape[-1:]
