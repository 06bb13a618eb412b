"""Norms of each row by itself: by groups of channels, by neighbouring channels."""

from __future__ import annotations

import math

from nncli.autograd.tensor import Tensor, apply
from nncli.core.arrays import Shape
from nncli.core.errors import ShapeError
from nncli.core.randomness import Streams
from nncli.core.signature import Positive, PositiveFloat
from nncli.initializers.constant import Ones, Zeros
from nncli.layers.base import Layer
from nncli.layers.space import check_space
from nncli.ops import group_norm


class GroupNorm(Layer, name="group_norm"):
    """y = γ·(x − μ) / √(σ² + eps) + β, (N, C, ...) → the same, by groups of channels.

    μ and the (biased) variance σ² are those of C / groups neighbouring channels of one
    row, in training and in use: no row depends on the others. γ (C,) is 1 and β (C,)
    is 0 at first. Channels are axis 1.

    Source: Wu and He 2018; PyTorch's GroupNorm.

    Args:
        groups: How many groups the channels make; 1 normalizes a whole row.
        eps: Added to the variance under the root.
        affine: Whether there are γ and β.
    """

    groups: Positive
    eps: PositiveFloat = 1e-5
    affine: bool = True

    examples = ((4,), (2, 3), (2, 3, 2), (6, 1, 2, 2))

    def build(self, input_shape: Shape, rng: Streams) -> Shape:
        """Make γ and β."""
        if not input_shape or input_shape[0] % self.groups:
            raise ShapeError(
                f"expected rows whose channels, the first axis, make {self.groups} "
                f"equal groups, got {input_shape}."
            )
        if self.affine:
            self.add_parameter("gamma", input_shape[:1], Ones(), rng)
            self.add_parameter("beta", input_shape[:1], Zeros(), rng)
        return input_shape

    def __call__(self, x: Tensor) -> Tensor:
        function = group_norm.GroupNorm(self.groups, self.eps)
        return apply(function, x, *self.parameters.values())


class InstanceNorm(Layer, name="instance_norm"):
    """y = (x − μ) / √(σ² + eps), (N, C, ...) → the same, for each channel of each row.

    As group_norm with one channel in a group; as in PyTorch without γ and β by
    default, and with no running averages.

    Source: Ulyanov et al. 2016; PyTorch's InstanceNorm1d to InstanceNorm3d.

    Args:
        eps: Added to the variance under the root.
        affine: Whether y is γ·(...) + β with γ (C,), 1 at first, and β (C,), 0.
    """

    eps: PositiveFloat = 1e-5
    affine: bool = False

    examples = ((2, 3), (2, 3, 2), (2, 1, 2, 2))

    def build(self, input_shape: Shape, rng: Streams) -> Shape:
        """Make γ and β."""
        if math.prod(check_space(input_shape)) < 2:
            raise ShapeError(
                "expected channels with at least 2 elements: one has no variance, got "
                f"{input_shape}."
            )
        if self.affine:
            self.add_parameter("gamma", input_shape[:1], Ones(), rng)
            self.add_parameter("beta", input_shape[:1], Zeros(), rng)
        return input_shape

    def __call__(self, x: Tensor) -> Tensor:
        function = group_norm.GroupNorm(x.shape[1], self.eps)
        return apply(function, x, *self.parameters.values())


class LocalResponseNorm(Layer, name="local_response_norm"):
    """y = x / (k + alpha·mean(x²))^beta, the mean over neighbouring channels.

    (N, C, L or H, W or D, H, W) → the same; the mean at channel c is that of channels
    c − ⌊size/2⌋ to c + ⌊(size − 1)/2⌋, where those that are not there count as 0.

    Source: Krizhevsky et al. 2012, section 3.3 (there a sum); PyTorch's
    LocalResponseNorm.

    Args:
        size: How many channels are neighbours.
        alpha: Factor of the mean square.
        beta: The exponent.
        k: What is added, so that nothing is divided by 0.
    """

    size: Positive = 5
    alpha: PositiveFloat = 1e-4
    beta: PositiveFloat = 0.75
    k: PositiveFloat = 1.0

    op = group_norm.LocalResponseNorm
    examples = ((3, 2), (6, 2, 2), (2, 1, 2, 2))

    def build(self, input_shape: Shape, rng: Streams) -> Shape:
        check_space(input_shape)
        return input_shape
