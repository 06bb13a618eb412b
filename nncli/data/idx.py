"""Images and labels in IDX files, the format of MNIST."""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np

from nncli.core.arrays import Array, Shape, check_memory
from nncli.core.errors import DataError
from nncli.core.files import open_file
from nncli.core.signature import File
from nncli.data.base import Dataset
from nncli.data.table import Table

_TYPES = {8: ">u1", 9: ">i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}
_GZIP = b"\x1f\x8b"
_MAX_AXES = 8


class Idx(Dataset, name="idx"):
    """Images and labels in two IDX files, plain or gzip: x (N, 1, H, W).

    Plain files are memory-mapped. Images of other axes than (N, H, W) stay as they are.

    Source: LeCun, Cortes and Burges, "The MNIST database of handwritten digits".

    Args:
        images: The file of the images; relative to the config.
        labels: The file of the labels.
    """

    images: File
    labels: File

    def load(self, rng: np.random.Generator) -> Table:
        """Open both files."""
        x, y = read_pair(Path(self.images), Path(self.labels))
        return Table(x, y, targets="auto")


def read_pair(images: Path, labels: Path) -> tuple[Array, Array]:
    """Return images (N, 1, H, W), mapped where their file is plain, and labels (N,).

    Raises:
        DataError: A file is missing or broken, or they do not belong together.
    """
    x, y = read_idx(images), np.array(read_idx(labels))
    if x.ndim < 2:
        raise DataError(
            f"{images}: expected images with axes (N, H, W), got shape {x.shape}, as "
            "labels have. Are the files swapped?"
        )
    if y.ndim != 1:
        raise DataError(f"{labels}: expected one label an image, got shape {y.shape}.")
    if len(x) != len(y):
        raise DataError(
            f"{labels}: expected a label for each of the {len(x):,} images of "
            f"{images.name}, got {len(y):,} labels."
        )
    return x[:, None] if x.ndim == 3 else x, y


def read_idx(path: Path) -> Array:
    """Return the array of an IDX file: mapped where it is plain, else read.

    Raises:
        DataError: It is missing, or no whole IDX file.
        NncliError: It is packed, and larger than this machine's memory allows.
    """
    try:
        with open_file(path) as file:
            packed = file.read(2) == _GZIP
            file.seek(0)
            if not packed:
                return _mapped(path, file)
            with gzip.open(file) as unpacked:
                return _unpacked(path, unpacked)
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{path}: expected an IDX file, got: {reason}.") from None


def _mapped(path: Path, file: BinaryIO) -> Array:
    shape, dtype = _header(path, file)
    begin = file.tell()
    size = path.stat().st_size - begin
    _check_size(path, size, shape, dtype)
    return np.memmap(path, dtype, "r", begin, shape)


def _unpacked(path: Path, file: gzip.GzipFile) -> Array:
    shape, dtype = _header(path, file)
    check_memory(shape, dtype, str(path))
    # Whatever the file unpacks to: no more is read than its header says.
    array = np.empty(shape, dtype)
    room, got = array.reshape(-1).view(np.uint8).data, 0
    while got < len(room) and (more := file.readinto(room[got:])):
        got += more
    _check_size(path, got + len(file.read(1)), shape, dtype)
    return array


def _header(
    path: Path, file: BinaryIO | gzip.GzipFile
) -> tuple[Shape, np.dtype[np.generic]]:
    magic = file.read(4)
    code, axes = magic[2:3], magic[3:4]
    if len(magic) < 4 or magic[:2] != b"\0\0" or code[0] not in _TYPES or not axes[0]:
        raise DataError(
            f"{path}: expected an IDX file, which begins with 0, 0, a type from 8 to "
            f"14 and the number of axes, got {magic!r}."
        )
    if axes[0] > _MAX_AXES:
        raise DataError(f"{path}: expected at most {_MAX_AXES} axes, got {axes[0]}.")
    sizes = file.read(4 * axes[0])
    if len(sizes) < 4 * axes[0]:
        raise DataError(f"{path}: expected {axes[0]} sizes, got a shorter file.")
    shape = tuple(np.frombuffer(sizes, ">u4").tolist())
    if not math.prod(shape):
        raise DataError(f"{path}: expected values, got shape {shape}.")
    # One byte has no order: a type that says so would only be cast.
    dtype = np.dtype(_TYPES[code[0]])
    return shape, dtype


def _check_size(
    path: Path, size: int, shape: Shape, dtype: np.dtype[np.generic]
) -> None:
    wanted = math.prod(shape) * dtype.itemsize
    if size != wanted:
        what = f"only {size:,}: it is truncated" if size < wanted else "more"
        raise DataError(
            f"{path}: expected {wanted:,} bytes of values, as its shape {shape} "
            f"says, got {what}. Get the file again."
        )
