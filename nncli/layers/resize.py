"""Larger images: padding, upsampling, pixels out of channels."""

from __future__ import annotations

from typing import Annotated, Literal

from annotated_types import MaxLen, MinLen

from nncli.autograd.tensor import Tensor, apply
from nncli.core.arrays import Shape
from nncli.core.errors import ShapeError
from nncli.core.randomness import Streams
from nncli.core.signature import Count, Positive
from nncli.layers.base import Layer
from nncli.layers.space import Sizes, check_space, per_axis
from nncli.ops import upsample
from nncli.ops.edge_pad import EdgePad
from nncli.ops.shape import Pad as PadFunction

Sides = Annotated[list[Count], MinLen(2), MaxLen(2)]
Widths = Count | Annotated[list[Count | Sides], MinLen(1), MaxLen(3)]


class Pad(Layer, name="pad"):
    """(N, C, L or H, W or D, H, W) → the same with a frame around the axes of space.

    ``zeros``: 0; ``reflect``: x mirrored at its last element, without that
    (cb|abc|ba); ``replicate``: its last element repeated (aa|abc|cc); ``circular``: its
    other end (bc|abc|ab). PyTorch's ZeroPad, ReflectionPad, ReplicationPad and
    CircularPad.

    Args:
        padding: How wide the frame is: one number, or a list with one for each axis,
            or with [before, after].
        mode: What is in the frame.
    """

    padding: Widths
    mode: Literal["zeros", "reflect", "replicate", "circular"] = "zeros"

    output = None
    examples = ((2, 4), (1, 3, 4), (1, 3, 3, 3))

    def widths(self, rank: int) -> tuple[tuple[int, int], ...]:
        """Return how many elements come before and after, for each axis of space."""
        given = [self.padding] * rank if isinstance(self.padding, int) else self.padding
        if len(given) != rank:
            raise ShapeError(
                f"expected a padding for each of {rank} axes, got {self.padding}."
            )
        pairs = (one if isinstance(one, list) else [one, one] for one in given)
        return tuple((before, after) for before, after in pairs)

    def build(self, input_shape: Shape, rng: Streams) -> Shape:
        space = check_space(input_shape)
        sides = zip(space, self.widths(len(space)), strict=True)
        return (input_shape[0], *(size + sum(pair) for size, pair in sides))

    def __call__(self, x: Tensor) -> Tensor:
        widths = self.widths(x.ndim - 2)
        if self.mode == "zeros":
            return apply(PadFunction(((0, 0), (0, 0), *widths)), x)
        return apply(EdgePad(widths, self.mode), x)


class Upsample(Layer, name="upsample"):
    """(N, C, L or H, W or D, H, W) → the same, ``factor`` times as large.

    ``nearest`` repeats elements; ``linear`` puts new ones on straight lines between
    them, along each axis: PyTorch's linear, bilinear and trilinear interpolation with
    align_corners=False.

    Args:
        factor: How many elements stand for one along each axis: one number, or a list.
        mode: What they are.
    """

    factor: Sizes = 2
    mode: Literal["nearest", "linear"] = "nearest"

    output = None
    examples = ((2, 3), (1, 2, 3), (1, 2, 1, 2))

    def build(self, input_shape: Shape, rng: Streams) -> Shape:
        space = check_space(input_shape)
        factor = per_axis(self.factor, len(space), "factor")
        sizes = (size * f for size, f in zip(space, factor, strict=True))
        return (input_shape[0], *sizes)

    def __call__(self, x: Tensor) -> Tensor:
        factor = per_axis(self.factor, x.ndim - 2, "factor")
        if self.mode == "nearest":
            return apply(upsample.UpsampleNearest(factor), x)
        return apply(upsample.UpsampleLinear(factor), x)


class PixelShuffle(Layer, name="pixel_shuffle"):
    """(N, C·r², H, W) → (N, C, H·r, W·r): r² channels become r × r pixels.

    Pixel (h·r + i, w·r + j) of channel c was pixel (h, w) of channel c·r² + i·r + j.

    Source: Shi et al. 2016; PyTorch's PixelShuffle.

    Args:
        factor: The number r.
    """

    factor: Positive = 2

    op = upsample.PixelShuffle
    output = None
    examples = ((8, 2, 3), (36, 1, 2))

    def build(self, input_shape: Shape, rng: Streams) -> Shape:
        height, width = check_space(input_shape, 2)
        channels, r = input_shape[0], self.factor
        if channels % r**2:
            raise ShapeError(
                f"expected a multiple of {r**2} channels for a factor of {r}, got "
                f"{channels}."
            )
        return (channels // r**2, height * r, width * r)
