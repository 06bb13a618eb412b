"""Reading a table from files: one table, whatever its format and its size."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from nncli.core.arrays import Array, Shape
from nncli.core.errors import DataError
from nncli.core.text import nearest
from nncli.tables.cache import Progress, cached
from nncli.tables.cells import all_numbers
from nncli.tables.column import ColumnReader
from nncli.tables.files import Opened, is_columnar, open_table
from nncli.tables.leaving import SKIPPED, reason_to_leave
from nncli.tables.raw import RawColumn, RawTable
from nncli.tables.reading import Kinds, Reading
from nncli.tables.store import FLOAT, Disk, Memory, Store
from nncli.tables.stream import size_of
from nncli.tables.text import Batch
from nncli.tables.typed import series_values

LARGE = 1 << 26
"""Bytes of text from which on a table is converted into a file."""

PACKED = 4
"""Times by which text is larger than what it is packed into."""


@dataclass(frozen=True)
class Request:
    """What is wanted of files.

    Attributes:
        paths: The files, one below the other.
        reading: How texts are read.
        kinds: Kinds of columns that are known, by name.
        keep: Columns that may not be left out.
        formats: Of dates, by column, as ``strptime`` has them.
    """

    paths: tuple[Path, ...]
    reading: Reading
    kinds: Kinds = field(default_factory=dict)
    keep: frozenset[str] = frozenset()
    formats: Mapping[str, str] = field(default_factory=dict)

    @property
    def source(self) -> str:
        """What messages call all files together."""
        return ", ".join(map(str, self.paths))

    def settings(self) -> dict[str, Any]:
        """What decides the table, apart from the files."""
        return {
            "reading": self.reading.key(),
            "kinds": dict(self.kinds),
            "keep": sorted(self.keep),
            "formats": dict(self.formats),
        }


def read_table(
    paths: Sequence[Path],
    reading: Reading,
    kinds: Kinds | None = None,
    keep: Collection[str] = (),
    progress: Progress | None = None,
    cache: bool = True,
    formats: Mapping[str, str] | None = None,
) -> RawTable:
    """Read files of columns as one table, their rows one after the other.

    Kinds are decided by all rows: boolean (true/false, yes/no, t/f), number, date
    (ISO 8601), else category. Left out, unless ``kinds`` or ``keep`` name them: what
    holds nothing, one value only, numbers of rows, texts that differ in nearly every
    row, free text.

    Args:
        paths: CSV, TSV or other text, also packed by gzip; Parquet; Arrow.
        reading: How texts are read.
        kinds: Kinds of columns that are known, or ``skip``.
        keep: Columns that may not be left out.
        progress: Told how many bytes are done, and of how many.
        cache: Whether large files are kept converted for the next time.
        formats: Of dates, by column, as ``strptime`` has them; those columns are dates.

    Raises:
        DataError: A file cannot be read: file, line and column are named.
    """
    request = Request(
        tuple(paths), reading, kinds or {}, frozenset(keep), formats or {}
    )
    told = progress or _untold
    if not cache or sum(map(_content, paths)) <= LARGE:
        return _convert(request, Memory, told)

    def made(folder: Path, told: Progress) -> RawTable:
        return _convert(request, partial(Disk, folder / "values.npy"), told)

    return cached(paths, request.settings(), made, told)


def _content(path: Path) -> int:
    """Return about how many bytes of text a file holds."""
    size = size_of(path)
    return size * PACKED if is_columnar(path) or path.suffix == ".gz" else size


def _convert(
    request: Request, make: Callable[[int], Store], progress: Progress
) -> RawTable:
    """Read files into a store, again where later rows contradict earlier ones."""
    before: dict[str, ColumnReader] = {}
    while True:
        run = _Pass(request, before, progress)
        table = run.table(make)
        if table is not None:
            return table
        before = {each.name: each for each in run.readers if each.widened}


class _Pass:
    """One way through all rows."""

    def __init__(
        self,
        request: Request,
        before: Mapping[str, ColumnReader],
        progress: Progress,
    ) -> None:
        self.readers: list[ColumnReader] = []
        self._request = request
        self._before = before
        self._progress = progress
        self._reading = request.reading
        self._rows_of: list[int] = []
        self._facts: dict[str, Any] = {}
        self._skipped: dict[str, str] = {}

    def table(self, make: Callable[[int], Store]) -> RawTable | None:
        request = self._request
        files = [self._open(request.paths[0], ())]
        names = files[0].names
        self._reading = files[0].reading
        self._prepare(names)
        store = make(len(self.readers))
        try:
            self._fill(store, files[0], names)
            if any(reader.widened for reader in self.readers):
                store.drop()
                return None
            return self._finished(store)
        except BaseException:
            store.drop()
            raise
        finally:
            store.close()

    def _open(self, path: Path, known: Sequence[str]) -> Opened:
        return open_table(path, self._reading, known)

    def _prepare(self, names: Sequence[str]) -> None:
        request = self._request
        for table in (request.kinds, request.formats):
            for name in table:
                if name not in names:
                    raise DataError(
                        f"{request.source}: expected a column {name!r}. "
                        f"{nearest(name, list(names))}"
                    )
        for name in names:
            kind = request.kinds.get(name)
            if kind == "skip":
                self._skipped[name] = SKIPPED
                continue
            if name in self._before:
                self.readers.append(self._before[name].again())
                continue
            form = request.formats.get(name)
            self.readers.append(
                ColumnReader(
                    name,
                    request.source,
                    self._reading,
                    kind,
                    form=form,
                    kept=name in request.keep,
                )
            )

    def _fill(self, store: Store, first: Opened, names: tuple[str, ...]) -> None:
        sizes = [path.stat().st_size for path in self._request.paths]
        before = 0
        for number, path in enumerate(self._request.paths):
            file = first if number == 0 else self._open(path, names)
            _check_names(str(path), names, file.names)
            rows = 0
            for batch in file.batches:
                block = self._block(batch, path)
                store.add(block)
                if not rows:
                    share = max(1, file.done()) / max(1, file.size)
                    store.expect(sum(self._rows_of) + len(block) / share)
                rows += len(block)
                self._progress(before + file.done(), sum(sizes))
            if not rows:
                raise DataError(f"{path}: expected rows below the names, got none.")
            self._rows_of.append(rows)
            before += sizes[number]
            self._facts = self._facts or file.facts()
        self._progress(sum(sizes), sum(sizes))

    def _block(self, batch: Batch, path: Path) -> Array:
        block = np.empty((len(batch.frame), len(self.readers)))
        columnar = is_columnar(path)
        names = [reader.name for reader in self.readers if reader.may_be_numbers]
        known = {} if columnar else all_numbers(batch.frame, names)
        for place, reader in enumerate(self.readers):
            cells = batch.frame[reader.name]
            if columnar:
                values = series_values(cells, reader, batch.where, str(path))
            elif reader.name in known:
                values = reader.numbers(known[reader.name], batch.where)
            else:
                values = reader.texts(cells, batch.where)
            block[:, place] = values
        return block

    def _finished(self, store: Store) -> RawTable:
        for reader in self.readers:
            reader.finish()
        left_out = dict(self._skipped)
        places = []
        for place, reader in enumerate(self.readers):
            reason = reason_to_leave(reader, partial(_column, store, place))
            if reason:
                left_out[reader.name] = reason
            else:
                places.append(place)
        columns = tuple(self.readers[place].column for place in places)
        values = store.finish(places)
        notes = {
            reader.name: reader.note
            for reader in self.readers
            if reader.note and reader.kind == "category"
        }
        facts = {**self._facts, "rows_of": self._rows_of, "notes": notes}
        digest = _digest(columns, values.shape, store.parts())
        return RawTable(self._request.source, columns, values, left_out, facts, digest)


def _column(store: Store, place: int) -> Iterator[Array]:
    for part in store.parts():
        yield part[:, place]


def _untold(done: int, total: int) -> None:
    """Tell nobody."""


def _check_names(source: str, wanted: Sequence[str], names: Sequence[str]) -> None:
    for name in wanted:
        if name not in names:
            raise DataError(
                f"{source}: expected a column {name!r}, as the first file has. "
                f"{nearest(name, list(names))}"
            )
    for name in names:
        if name not in wanted:
            raise DataError(
                f"{source}: expected the columns of the first file, got {name!r} too."
            )


def _digest(columns: Sequence[RawColumn], shape: Shape, blocks: Iterable[Array]) -> str:
    """Return the SHA-256 of a table's columns and values."""
    parts = [[column.name, column.kind, column.words] for column in columns]
    digest = hashlib.sha256(json.dumps([parts, shape]).encode())
    for block in blocks:
        digest.update(np.ascontiguousarray(block, FLOAT).data)
    return digest.hexdigest()
