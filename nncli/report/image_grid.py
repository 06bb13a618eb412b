"""A grid of images, each with its label, as one picture."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np

from nncli.core.arrays import Array, Shape
from nncli.core.text import shortened
from nncli.data.pictures import pillow

CELL = 96
"""Pixels of an image's longer side, at least; small images are enlarged by whole
factors."""

MARGIN = 4
LINE = 14
LETTER = 7
"""Pixels of a line of text, and about those of a letter."""


def image_grid(rows: Sequence[tuple[str, Array, Sequence[str]]]) -> bytes:
    """Return a PNG of rows of images, each row with a title.

    The darkest number of the first row becomes black and its brightest white, in all
    rows.

    Args:
        rows: Title, (n, C, H, W) images with one channel or three, and their labels.

    Raises:
        MissingExtra: Pillow is not installed.
    """
    library = pillow()
    from PIL import ImageDraw

    _, first, _ = rows[0]
    low, high = float(first.min()), float(first.max())
    height, width = first.shape[-2:]
    factor = max(1, CELL // max(height, width))
    cell = (width * factor + MARGIN, height * factor + MARGIN + LINE)
    across = max(len(images) for _, images, _ in rows)
    size = (MARGIN + across * cell[0], len(rows) * (cell[1] + LINE) + MARGIN)
    picture = library.new("RGB", size, "white")
    draw = ImageDraw.Draw(picture)
    for number, (title, images, labels) in enumerate(rows):
        top = MARGIN + number * (cell[1] + LINE)
        draw.text((MARGIN, top), title, fill="black")
        for place, (image, label) in enumerate(zip(images, labels, strict=True)):
            at = (MARGIN + place * cell[0], top + LINE)
            drawn = library.fromarray(_bytes(image, low, high))
            shown = (width * factor, height * factor)
            picture.paste(drawn.resize(shown, library.Resampling.NEAREST), at)
            below = (at[0], at[1] + height * factor)
            text = shortened(label, max(1, cell[0] // LETTER))
            # The font that Pillow brings has few letters.
            draw.text(below, text.encode("ascii", "replace").decode(), fill="black")
    room = io.BytesIO()
    picture.save(room, "PNG")
    return room.getvalue()


def drawable(shape: Shape) -> bool:
    """Whether rows of a shape are images that can be drawn."""
    return len(shape) == 3 and shape[0] in (1, 3)


def _bytes(image: Array, low: float, high: float) -> Array:
    """Return (H, W) or (H, W, 3) bytes."""
    scaled = (image.astype(np.float64) - low) / ((high - low) or 1.0)
    pixels = np.rint(np.clip(scaled, 0, 1) * 255).astype(np.uint8)
    return pixels[0] if len(pixels) == 1 else np.moveaxis(pixels, 0, -1)
