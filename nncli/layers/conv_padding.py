"""Padding of convolutions: how much comes before and after an image."""

from __future__ import annotations

from typing import Any, Literal

from nncli.core.arrays import Shape
from nncli.core.errors import ArgumentError
from nncli.layers.space import Margins, per_axis
from nncli.ops.conv_geometry import Borders

Padding = Literal["valid", "same"] | Margins
"""Nothing, what keeps the size, or how many elements on both sides of each axis."""

PaddingMode = Literal["zeros", "reflect", "replicate", "circular"]


def check_groups(filters: int, groups: int) -> None:
    """Refuse groups that do not divide the filters."""
    if filters % groups:
        raise ArgumentError(
            f"expected filters that groups divide, got {filters} filters in {groups} "
            "groups."
        )


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
        return tuple(
            (width, width) for width in per_axis(padding, len(image), "padding")
        )
    totals = (
        max(0, (-(-size // step) - 1) * step + span - size)
        for size, span, step in zip(image, reach, stride, strict=True)
    )
    return tuple((total // 2, total - total // 2) for total in totals)
