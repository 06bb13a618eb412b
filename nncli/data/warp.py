"""Warp: a batch of images, each seen through a linear map of its own."""

from __future__ import annotations

from typing import Literal

from nncli.autograd.buffers import form, scratches
from nncli.core.arrays import Array, xp
from nncli.data.base import Field

Fill = float | Literal["edge"]
"""What lies outside of an image: one number, or what its nearest pixel is."""


def warp(x: Array, maps: Array, shifts: Array, fill: Fill) -> None:
    """Replace each pixel by what lies where its image's map leads, bilinearly.

    With pixels at whole coordinates p = (row, column) and c the centre of the image,
    y[p] = x[A·(p − c) + c + b].

    Args:
        x: (n, C, H, W) images, changed in place.
        maps: (n, 2, 2) the matrices A.
        shifts: (n, 2) the vectors b, in pixels.
        fill: What lies outside.
    """
    count, channels, height, width = x.shape
    plane, place = (form((count, height, width), t) for t in (xp.float64, xp.intp))
    rows, columns, share, top, left, padded, index, corner = scratches(
        *(plane, plane, plane, place, place),
        form((count, channels, height + 2, width + 2), x.dtype),
        form(x.shape, xp.intp),
        form(x.shape, x.dtype),
    )
    pad(x, 1, fill, padded)
    _follow(maps, shifts, rows, columns)
    _split(rows, height, top)
    _split(columns, width, left)
    planes = xp.arange(count * channels).reshape(count, channels, 1, 1)
    xp.multiply(top[:, None], width + 2, out=index)
    index += left[:, None]
    index += planes * ((height + 2) * (width + 2))
    flat = padded.reshape(-1)
    x.fill(0)
    for down in (0, 1):
        # The share of the upper pixel, then that of the lower one.
        xp.subtract(1, rows, out=rows)
        for right in (0, 1):
            xp.subtract(1, columns, out=columns)
            source = flat[down * (width + 2) + right :]
            xp.take(source, index, out=corner, mode="clip")
            xp.multiply(rows, columns, out=share)
            corner *= share[:, None]
            x += corner


def _follow(maps: Array, shifts: Array, rows: Array, columns: Array) -> None:
    """Write where each pixel's value comes from."""
    height, width = rows.shape[1:]
    centre = (height - 1) / 2, (width - 1) / 2
    down = (xp.arange(height) - centre[0])[:, None]
    right = xp.arange(width) - centre[1]
    for axis, out in enumerate((rows, columns)):
        xp.multiply(maps[:, axis, 0, None, None], down, out=out)
        out += maps[:, axis, 1, None, None] * right
        out += (shifts[:, axis] + centre[axis])[:, None, None]


def _split(points: Array, size: int, cells: Array) -> None:
    """Write the padded pixel before each point of an axis; leave the way from there."""
    points += 1
    xp.clip(points, 0, size + 1, out=points)
    xp.copyto(cells, points, casting="unsafe")
    xp.minimum(cells, size, out=cells)
    points -= cells


def pad(x: Array, by: int, fill: Fill, out: Array) -> None:
    """Write (n, C, H, W) images with a margin on all sides."""
    height, width = x.shape[-2:]
    if fill == "edge":
        rows = xp.clip(xp.arange(-by, height + by), 0, height - 1)
        columns = xp.clip(xp.arange(-by, width + by), 0, width - 1)
        out[...] = x[..., rows[:, None], columns]
        return
    out.fill(fill)
    out[..., by : height + by, by : width + by] = x


def no_images(x: Field) -> str | None:
    """Say why rows are no images, if they are none."""
    if len(x.shape) == 3 and x.dtype.kind == "f":
        return None
    return (
        f"expected images, inputs of shape (N, C, H, W), got {('N', *x.shape)} of "
        f"{x.dtype}.".replace("'N'", "N")
    )
