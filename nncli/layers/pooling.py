"""Pooling over sliding windows: fewer elements along the axes of space."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

from nncli.autograd.tensor import Tensor, apply
from nncli.core.arrays import Shape
from nncli.core.errors import ArgumentError
from nncli.core.randomness import Streams
from nncli.layers.base import Layer
from nncli.layers.space import Margins, Sizes, check_space, per_axis
from nncli.ops import max_pool
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
    output = None

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
    A relu in front of it is computed behind it, which is the same and takes less.
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
