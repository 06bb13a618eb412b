"""NumPy's files: arrays and archives, opened without running anything in them."""

from __future__ import annotations

import struct
import tokenize
import zipfile
import zlib
from pathlib import Path
from typing import Any, Literal

import numpy as np

from nncli.core.arrays import Array, check_memory
from nncli.core.errors import DataError

# What NumPy's and Python's readers raise of files that are not what they seem.
BROKEN = (
    *(OSError, ValueError, TypeError, EOFError, KeyError, RuntimeError, SyntaxError),
    *(tokenize.TokenError, struct.error, zipfile.BadZipFile, zlib.error),
)

_LOCAL_HEADER = struct.Struct("<4s22xHH")


def read_npy(path: Path) -> Array:
    """Open an array of numbers or texts without reading it.

    Raises:
        DataError: The file is missing or something else.
    """
    try:
        _regular(path)
        with path.open("rb") as file:
            begin = file.read(8)
        if not begin.startswith((b"\x93NUMPY", b"PK")):
            raise ValueError(f"something else, which begins with {begin!r}")
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except BROKEN as error:
        raise DataError(f"{path}: expected a .npy file, got: {error}") from None
    if not isinstance(array, np.ndarray):
        raise DataError(f"{path}: expected a .npy file of one array, got an archive.")
    return array


def read_npz(path: Path) -> dict[str, Array]:
    """Open the arrays of an archive: mapped where they lie plain, read otherwise.

    Raises:
        DataError: The file is missing or broken, or too large for this machine.
    """
    found: dict[str, Array] = {}
    try:
        with zipfile.ZipFile(_regular(path)) as archive, path.open("rb") as file:
            for info in archive.infolist():
                name = info.filename.removesuffix(".npy")
                if info.compress_type == zipfile.ZIP_STORED:
                    found[name] = _mapped(path, file, info)
                else:
                    what = f"{path}: array {name!r}"
                    check_memory((info.file_size,), np.dtype(np.uint8), what)
                    with archive.open(info) as member:
                        found[name] = _read(member, info.file_size)
    except BROKEN as error:
        raise DataError(f"{path}: expected a .npz file, got: {error}") from None
    return found


def _header(file: Any) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
    elif version == (2, 0):
        shape, fortran, dtype = np.lib.format.read_array_header_2_0(file)
    else:
        raise ValueError(f"version {version} of NumPy's format is not known")
    if dtype.hasobject:
        raise ValueError("its values are Python objects, which are never unpickled")
    return shape, fortran, dtype


def _read(member: Any, size: int) -> Array:
    shape, fortran, dtype = _header(member)
    count = int(np.prod(shape, dtype=object))
    if count * dtype.itemsize > size:
        raise ValueError(f"shape {shape} is more than its {size} bytes")
    flat = np.frombuffer(member.read(), dtype, count)
    return flat.reshape(shape[::-1]).T if fortran else flat.reshape(shape)


def _mapped(path: Path, file: Any, info: zipfile.ZipInfo) -> Array:
    """Map an array that is stored plain inside an archive."""
    file.seek(info.header_offset)
    signature, name, extra = _LOCAL_HEADER.unpack(file.read(_LOCAL_HEADER.size))
    if signature != b"PK\x03\x04":
        raise ValueError("its directory does not fit its content")
    begin = info.header_offset + _LOCAL_HEADER.size + name + extra
    file.seek(begin)
    shape, fortran, dtype = _header(file)
    offset = file.tell()
    nbytes = int(np.prod(shape, dtype=object)) * dtype.itemsize
    if offset + nbytes > begin + info.file_size:
        raise ValueError(f"shape {shape} is more than its {info.file_size} bytes")
    if not nbytes:
        return np.empty(shape, dtype)
    order: Literal["F", "C"] = "F" if fortran else "C"
    return np.memmap(path, dtype, "r", offset, shape, order)


def _regular(path: Path) -> Path:
    """Return a path, if it is a file: pipes and devices would be waited for."""
    if path.exists() and not path.is_file():
        raise OSError("something that is no file")
    return path
