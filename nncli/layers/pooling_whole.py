"""Pooling to a size that is given, whatever the input's: adaptive and global."""

from __future__ import annotations

from typing import ClassVar

from nncli.autograd.tensor import Tensor, apply
from nncli.core.arrays import Shape
from nncli.core.randomness import Streams
from nncli.layers.base import Layer
from nncli.layers.space import Sizes, check_space, per_axis
from nncli.ops.average_pool import AveragePool
from nncli.ops.max_pool import MaxPool
from nncli.ops.windows import Adaptive


class AdaptivePool(Layer):
    """Base of pooling over windows that share out each axis.

    Window j of n reaches from ⌊j·L/n⌋ to ⌈(j + 1)·L/n⌉ of L elements.

    Args:
        size: How many windows there are along each axis: one number, or a list.
    """

    size: Sizes

    rank: ClassVar[int]
    pools: ClassVar[type[MaxPool] | type[AveragePool]]
    output = None

    def __post_init__(self) -> None:
        self.placing  # noqa: B018 - raises where there are too many sizes.

    @property
    def placing(self) -> Adaptive:
        """Where the windows lie."""
        return Adaptive(per_axis(self.size, self.rank, "size"))

    def build(self, input_shape: Shape, rng: Streams) -> Shape:
        check_space(input_shape, self.rank)
        return (input_shape[0], *self.placing.counts)

    def __call__(self, x: Tensor) -> Tensor:
        return apply(self.pools(self.placing), x)


class AdaptiveMaxPool1d(AdaptivePool, name="adaptive_max_pool1d"):
    """The largest of each window, (N, C, L) → (N, C, size). As PyTorch's."""

    rank = 1
    pools = MaxPool
    picks_maximum = True
    examples = ((2, 7), (1, 4))


class AdaptiveMaxPool2d(AdaptivePool, name="adaptive_max_pool2d"):
    """The largest of each window, (N, C, H, W) → (N, C, *size). As PyTorch's."""

    rank = 2
    pools = MaxPool
    picks_maximum = True
    examples = ((2, 5, 6), (1, 4, 4))


class AdaptiveMaxPool3d(AdaptivePool, name="adaptive_max_pool3d"):
    """The largest of each window, (N, C, D, H, W) → (N, C, *size). As PyTorch's."""

    rank = 3
    pools = MaxPool
    picks_maximum = True
    examples = ((2, 3, 4, 3),)


class AdaptiveAveragePool1d(AdaptivePool, name="adaptive_average_pool1d"):
    """The mean of each window, (N, C, L) → (N, C, size): AdaptiveAvgPool1d."""

    rank = 1
    pools = AveragePool
    examples = ((2, 7), (1, 4))


class AdaptiveAveragePool2d(AdaptivePool, name="adaptive_average_pool2d"):
    """The mean of each window, (N, C, H, W) → (N, C, *size): AdaptiveAvgPool2d."""

    rank = 2
    pools = AveragePool
    examples = ((2, 5, 6), (1, 4, 4))


class AdaptiveAveragePool3d(AdaptivePool, name="adaptive_average_pool3d"):
    """The mean of each window, (N, C, D, H, W) → (N, C, *size): AdaptiveAvgPool3d."""

    rank = 3
    pools = AveragePool
    examples = ((2, 3, 4, 3),)


class GlobalPool(Layer):
    """Base of pooling over all of space: one number a channel."""

    pools: ClassVar[type[MaxPool] | type[AveragePool]]
    output = None
    examples = ((3, 4), (2, 3, 3), (2, 2, 1, 3))

    def build(self, input_shape: Shape, rng: Streams) -> Shape:
        check_space(input_shape)
        return input_shape[:1]

    def __call__(self, x: Tensor) -> Tensor:
        pooled = apply(self.pools(Adaptive((1,) * (x.ndim - 2))), x)
        return pooled.reshape(x.shape[:2])


class GlobalMaxPool(GlobalPool, name="global_max_pool"):
    """The largest element of each channel, (N, C, L or H, W or D, H, W) → (N, C).

    Of equal maxima the first has the gradient. Keras' GlobalMaxPooling1D to 3D.
    """

    pools = MaxPool
    picks_maximum = True


class GlobalAveragePool(GlobalPool, name="global_average_pool"):
    """The mean of each channel, (N, C, L or H, W or D, H, W) → (N, C).

    Source: Lin et al. 2013 ("Network in network"); Keras' GlobalAveragePooling1D to 3D.
    """

    pools = AveragePool
