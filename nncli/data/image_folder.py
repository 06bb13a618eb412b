"""Labelled image files: a folder a class, or a CSV of labels."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Annotated

import numpy as np
from annotated_types import Ge, Le, Len

from nncli.core.arrays import Array
from nncli.core.errors import DataError
from nncli.core.files import open_file
from nncli.core.signature import File
from nncli.data.base import Dataset
from nncli.data.image_rows import Found, ImageRows, images_below
from nncli.data.labels import Labels
from nncli.data.pictures import SUFFIXES, Colors

MAX_LABELS = 2**28
"""Bytes of a CSV of labels that are read."""

Pixels = Annotated[int, Ge(1), Le(2**14)]

_PARTS = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "test": "test",
}


class ImageFolder(Dataset, name="image_folder"):
    """Images in files, PNG, JPEG or WebP: x (N, C, H, W) from 0 to 255.

    The classes are the folders of ``path``, in alphabetical order, with the images
    somewhere below them. Where the folders of ``path`` are named train, validation (or
    val) and test, these are the parts, each with a folder a class. Or a CSV holds the
    labels. Images are taken as they are stored: an orientation that a camera noted
    beside the pixels is not looked at.

    All are decoded once when the data is opened, so that a broken one is found before
    training; later, by threads while the step before runs, what is not kept in memory.

    Args:
        path: The folder; relative to the config.
        size: Height and width that all images are resized to; null where all have one
            size.
        colors: What images are converted to.
        labels: A CSV with columns ``file``, relative to ``path``, and ``label``; null
            where folders are the classes. Other columns can be split by.
    """

    path: File
    size: Annotated[list[Pixels], Len(2, 2)] | None = None
    colors: Colors = "rgb"
    labels: File | None = None

    def load(self, rng: np.random.Generator) -> ImageRows:
        """Look for the images and at the header of each."""
        folder = Path(self.path)
        if not folder.is_dir():
            raise DataError(f"{folder}: expected a folder of images, found none.")
        if self.labels is None:
            found = _by_folder(folder)
        else:
            found = _by_csv(folder, Path(self.labels))
        size = None if self.size is None else (self.size[0], self.size[1])
        return ImageRows(found.files, size, self.colors, found)


def _by_folder(folder: Path) -> Found:
    inside = _folders(folder)
    parts = {name: _PARTS.get(name.lower()) for name in inside}
    split = "train" in parts.values() and all(parts.values())
    tops = {parts[name]: folder / name for name in inside} if split else {"": folder}
    names = _folders(tops["train"] if split else folder)
    if len(names) < 2:
        raise DataError(
            f"{folder}: expected a folder for each of at least two classes, found "
            f"{names[0] if names else 'none'}. Or name a CSV of labels: dataset.labels."
        )
    files: list[Path] = []
    y: list[int] = []
    places: dict[str, Array] = {}
    for part, top in tops.items():
        begin = len(files)
        for name in _folders(top):
            if name not in names:
                raise DataError(
                    f"{top / name}: expected one of the classes of the training part, "
                    f"{', '.join(names[:10])}."
                )
            images = images_below(top / name)
            if not images:
                raise DataError(
                    f"{top / name}: expected images ({', '.join(SUFFIXES)}), found "
                    "none."
                )
            files += images
            y += [names.index(name)] * len(images)
        if part:
            places[part] = np.arange(begin, len(files))
    return Found(files, np.array(y), tuple(names), places, {})


def _folders(path: Path) -> list[str]:
    return sorted(
        entry.name
        for entry in path.iterdir()
        if entry.is_dir() and not entry.name.startswith(".")
    )


def _by_csv(folder: Path, path: Path) -> Found:
    try:
        with open_file(path) as file:
            text = file.read(MAX_LABELS + 1)
        if len(text) > MAX_LABELS:
            raise DataError(f"{path}: expected at most {MAX_LABELS:,} bytes, got more.")
        lines = list(csv.reader(io.StringIO(text.decode("utf-8-sig"))))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: expected a CSV of labels, got: {error}.") from None
    rows = [line for line in lines if line]
    head = [name.strip() for name in rows[0]] if rows else []
    for name in ("file", "label"):
        if head.count(name) != 1:
            raise DataError(
                f"{path}: expected a first line with the columns file and label, got "
                f"{', '.join(head[:10]) or 'an empty file'}."
            )
    if len(rows) < 2:
        raise DataError(f"{path}: expected rows below the names, got none.")
    for number, row in enumerate(rows[1:], start=2):
        if len(row) != len(head):
            raise DataError(
                f"{path}: row {number}: expected {len(head)} values, got {len(row)}."
            )
    columns = dict(zip(head, zip(*rows[1:], strict=True), strict=True))
    given = np.array(columns["label"])
    labels = Labels.of(given)
    files = [folder / name for name in columns["file"]]
    keys = {name: np.array(column) for name, column in columns.items()}
    classes = tuple(labels.values.tolist())
    return Found(files, labels.encode(given), classes, {}, keys)
