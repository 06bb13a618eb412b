"""Texts: files of text as the numbers of their tokens."""

from __future__ import annotations

import codecs
import io
import tempfile
from array import array
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from nncli.core.arrays import Array, check_memory
from nncli.core.errors import DataError
from nncli.core.files import open_file
from nncli.data.vocabulary import BYTES, WORDS, Tokenizer, narrow

AT_ONCE = 2**22
"""Bytes of a file that are decoded at once."""

MAPPED = 2**28
"""Bytes of numbers from which they lie in a temporary file instead of in memory."""


def tokens_of(path: Path, tokenizer: Tokenizer) -> tuple[Array, tuple[str, ...]]:
    """Return a file's tokens as numbers, and what each number stands for.

    An end of a line is one character, whatever it is in the file; bytes are mapped as
    they are.

    Args:
        path: UTF-8; a byte order mark is left out.
        tokenizer: What a token is.

    Raises:
        DataError: It is missing, empty, or no UTF-8.
    """
    if tokenizer == "bytes":
        return _bytes(path), BYTES
    read = _characters if tokenizer == "char" else _words
    numbers, tokens = read(path)
    if not len(numbers):
        raise _empty(path)
    return numbers, tokens


def read_text(path: Path) -> str:
    """Return the whole text of a file.

    Raises:
        DataError: It is missing, empty, or no UTF-8.
    """
    text = "".join(_decoded(path))
    if not text:
        raise _empty(path)
    return text


def lines_of(text: str) -> list[str]:
    """Return the lines of a text, which end in newlines and in nothing else."""
    return text.removesuffix("\n").split("\n") if text else []


def _empty(path: Path) -> DataError:
    return DataError(f"{path}: expected text, got an empty file.")


def _bytes(path: Path) -> Array:
    try:
        with open_file(path) as file:
            if not file.read(1):
                raise _empty(path)
        return np.memmap(path, np.uint8, "r")
    except OSError as error:
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: OSError) -> DataError:
    reason = "nothing" if isinstance(error, FileNotFoundError) else error.strerror
    return DataError(f"{path}: expected a file of text (UTF-8), found {reason}.")


def _decoded(path: Path) -> Iterator[str]:
    """Yield a file's text, some at a time."""
    decoder = codecs.getincrementaldecoder("utf-8-sig")()
    lines = io.IncrementalNewlineDecoder(decoder, translate=True)
    begin = 0
    try:
        with open_file(path) as file:
            while block := file.read(AT_ONCE):
                waiting = len(decoder.getstate()[0])
                yield lines.decode(block)
                begin += len(block)
            waiting = len(decoder.getstate()[0])
            yield lines.decode(b"", final=True)
    except UnicodeDecodeError as error:
        place = begin - waiting + error.start
        raise DataError(
            f"{path}: expected text in UTF-8, got the byte "
            f"0x{error.object[error.start]:02x} at byte {place:,}. Convert the file, "
            "or set tokenizer: bytes."
        ) from None
    except OSError as error:
        raise _unreadable(path, error) from None


def _characters(path: Path) -> tuple[Array, tuple[str, ...]]:
    there, total = np.zeros(0x110000, bool), 0
    for text in _decoded(path):
        there[_code_points(text)] = True
        total += len(text)
    points = np.flatnonzero(there)
    dtype = narrow(len(points))
    place = np.zeros(0x110000, dtype)
    place[points] = np.arange(len(points))
    numbers, end = _room(total, dtype, path), 0
    for text in _decoded(path):
        numbers[end : end + len(text)] = place[_code_points(text)]
        end += len(text)
    return numbers, tuple(map(chr, points.tolist()))


def _code_points(text: str) -> Array:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")


def _words(path: Path) -> tuple[Array, tuple[str, ...]]:
    places: defaultdict[str, int] = defaultdict()
    places.default_factory = places.__len__
    found, rest = array("I"), ""
    for text in _decoded(path):
        # A word may go on in what is read next.
        whole, end, rest = (rest + text).rpartition("\n")
        found.extend(map(places.__getitem__, WORDS.findall(whole + end)))
    found.extend(map(places.__getitem__, WORDS.findall(rest)))
    numbers = _room(len(found), narrow(len(places)), path)
    numbers[:] = np.frombuffer(found, np.uint32) if found else 0
    return numbers, tuple(places)


def _room(size: int, dtype: np.dtype[Any], path: Path) -> Array:
    if size * dtype.itemsize <= MAPPED:
        check_memory((size,), dtype, str(path))
        return np.empty(size, dtype)
    # The file has no name, and is gone when nobody uses it any more.
    with tempfile.TemporaryFile() as file:
        return np.memmap(file, dtype, "w+", shape=(size,))
