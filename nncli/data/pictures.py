"""Pictures: image files, looked at before they are decoded, and decoded to arrays."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any, Literal

import numpy as np

from nncli.core.arrays import Array, check_memory
from nncli.core.errors import DataError, MissingExtra
from nncli.core.files import open_file

Colors = Literal["rgb", "grey"]
Size = tuple[int, int]

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
FORMATS = ("PNG", "JPEG", "WEBP")
CHANNELS: dict[Colors, int] = {"rgb": 3, "grey": 1}

_MODES: dict[Colors, str] = {"rgb": "RGB", "grey": "L"}
# One byte a channel: others would be cut off at 255.
_KNOWN = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr")


def is_picture(path: Path) -> bool:
    """Whether the name of a file says that it is an image that can be read."""
    return path.name.lower().endswith(SUFFIXES)


def pillow() -> Any:
    """Return Pillow's ``Image``.

    Raises:
        MissingExtra: Pillow is not installed.
    """
    try:
        from PIL import Image
    except ImportError:
        raise MissingExtra("images", "Pillow", "images") from None
    return Image


def size_of(path: Path) -> Size:
    """Return height and width of an image, from its header alone.

    Raises:
        DataError: It is missing, no image, of a kind that is not read, or larger than
            Pillow allows.
        NncliError: It is larger than this machine's memory allows.
    """
    library = pillow()
    try:
        with warnings.catch_warnings(), open_file(path) as file:
            # Pillow only warns of what is up to twice as large as it allows.
            warnings.simplefilter("error", library.DecompressionBombWarning)
            with library.open(file, formats=FORMATS) as image:
                (width, height), mode = image.size, image.mode
    except (library.DecompressionBombError, library.DecompressionBombWarning):
        limit = library.MAX_IMAGE_PIXELS
        raise DataError(
            f"{path}: expected an image of at most {limit:,} pixels, got a file that "
            "declares more. Make it smaller."
        ) from None
    except Exception as error:
        raise _broken(path, error) from None
    check_memory((height, width, 4), np.dtype(np.uint8), str(path))
    if mode not in _KNOWN:
        raise DataError(
            f"{path}: expected an image with 8 bits a channel, got one of mode {mode}. "
            "Convert it."
        )
    return height, width


def decode(path: Path, size: Size | None, colors: Colors, out: Array) -> None:
    """Write an image into an array.

    Args:
        path: The file, which ``size_of`` has looked at.
        size: What it is resized to (bilinear, over all pixels that fall on one); None
            for its own size, which must be that of ``out``.
        colors: What it is converted to; transparency is dropped.
        out: (C, H, W) bytes.

    Raises:
        DataError: It cannot be decoded, or has another size.
    """
    library = pillow()
    try:
        with open_file(path) as file, library.open(file, formats=FORMATS) as image:
            if "transparency" in image.info:
                image = image.convert("RGBA")
            image = image.convert(_MODES[colors])
            if size is not None and image.size != size[::-1]:
                image = image.resize(size[::-1], library.Resampling.BILINEAR)
            pixels = np.asarray(image)
    except Exception as error:
        raise _broken(path, error) from None
    if pixels.shape[:2] != out.shape[1:]:
        raise another_size(path, pixels.shape[:2], out.shape[1:])
    np.copyto(out, pixels[None] if pixels.ndim == 2 else np.moveaxis(pixels, -1, 0))


def another_size(path: Path, size: Any, first: Any) -> DataError:
    """Return the error that an image has not the size of the others."""
    return DataError(
        f"{path}: expected an image of {first[0]}x{first[1]} pixels, as the first is, "
        f"got {size[0]}x{size[1]}. Set dataset.size=[{first[0]}, {first[1]}] to resize "
        "all images."
    )


def _broken(path: Path, error: Exception) -> DataError:
    # Pillow raises nearly anything of files that are not what they seem.
    missing = isinstance(error, FileNotFoundError)
    text = "found none" if missing else f"got: {error or type(error).__name__}"
    return DataError(f"{path}: expected a PNG, JPEG or WebP image, {text}.")
