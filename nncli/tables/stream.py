"""The bytes of a file of text, unpacked and as UTF-8, a piece at a time."""

from __future__ import annotations

import codecs
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from nncli.core.errors import DataError
from nncli.core.files import open_file
from nncli.tables.reading import Reading

PIECE = 1 << 20

UNPACKED = 1 << 30
RATIO = 250
"""A packed file of more than ``UNPACKED`` bytes that grew more than that is refused."""

_OTHERS = {
    b"PK\x03\x04": "a ZIP archive or an Excel workbook. Unpack it, or save it as CSV",
    b"PK\x05\x06": "an empty ZIP archive. Save the table as CSV",
    b"PAR1": "a Parquet file. Give it a name that ends in .parquet",
    b"ARROW1": "an Arrow file. Give it a name that ends in .arrow",
    b"\xd0\xcf\x11\xe0": "an Excel workbook. Save it as CSV",
    b"%PDF": "a PDF document. Save the table as CSV",
    b"SQLite format 3": "an SQLite database. Export the table as CSV",
    b"\x89PNG": "a PNG image. Give the path of a table",
    b"\xff\xd8\xff": "a JPEG image. Give the path of a table",
    b"BZh": "a file packed by bzip2. Unpack it, or pack it by gzip",
    b"\xfd7zXZ": "a file packed by xz. Unpack it, or pack it by gzip",
    b"\x28\xb5\x2f\xfd": "a file packed by zstd. Unpack it, or pack it by gzip",
    b"\x93NUMPY": "a NumPy array. Give it a name that ends in .npy",
    b"\x80\x04": "a Python pickle, which is never read. Save the table as CSV",
}
_GZIP = b"\x1f\x8b"
_MARKUP = (b"<!doctype", b"<html", b"<?xml", b"<head", b"<body")
_ENCODINGS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


class TextStream:
    """Reads a file of text forwards, once.

    Args:
        file: Where the bytes come from; closed by ``pieces``.
        name: What messages call it.
        reading: How it is to be read.

    Attributes:
        encoding: What it is read in, as far as it was read.
        line: Number of the line at which the next piece begins.
        done: Bytes of the file that were read.
    """

    def __init__(self, file: BinaryIO, name: str, reading: Reading) -> None:
        self.name = name
        self.encoding = reading.encoding or "utf-8"
        self.line = 1
        self.done = 0
        self._file = file
        self._given = reading.encoding is not None
        self._ascii = True

    @classmethod
    def of(cls, path: Path, reading: Reading) -> TextStream:
        """Open a file.

        Raises:
            DataError: It cannot be opened, or is no file.
        """
        return cls(opened(path), str(path), reading)

    def pieces(self) -> Iterator[bytes]:
        """Yield the text as UTF-8 without a byte order mark; lines end in newlines.

        Raises:
            DataError: It is no text in the encoding, is damaged, or unpacks to more
                than anybody would pack.
        """
        with self._file:
            pieces = self._plain()
            first = next(pieces, b"")
            self._look_at(first)
            returns = b"\r" in first and b"\n" not in first
            for piece in self._decoded(first, pieces):
                if b"\0" in piece:
                    self._refuse_nul(piece)
                yield piece.replace(b"\r", b"\n") if returns else piece
                self.line += piece.count(b"\r" if returns else b"\n")

    def _raw(self) -> Iterator[bytes]:
        try:
            while piece := self._file.read(PIECE):
                self.done += len(piece)
                yield piece
        except OSError as error:
            raise unreadable(self.name, error) from None

    def _plain(self) -> Iterator[bytes]:
        raw = self._raw()
        first = next(raw, b"")
        if first.startswith(_GZIP):
            yield from self._unpacked(first, raw)
            return
        if self.name.endswith(".gz") and first:
            raise DataError(
                f"{self.name}: expected a file packed by gzip, got something else. "
                "Take .gz from its name if it is plain text."
            )
        yield first
        yield from raw

    def _unpacked(self, first: bytes, raw: Iterator[bytes]) -> Iterator[bytes]:
        total = 0
        engine = zlib.decompressobj(wbits=31)
        data = first
        try:
            while True:
                piece = engine.decompress(data, PIECE)
                total += len(piece)
                if total > UNPACKED and total > RATIO * self.done:
                    raise DataError(
                        f"{self.name}: expected a table that gzip makes at most {RATIO}"
                        f" times smaller, got {self.done:,} bytes that unpack to more "
                        f"than {total:,}. Unpack it yourself if you trust it."
                    )
                yield piece
                data = engine.unconsumed_tail
                if engine.eof:
                    data = engine.unused_data or next(raw, b"")
                    if not data.startswith(_GZIP[:1]):
                        return
                    engine = zlib.decompressobj(wbits=31)
                elif not data:
                    data = next(raw, b"")
                    if not data:
                        raise EOFError
        except zlib.error as error:
            raise DataError(
                f"{self.name}:{self.line}: expected a whole file packed by gzip, got a "
                f"damaged one ({error})."
            ) from None
        except EOFError:
            raise DataError(
                f"{self.name}:{self.line}: expected a whole file packed by gzip, got "
                "one that is cut off. Copy it again."
            ) from None

    def _look_at(self, first: bytes) -> None:
        """Refuse what is no text, and find the encoding of what names its own."""
        for magic, what in _OTHERS.items():
            if first.startswith(magic):
                raise DataError(f"{self.name}: expected columns of text, got {what}.")
        if first.lstrip(codecs.BOM_UTF8)[:256].lstrip().lower().startswith(_MARKUP):
            raise DataError(
                f"{self.name}: expected columns of text, got an HTML or XML page. "
                "Download the table itself."
            )
        if not self._given:
            found = (name for bom, name in _ENCODINGS.items() if first.startswith(bom))
            self.encoding = next(found, "utf-8")

    def _decoded(self, first: bytes, pieces: Iterator[bytes]) -> Iterator[bytes]:
        if self.encoding == "utf-8" and not self._given:
            yield from self._as_utf8(first.removeprefix(codecs.BOM_UTF8), pieces)
            return
        decoder = codecs.getincrementaldecoder(self.encoding)()
        piece: bytes | None = first
        try:
            while piece is not None:
                yield decoder.decode(piece).removeprefix("\ufeff").encode()
                piece = next(pieces, None)
            yield decoder.decode(b"", True).encode()
        except UnicodeError as error:
            where = getattr(error, "start", 0)
            line = self.line + (piece or b"")[:where].count(b"\n")
            raise DataError(
                f"{self.name}:{line}: expected text in {self.encoding}, got "
                f"{getattr(error, 'reason', error)}. Say another encoding, or encoding:"
                " null to have it inferred."
            ) from None

    def _as_utf8(self, first: bytes, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """Check what is taken to be UTF-8; ASCII so far and then not is cp1252."""
        rest, piece = b"", first
        last = False
        while not last:
            data = rest + piece
            following = next(pieces, None)
            last = following is None
            rest, piece = b"", following or b""
            if not data.isascii():
                data, rest = self._checked(data, last)
            yield data

    def _checked(self, data: bytes, last: bool) -> tuple[bytes, bytes]:
        """Return data as UTF-8, and the beginning of a character that is cut."""
        if self.encoding == "utf-8":
            try:
                data.decode()
            except UnicodeDecodeError as error:
                if not last and error.start > len(data) - 4:
                    whole, rest = data[: error.start], data[error.start :]
                    self._ascii = self._ascii and whole.isascii()
                    return whole, rest
                if not self._ascii or not data[: error.start].isascii():
                    raise self._no_text(data, error.start) from None
                self.encoding = "cp1252"
            else:
                self._ascii = False
                return data, b""
        try:
            return data.decode(self.encoding).encode(), b""
        except UnicodeDecodeError as error:
            raise self._no_text(data, error.start) from None

    def _no_text(self, data: bytes, start: int) -> DataError:
        line = self.line + data[:start].count(b"\n")
        return DataError(
            f"{self.name}:{line}: expected text in UTF-8, got the byte 0x"
            f"{data[start]:02x}, which is none there. Say encoding: latin-1 (or another"
            " one) if the file is in it."
        )

    def _refuse_nul(self, piece: bytes) -> None:
        place = piece.index(b"\0")
        line = self.line + piece[:place].count(b"\n")
        wide = piece.count(b"\0") > len(piece) // 4
        hint = "Say encoding: utf-16." if wide else "Is it a damaged or a binary file?"
        raise DataError(f"{self.name}:{line}: expected text, got a NUL byte. {hint}")


def opened(path: Path) -> BinaryIO:
    """Open a file to be read.

    Raises:
        DataError: It cannot be opened, or is no regular file.
    """
    try:
        return open_file(path)
    except OSError as error:
        raise unreadable(str(path), error) from None
    except ValueError as error:
        raise DataError(
            f"{str(path)!r}: expected the path of a file: {error}."
        ) from None


def unreadable(name: str, error: OSError) -> DataError:
    """Say which file the system could not read, and why."""
    return DataError(f"{name}: expected a file, got: {error.strerror or error}.")


def size_of(path: Path) -> int:
    """Return the size of a file in bytes; 0 where it cannot be told."""
    try:
        return path.stat().st_size
    except (OSError, ValueError):
        return 0
