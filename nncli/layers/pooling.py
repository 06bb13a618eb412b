"""Pooling over sliding windows: fewer elements along the axes of space."""

from __future__ import annotations

from abc import abstractmethod
from typing import Annotated, ClassVar

from annotated_types import Ge

from nncli.autograd.tensor import Tensor, apply
from nncli.core.arrays import Shape
from nncli.core.errors import ArgumentError
from nncli.core.randomness import Streams
from nncli.layers.base import Layer, OutputKind
from nncli.layers.space import Margins, Sizes, check_space, per_axis
from nncli.ops import average_pool, max_pool
from nncli.ops.windows import Sliding


class Pool(Layer):
    """Base of pooling over sliding windows, channel by channel.

    Every size is one number, or a list with one for each axis of space.

    Args:
        kernel: How many elements a window has along each axis.
        stride: From one window to the next; by default windows lie side by side.
    """

    kernel: Sizes = 2
    stride: Sizes | None = None

    rank: ClassVar[int]
    output: ClassVar[OutputKind | None] = None

    def __post_init__(self) -> None:
        kernel, padding = self.sizes("kernel"), self.sizes("padding")
        dilation = self.sizes("dilation") or (1,) * self.rank
        self.sizes("stride")
        for k, p, d in zip(kernel, padding, dilation, strict=False):
            if p > (d * (k - 1) + 1) // 2:
                raise ArgumentError(
                    f"padding: expected at most half a window of {d * (k - 1) + 1}, "
                    f"got {p}."
                )

    def sizes(self, name: str) -> Shape:
        """Return an argument for each axis; nothing where it is not given."""
        value = self.arguments.get(name)
        return () if value is None else per_axis(value, self.rank, name)

    @property
    def placing(self) -> Sliding:
        """Where the windows lie."""
        return Sliding(
            self.sizes("kernel"),
            self.sizes("stride") or None,
            self.sizes("padding"),
            self.sizes("dilation"),
            self.arguments["ceil_mode"],
        )

    def build(self, input_shape: Shape, rng: Streams) -> Shape:
        windows = self.placing.over(check_space(input_shape, self.rank))
        return (input_shape[0], *(each.count for each in windows))

    @abstractmethod
    def __call__(self, x: Tensor) -> Tensor:
        """Return the output for a batch."""


class MaxPool(Pool):
    """Base of max pooling.

    Args:
        padding: How far windows reach beyond either end; nothing there is a maximum.
        dilation: From one element of a window to the next.
        ceil_mode: Let the last window reach beyond the end, if it begins before it.
    """

    padding: Margins = 0
    dilation: Sizes = 1
    ceil_mode: bool = False

    picks_maximum = True

    def __call__(self, x: Tensor) -> Tensor:
        return apply(max_pool.MaxPool(self.placing), x)


class MaxPool1d(MaxPool, name="max_pool1d"):
    """The largest element of each window, (N, C, L) → (N, C, L').

    L' = ⌊(L + 2·padding − dilation·(kernel − 1) − 1) / stride⌋ + 1. Of equal maxima
    the first has the gradient, as in PyTorch's MaxPool1d.
    """

    rank = 1
    examples = ((2, 7), (1, 4))


class MaxPool2d(MaxPool, name="max_pool2d"):
    """The largest element of each window, (N, C, H, W) → (N, C, H', W').

    H' = ⌊(H + 2·padding − dilation·(kernel − 1) − 1) / stride⌋ + 1, W' likewise. Of
    equal maxima the first has the gradient, row by row, as in PyTorch's MaxPool2d.
    A relu in front of it is computed behind it: the same, for less.
    """

    rank = 2
    examples = ((2, 5, 6), (1, 4, 4))


class MaxPool3d(MaxPool, name="max_pool3d"):
    """The largest element of each window, (N, C, D, H, W) → (N, C, D', H', W').

    D' = ⌊(D + 2·padding − dilation·(kernel − 1) − 1) / stride⌋ + 1, H' and W' likewise.
    Of equal maxima the first has the gradient, as in PyTorch's MaxPool3d.
    """

    rank = 3
    examples = ((2, 3, 4, 3),)


class AveragePool(Pool):
    """Base of average pooling.

    Args:
        padding: How many zeros the input has at either end.
        ceil_mode: Let the last window reach beyond the end, if it begins before it.
        count_padding: Whether zeros of the padding count in the mean.
    """

    padding: Margins = 0
    ceil_mode: bool = False
    count_padding: bool = True

    def __call__(self, x: Tensor) -> Tensor:
        return apply(average_pool.AveragePool(self.placing, self.count_padding), x)


class AveragePool1d(AveragePool, name="average_pool1d"):
    """The mean of each window, (N, C, L) → (N, C, L').

    L' = ⌊(L + 2·padding − kernel) / stride⌋ + 1. PyTorch's AvgPool1d.
    """

    rank = 1
    examples = ((2, 7), (1, 4))


class AveragePool2d(AveragePool, name="average_pool2d"):
    """The mean of each window, (N, C, H, W) → (N, C, H', W').

    H' = ⌊(H + 2·padding − kernel) / stride⌋ + 1, W' likewise. PyTorch's AvgPool2d.
    """

    rank = 2
    examples = ((2, 5, 6), (1, 4, 4))


class AveragePool3d(AveragePool, name="average_pool3d"):
    """The mean of each window, (N, C, D, H, W) → (N, C, D', H', W').

    D' = ⌊(D + 2·padding − kernel) / stride⌋ + 1, H' and W' likewise. PyTorch's
    AvgPool3d.
    """

    rank = 3
    examples = ((2, 3, 4, 3),)


class LpPool(Pool):
    """Base of pooling by a norm.

    Args:
        norm: The exponent p; 1 is the sum of absolute values, ∞ would be their
            maximum.
        ceil_mode: Let the last window reach beyond the end, if it begins before it;
            its sum is extrapolated to a whole window, as in PyTorch.
    """

    norm: Annotated[float, Ge(1)] = 2.0
    ceil_mode: bool = False

    output = "real"

    def __call__(self, x: Tensor) -> Tensor:
        return apply(average_pool.LpPool(self.placing, self.norm), x)


class LpPool1d(LpPool, name="lp_pool1d"):
    """The p-norm (Σ |x|^p)^(1/p) of each window, (N, C, L) → (N, C, L').

    L' = ⌊(L − kernel) / stride⌋ + 1. PyTorch's LPPool1d, which for odd p leaves out
    the absolute value.
    """

    rank = 1
    examples = ((2, 7), (1, 4))


class LpPool2d(LpPool, name="lp_pool2d"):
    """The p-norm (Σ |x|^p)^(1/p) of each window, (N, C, H, W) → (N, C, H', W').

    H' = ⌊(H − kernel) / stride⌋ + 1, W' likewise. PyTorch's LPPool2d, which for odd p
    leaves out the absolute value.
    """

    rank = 2
    examples = ((2, 5, 6), (1, 4, 4))


class LpPool3d(LpPool, name="lp_pool3d"):
    """The p-norm (Σ |x|^p)^(1/p) of each window, (N, C, D, H, W) → (N, C, D', H', W').

    D' = ⌊(D − kernel) / stride⌋ + 1, H' and W' likewise. PyTorch's LPPool3d, which for
    odd p leaves out the absolute value.
    """

    rank = 3
    examples = ((2, 3, 4, 3),)
