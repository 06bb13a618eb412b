"""Space: the axes behind the channels, and which axis of a batch holds features."""

from __future__ import annotations

from typing import Annotated

from annotated_types import MaxLen, MinLen

from nncli.core.arrays import Shape
from nncli.core.errors import ArgumentError, ShapeError
from nncli.core.signature import Count, Positive

Sizes = Positive | Annotated[list[Positive], MinLen(1), MaxLen(3)]
"""One number for all axes of space, or one an axis."""

Margins = Count | Annotated[list[Count], MinLen(1), MaxLen(3)]
"""As Sizes, from 0."""

CHANNELS = 1
"""The axis of channels, right behind the batch; see ``features_axis``."""

LETTERS = {1: "L", 2: "HW", 3: "DHW"}
"""What the axes of space are called, by how many there are."""


def features_axis(ndim: int) -> int:
    """Return the axis along which a batch with so many axes has its features.

    Which axis that is, for all layers:

    - Images (N, C, H, W) and volumes (N, C, D, H, W) have their features, called
      channels, right behind the batch; vectors (N, F) and sequences (N, T, F) have
      them last. So ``concat`` joins them.
    - What computes channel by channel (batch_norm, group_norm, instance_norm, prelu,
      spatial_dropout, scale, pooling) takes axis 1 of everything, as PyTorch does:
      of three axes they are (N, C, L).
    - What maps vectors (dense, layer_norm, rms_norm) takes the last axis of
      everything, as PyTorch does too.
    """
    return CHANNELS if ndim > 3 else ndim - 1


def per_axis(value: int | list[int], rank: int, name: str) -> Shape:
    """Return one number for each axis of space.

    Raises:
        ArgumentError: There are as many numbers as for another number of axes.
    """
    if isinstance(value, int):
        return (value,) * rank
    if len(value) != rank:
        raise ArgumentError(
            f"{name}: expected one number, or one for each of the axes "
            f"{', '.join(LETTERS[rank])}, got {value}."
        )
    return tuple(value)


def check_space(input_shape: Shape, rank: int | None = None) -> Shape:
    """Return the sizes of the axes of space of a row (C, space...).

    Args:
        input_shape: The shape of a row.
        rank: How many axes of space there must be; None for 1 to 3.

    Raises:
        ShapeError: There are others.
    """
    ranks = (1, 2, 3) if rank is None else (rank,)
    if len(input_shape) - 1 not in ranks or 0 in input_shape:
        shapes = " or ".join(f"(C, {', '.join(LETTERS[each])})" for each in ranks)
        raise ShapeError(f"expected rows of shape {shapes}, got {input_shape}.")
    return input_shape[1:]
