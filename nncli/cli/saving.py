"""Saving: predictions of a part, row by row, as CSV or as arrays."""

from __future__ import annotations

import contextlib
import csv
import io
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from nncli.core.atomic import replacing
from nncli.core.errors import UsageError
from nncli.core.files import make_directory, naming, unwritable
from nncli.core.text import spreadsheet_text
from nncli.experiment.predict import number_columns, prediction_columns

if TYPE_CHECKING:
    from nncli.core.arrays import Array
    from nncli.experiment.experiment import Experiment
    from nncli.experiment.part import Part

SUFFIXES = (".csv", ".npz")

AT_A_TIME = 4096
"""Rows that are texts at the same time."""


class Saver:
    """Watches predictions and targets of a part, and writes them to a file.

    Columns: ``row``, its place in the data from 0 (and ``step``, where a row has
    several classes), ``target``, ``prediction`` and ``probability_<class>``; of several
    numbers a row ``target_0``, ``prediction_0``, ...; of several labels with
    ``probability_0``, ... too; of tokens with the probability of the right one only.

    Args:
        file: Where to.
        path: What the file is called.
        experiment: Whose predictions.
        part: Of which rows.
        labels: Whether predictions are probabilities of several labels.
    """

    def __init__(
        self,
        file: BinaryIO,
        path: Path,
        experiment: Experiment,
        part: Part,
        *,
        labels: bool,
    ) -> None:
        self._file = file
        self._path = path
        self._experiment = experiment
        self._part = part
        self._labels = labels
        self.reset()

    def reset(self) -> None:
        """Begin with the first row."""
        self._rows = 0
        self._blocks: list[dict[str, Array]] = []

    def score(self, predictions: Array, targets: Array, lengths: Array | None) -> None:
        """Write the rows of a batch, of sequences the steps that count."""
        columns = self._columns(predictions, targets)
        if lengths is not None:
            counts = (np.arange(targets.shape[1]) < lengths[:, None]).ravel()
            columns = {name: values[counts] for name, values in columns.items()}
        if self._path.suffix == ".npz":
            # Copies: the buffers of a batch are written over by the next one.
            self._blocks.append({k: np.array(v) for k, v in columns.items()})
        else:
            self._write(csv_bytes(columns, heads=not self._rows))
        self._rows += len(predictions)

    def finish(self) -> None:
        """Write what could not be written before the last row."""
        if self._blocks:
            first, room = self._blocks[0], io.BytesIO()
            whole = {k: np.concatenate([b[k] for b in self._blocks]) for k in first}
            write_npz(room, whole)
            self._write(room.getvalue())

    def _write(self, content: bytes) -> None:
        with naming(self._path):
            self._file.write(content)

    def _columns(self, predictions: Array, targets: Array) -> dict[str, Array]:
        labels, index = self._experiment.labels, self._part.index
        rows = np.arange(self._rows, self._rows + len(predictions))
        rows = rows if index is None else index[rows]
        names = self._experiment.target_names
        if labels is None and self._labels:
            return {
                "row": rows,
                **number_columns("target", targets.astype(int), names),
                **prediction_columns(predictions, None, names, yes_or_no=True),
            }
        if labels is None:
            found = number_columns("target", targets, names)
            return {
                "row": rows,
                **found,
                **prediction_columns(predictions, None, names),
            }
        steps = targets[0].size
        place = {"row": np.repeat(rows, steps)}
        if targets.ndim > 1:
            place["step"] = np.tile(np.arange(steps), len(rows))
        flat = predictions.reshape(-1, predictions.shape[-1])
        if self._experiment.vocabulary is not None and targets.ndim > 1:
            # Of thousands of tokens, the probability of the right one must do.
            own = np.take_along_axis(flat, targets.reshape(-1, 1), axis=1)[:, 0]
            tokens = np.array(self._experiment.vocabulary.names)
            return {
                **place,
                "target": tokens[targets.ravel()],
                "prediction": tokens[flat.argmax(axis=1)],
                "probability": own,
            }
        decoded = labels.decode(targets.ravel())
        return {**place, "target": decoded, **prediction_columns(flat, labels)}


def write_npz(file: BinaryIO, arrays: Mapping[str, Array]) -> None:
    """Write arrays as one NumPy archive, which holds no Python objects.

    Args:
        file: What is written to.
        arrays: By name.
    """
    with zipfile.ZipFile(file, "w") as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)


def csv_bytes(columns: dict[str, Array], *, heads: bool, delimiter: str = ",") -> bytes:
    """Write columns as CSV; numbers so that reading gives the same bits.

    Args:
        columns: As many values each.
        heads: Begin with the columns' names.
        delimiter: What stands between two cells.
    """
    room = io.StringIO()
    writer = csv.writer(room, delimiter=delimiter, lineterminator="\n")
    if heads:
        writer.writerow(map(spreadsheet_text, columns))
    arrays = list(columns.values())
    for start in range(0, len(arrays[0]), AT_A_TIME):
        here = slice(start, start + AT_A_TIME)
        writer.writerows(zip(*(_cells(array[here]) for array in arrays), strict=True))
    return room.getvalue().encode(errors="backslashreplace")


def _cells(values: Array) -> list[Any]:
    if values.dtype.kind == "f":
        # NumPy's texts are the shortest that give the number back in its own type.
        return list(map(str, values))
    cells = values.tolist()
    return [spreadsheet_text(c) if isinstance(c, str) else c for c in cells]


@contextlib.contextmanager
def saving(
    path: Path, experiment: Experiment, part: Part, *, labels: bool
) -> Iterator[Saver]:
    """Let a file be written whole, or not at all.

    Yields:
        What writes it, row by row.

    Raises:
        RunError: It cannot be written.
    """
    try:
        with naming(path):
            make_directory(path.parent)
        with replacing(path) as file:
            saver = Saver(file, path, experiment, part, labels=labels)
            yield saver
            saver.finish()
    except OSError as error:
        if error.filename != str(path):
            raise
        raise unwritable(path, error) from None


def check_suffix(path: Path, option: str) -> None:
    """Refuse a file whose name does not say a format that can be written.

    Raises:
        UsageError: It ends in something else.
    """
    if path.suffix not in SUFFIXES:
        raise UsageError(f"{option}: expected FILE.csv or FILE.npz, got {path}.")
