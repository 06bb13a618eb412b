"""Predictions written: beside the columns they were made of, in several formats."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from nncli.cli.saving import csv_bytes, write_npz
from nncli.core.errors import DataError, UsageError
from nncli.core.text import spreadsheet_text

if TYPE_CHECKING:
    from nncli.core.arrays import Array

Results = dict[str, "Array"]


class Sink(ABC):
    """Where predictions go, some rows at a time.

    Args:
        file: What is written to.
    """

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.rows = 0

    def write(self, frame: Any, found: Results) -> None:
        """Write some rows.

        Args:
            frame: A polars frame of the columns beside them; None for none.
            found: The predictions.
        """
        self._write(frame, found)
        self.rows += len(next(iter(found.values())))

    @abstractmethod
    def _write(self, frame: Any, found: Results) -> None: ...

    def finish(self) -> None:
        """Write what is left."""
        self.file.flush()


class CsvSink(Sink):
    """CSV, or TSV; cells that a spreadsheet would run are marked as texts."""

    separator = ","

    def _write(self, frame: Any, found: Results) -> None:
        if frame is None:
            heads = not self.rows
            self.file.write(csv_bytes(found, heads=heads, delimiter=self.separator))
            return
        whole = _spreadsheet_safe(_joined(frame, found))
        # As a text first: a pipe that nobody reads any more ends the command quietly.
        text = whole.write_csv(include_header=not self.rows, separator=self.separator)
        self.file.write(text.encode())


class TsvSink(CsvSink):
    """CSV with tabs."""

    separator = "\t"


class JsonLinesSink(Sink):
    """One JSON object a row."""

    def _write(self, frame: Any, found: Results) -> None:
        from nncli.tables.library import polars

        frame = polars("predict: JSON lines").DataFrame() if frame is None else frame
        self.file.write(_joined(frame, found).write_ndjson().encode())


class ParquetSink(Sink):
    """Parquet, which is written at the end, as a whole."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__(file)
        self._frames: list[Any] = []

    def _write(self, frame: Any, found: Results) -> None:
        from nncli.tables.library import polars

        frame = polars("predict: Parquet").DataFrame() if frame is None else frame
        self._frames.append(_joined(frame, found))

    def finish(self) -> None:
        """Write all rows."""
        from nncli.tables.library import polars

        library = polars("predict: Parquet")
        library.concat(self._frames).write_parquet(self.file)


class NpzSink(Sink):
    """The predictions alone as arrays of one NumPy archive."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__(file)
        self._found: list[Results] = []

    def _write(self, frame: Any, found: Results) -> None:
        self._found.append(found)

    def finish(self) -> None:
        """Write all rows."""
        import numpy as np

        names = self._found[0]
        whole = {n: np.concatenate([found[n] for found in self._found]) for n in names}
        write_npz(self.file, whole)


SINKS: dict[str, type[Sink]] = {
    ".csv": CsvSink,
    ".tsv": TsvSink,
    ".parquet": ParquetSink,
    ".jsonl": JsonLinesSink,
    ".ndjson": JsonLinesSink,
    ".npz": NpzSink,
}
"""What writes a file, by its suffix."""


def sink_of(path: Path | None) -> type[Sink]:
    """Return what writes a file of the path's kind; CSV to standard output.

    Raises:
        UsageError: Its suffix is none of those that are known.
    """
    suffix = ".csv" if path is None else path.suffix
    if suffix not in SINKS:
        raise UsageError(
            f"predict: expected -o with a file of {', '.join(SINKS)}, got {path}."
        )
    return SINKS[suffix]


def _joined(frame: Any, found: Results) -> Any:
    from nncli.tables.library import polars

    library = polars("predict")
    for name in found:
        if name in frame.columns:
            raise DataError(
                f"predict: expected no column {name!r} in the file, which is that of "
                "the results. Name the columns to keep: --columns a,b"
            )
    return frame.with_columns(
        *(library.Series(name, values) for name, values in found.items())
    )


def _spreadsheet_safe(frame: Any) -> Any:
    """Mark cells that a spreadsheet would run, as ``spreadsheet_text`` does."""
    from nncli.tables.library import polars

    library = polars("predict")
    texts = library.col(library.String)
    risky = (
        texts.str.contains(r"^[=+\-@\t\r\n]")
        & texts.cast(library.Float64, strict=False).is_null()
    )
    safe = frame.with_columns(
        library.when(risky).then("'" + texts).otherwise(texts).name.keep()
    )
    return safe.rename(spreadsheet_text)
