"""Rows of image files, decoded when they are taken."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from nncli.autograd.buffers import form, scratch
from nncli.core.arrays import Array, Shape, check_memory
from nncli.core.errors import DataError
from nncli.data.base import Field, Index, Rows
from nncli.data.pictures import (
    CHANNELS,
    SUFFIXES,
    Colors,
    Size,
    another_size,
    decode,
    is_picture,
    size_of,
)
from nncli.data.table import gather

CACHE = 2**30
"""Bytes of decoded images that are kept in memory: of the first rows, where all are
more."""


class Found(NamedTuple):
    """Labelled images.

    Attributes:
        files: Their paths.
        y: (N,) class indices.
        classes: The classes.
        parts: Places of the rows of official parts.
        keys: Columns that rows can be split by.
    """

    files: list[Path]
    y: Array
    classes: tuple[Any, ...]
    parts: Mapping[str, Array]
    keys: Mapping[str, Array]


class ImageRows(Rows):
    """Rows of image files, decoded when they are taken, by several threads.

    Args:
        files: The images.
        size: What they are resized to; None where all have one size.
        colors: What they are converted to.
        labelled: Their classes; None where only predictions are wanted.
        keep: Keep decoded images, as far as they have room.

    Attributes:
        names: The files' paths.
    """

    names: tuple[str, ...]

    def __init__(
        self,
        files: Sequence[Path],
        size: Size | None,
        colors: Colors,
        labelled: Found | None = None,
        keep: bool = True,
    ) -> None:
        self._files = files
        self._size = size
        self._colors = colors
        self.names = tuple(map(str, files))
        shape = (CHANNELS[colors], *self._checked(size))
        self.fields = {"x": Field(np.dtype(np.uint8), shape)}
        if labelled is not None:
            self._y = labelled.y
            self.fields["y"] = Field(labelled.y.dtype, ())
            self.classes = labelled.classes
            self.parts, self.keys = labelled.parts, labelled.keys
        kept = min(len(files), CACHE // self.fields["x"].nbytes) if keep else 0
        self._kept = np.empty((kept, *shape), np.uint8)
        self._there = np.zeros(kept, bool)
        self._pool = ThreadPoolExecutor(os.cpu_count() or 1, "nncli-images")

    def _checked(self, size: Size | None) -> Size:
        """Look at the header of every image; return the size of all."""
        first = size
        for path in self._files:
            own = size_of(path)
            first = first or own
            if size is None and own != first:
                raise another_size(path, own, first)
        assert first is not None  # noqa: S101 - there is at least one file
        check_memory((CHANNELS[self._colors], *first), np.dtype(np.uint8), "images")
        return first

    def __len__(self) -> int:
        return len(self._files)

    def take(self, index: Index, out: Mapping[str, Array]) -> None:
        """Decode images that are not in memory yet."""
        if "y" in out:
            gather(self._y, index, out["y"])
        if "x" not in out:
            return
        target = out["x"]
        plain = target.dtype == np.uint8 and target.flags.c_contiguous
        room = target if plain else scratch(form(target.shape, np.dtype(np.uint8)))
        if isinstance(index, slice):
            index = np.arange(index.start, index.stop)
        for _ in self._pool.map(self._put, index.tolist(), room):
            pass
        if room is not target:
            np.copyto(target, room, casting="same_kind")

    def _put(self, place: int, out: Array) -> None:
        """Write one image; a second thread that decodes it writes the same."""
        kept = place < len(self._kept)
        if kept and self._there[place]:
            np.copyto(out, self._kept[place])
            return
        decode(self._files[place], self._size, self._colors, out)
        if kept:
            self._kept[place] = out
            self._there[place] = True


def image_rows(paths: Sequence[Path], shape: Shape) -> ImageRows:
    """Return images without labels, of files and of all below folders, to predict.

    None is kept: each is decoded once.

    Args:
        paths: Files and folders.
        shape: What a network takes, (1, H, W) or (3, H, W): images are resized and
            converted to that.

    Raises:
        DataError: There is no image, a file is none, or the network takes none.
    """
    colors = {(count, 3): name for name, count in CHANNELS.items()}
    kind = colors.get((shape[0] if shape else 0, len(shape)))
    if kind is None:
        raise DataError(
            f"images: expected a network that takes rows of shape (1, H, W) or "
            f"(3, H, W), got one for {shape}."
        )
    files = [
        file
        for path in paths
        for file in (images_below(path) if path.is_dir() else [path])
    ]
    if not files:
        raise DataError(
            f"{', '.join(map(str, paths)) or 'images'}: expected images "
            f"({', '.join(SUFFIXES)}), found none."
        )
    return ImageRows(files, (shape[1], shape[2]), kind, keep=False)


def images_below(folder: Path) -> list[Path]:
    """Return the images below a folder, in the order of their paths."""
    found = [
        Path(where) / name
        for where, _, names in os.walk(folder)
        for name in names
        if is_picture(Path(name)) and not name.startswith(".")
    ]
    return sorted(found)
