"""CIFAR-10 and CIFAR-100 in their binary form."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np

from nncli.core.arrays import Array
from nncli.core.errors import DataError
from nncli.core.files import open_file
from nncli.core.signature import File
from nncli.data.base import Dataset, Rows
from nncli.data.joined import joined
from nncli.data.sources import missing, root_of

Part = Literal["all", "train", "test"]

_SHAPE = (3, 32, 32)
_PIXELS = 3 * 32 * 32


class Cifar10(Dataset, name="cifar10"):
    """Colour images of ten kinds of things, 50,000 and a test part of 10,000.

    x (N, 3, 32, 32) from 0 to 255, memory-mapped from ``data_batch_1.bin`` to ``_5``
    and ``test_batch.bin``. ``nncli data get cifar10`` gets them.

    Source: Krizhevsky 2009, "Learning Multiple Layers of Features from Tiny Images".

    Args:
        root: The folder of the files; null for where ``nncli data get`` puts them.
        part: ``all``, with the official test part as the test part; or the rows of
            ``train`` or ``test`` alone, to be split by ``split``.
    """

    root: File | None = None
    part: Part = "all"

    def load(self, rng: np.random.Generator) -> Rows:
        """Open the files."""
        files = {
            "train": [f"data_batch_{number}.bin" for number in range(1, 6)],
            "test": ["test_batch.bin"],
        }
        folder = root_of(self.type_name, self.root)
        classes = _names(folder / "batches.meta.txt", 10)
        name, root, part = self.type_name, self.root, self.part
        return _load(name, root, files, part, (0, 1), classes)


class Cifar100(Dataset, name="cifar100"):
    """Colour images of a hundred kinds of things, 50,000 and a test part of 10,000.

    x (N, 3, 32, 32) from 0 to 255, memory-mapped from ``train.bin`` and ``test.bin``.
    ``nncli data get cifar100`` gets them.

    Source: Krizhevsky 2009, "Learning Multiple Layers of Features from Tiny Images".

    Args:
        root: The folder of the files; null for where ``nncli data get`` puts them.
        part: ``all``, with the official test part as the test part; or the rows of
            ``train`` or ``test`` alone, to be split by ``split``.
        labels: The hundred classes, or the twenty that they belong to.
    """

    root: File | None = None
    part: Part = "all"
    labels: Literal["fine", "coarse"] = "fine"

    def load(self, rng: np.random.Generator) -> Rows:
        """Open the files."""
        files = {"train": ["train.bin"], "test": ["test.bin"]}
        # A record begins with the coarse label.
        place, count = (1, 100) if self.labels == "fine" else (0, 20)
        folder = root_of(self.type_name, self.root)
        classes = _names(folder / f"{self.labels}_label_names.txt", count)
        name, root, part = self.type_name, self.root, self.part
        return _load(name, root, files, part, (place, 2), classes)


def _load(
    name: str,
    root: str | None,
    files: dict[str, list[str]],
    part: Part,
    label: tuple[int, int],
    classes: tuple[Any, ...],
) -> Rows:
    """Return the rows of files.

    Args:
        name: The dataset's.
        root: Its folder, where that is given.
        files: Their names, by part.
        part: Which parts.
        label: The place of the label in a record, and how many labels it has.
        classes: The classes.
    """
    folder = root_of(name, root)
    inputs, labels, counts = [], [], {"train": 0, "test": 0}
    for each in ("train", "test") if part == "all" else (part,):
        for file in files[each]:
            path = folder / file
            if not path.exists():
                raise missing(name, path, root)
            # What is touched of a mapping stays in memory as long as it is mapped.
            labels.append(_labels(path, _records(path, label[1]), label[0], classes))
            pixels = _records(path, label[1])[:, label[1] :]
            inputs.append(pixels.reshape(-1, *_SHAPE))
            counts[each] += len(pixels)
    y = np.concatenate(labels)
    parts = {"test": np.arange(counts["train"], len(y))} if part == "all" else {}
    return joined(inputs, y, classes, parts)


def _records(path: Path, labels: int) -> Array:
    """Map a file as (n, labels + pixels)."""
    try:
        with open_file(path) as file:
            size = file.seek(0, 2)
    except OSError as error:
        raise DataError(
            f"{path}: expected a file of CIFAR, got: {error.strerror}."
        ) from None
    width = labels + _PIXELS
    if not size or size % width:
        raise DataError(
            f"{path}: expected records of {width:,} bytes, got {size:,} bytes, which "
            "are no whole number of them. Get the file again."
        )
    return np.memmap(path, np.uint8, "r", 0, (size // width, width))


def _labels(path: Path, records: Array, place: int, classes: tuple[Any, ...]) -> Array:
    found = records[:, place].astype(np.int64)
    if found.max() >= len(classes):
        raise DataError(
            f"{path}: expected labels from 0 to {len(classes) - 1}, got {found.max()}. "
            "Is it a file of the binary version?"
        )
    return found


def _names(path: Path, count: int) -> tuple[Any, ...]:
    """Return the names of the classes, or their numbers where there is no such file."""
    try:
        with open_file(path) as file:
            lines = file.read(2**16).decode().splitlines()
    except (OSError, UnicodeDecodeError):
        return tuple(range(count))
    names = tuple(line.strip() for line in lines if line.strip())
    return names if len(set(names)) == count == len(names) else tuple(range(count))
