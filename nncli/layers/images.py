"""Images: what layers over images with one to three axes take as arguments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from annotated_types import MinLen

from nncli.core.arrays import Shape
from nncli.core.errors import ArgumentError, ShapeError
from nncli.core.signature import Count, Positive
from nncli.ops.conv_geometry import Borders

Sizes = Positive | Annotated[list[Positive], MinLen(1)]
Counts = Count | Annotated[list[Count], MinLen(1)]
Padding = Literal["valid", "same"] | Counts
PaddingMode = Literal["zeros", "reflect", "replicate", "circular"]

AXES = {1: "(C, L)", 2: "(C, H, W)", 3: "(C, D, H, W)"}
"""Shapes of a row, by the number of its axes behind the channels."""


def each_axis(value: int | list[int], rank: int) -> Shape:
    """Return a number for each axis, given one for all or one for each."""
    return tuple(value) if isinstance(value, list) else (value,) * rank


def check_axes(arguments: Mapping[str, Any], rank: int) -> None:
    """Refuse lists that have not one number for each axis of the image."""
    for name, value in arguments.items():
        if isinstance(value, list) and len(value) != rank:
            raise ArgumentError(
                f"expected {name} to be one number for all axes, or a list of {rank}, "
                f"got {value}."
            )


def check_groups(filters: int, groups: int) -> None:
    """Refuse groups that do not divide the filters."""
    if filters % groups:
        raise ArgumentError(
            f"expected filters that groups divide, got {filters} filters in {groups} "
            "groups."
        )


def image_of(input_shape: Shape, rank: int) -> tuple[int, Shape]:
    """Return the channels and the sizes of the image, given the shape of a row.

    Raises:
        ShapeError: It is no image with so many axes.
    """
    if len(input_shape) != rank + 1:
        raise ShapeError(
            f"expected rows of shape {AXES[rank]}, channels first, got {input_shape}. "
            "Put a reshape layer in front."
        )
    return input_shape[0], input_shape[1:]


def borders_of(padding: Any, image: Shape, reach: Shape, stride: Shape) -> Borders:
    """Return how much padding comes before and after the image, for each axis.

    Args:
        padding: ``valid``, ``same``, or numbers; see the layers.
        image: Sizes of the image.
        reach: How many elements a window spans.
        stride: Steps from one window to the next.
    """
    if padding == "valid":
        return ((0, 0),) * len(image)
    if padding != "same":
        return tuple((width, width) for width in each_axis(padding, len(image)))
    totals = (
        max(0, (-(-size // step) - 1) * step + span - size)
        for size, span, step in zip(image, reach, stride, strict=True)
    )
    return tuple((total // 2, total - total // 2) for total in totals)
