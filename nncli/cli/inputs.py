"""Inputs: the rows that ``predict`` is given, as the network takes them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from nncli.core.errors import UsageError

if TYPE_CHECKING:
    from nncli.core.arrays import Array
    from nncli.data.base import Rows
    from nncli.experiment.experiment import Experiment
    from nncli.experiment.part import Part

CHUNK = 50_000
"""Rows of a table that are read and written together, about."""

IMAGES = 2_000
"""Images likewise."""


class Chunk(NamedTuple):
    """Some rows to predict.

    Attributes:
        part: The rows as the network takes them.
        frame: Columns of a table to write beside them; None for none.
        names: The files that they are, to write beside them; None for none.
    """

    part: Part
    frame: Any = None
    names: Sequence[str] | None = None


def chunks(
    files: Sequence[str],
    experiment: Experiment,
    *,
    delimiter: str | None = None,
    wanted: list[str] | None = None,
    typed: bool = False,
) -> Iterator[Chunk]:
    """Read rows some at a time, so that memory does not grow with them.

    Args:
        files: A table, arrays, ``-`` for a table from stdin; or images, and folders of
            them.
        experiment: Of the network.
        delimiter: What stands between two cells of a CSV; None to find out.
        wanted: Columns to write beside; None for all.
        typed: Numbers that are read from texts are to be numbers where they are
            written.

    Raises:
        UsageError: Files do not go together, or a column is not there.
        DataError: A file is missing or broken, or not what the network takes.
    """
    from nncli.data.pictures import is_picture

    paths = [Path(file) for file in files]
    others = [path for path in paths if not (is_picture(path) or path.is_dir())]
    if not others:
        return _images(paths, experiment, wanted)
    if len(paths) > 1:
        raise UsageError(
            f"predict: expected one table or array, or images and folders of them, got "
            f"{others[0]} among {len(paths)} files."
        )
    path = others[0]
    if path.suffix in (".npy", ".npz"):
        return iter([Chunk(experiment.prepare(_arrays(path, experiment)))])
    if experiment.vocabulary is not None:
        return _texts(files[0], delimiter, experiment, wanted)
    if experiment.step_columns is not None:
        from nncli.cli.inputs_sequences import sequences

        return sequences(files[0], delimiter, experiment, wanted)
    given = None if files[0] == "-" else path
    return _table(given, delimiter, experiment, wanted, typed=typed)


def _images(
    paths: list[Path], experiment: Experiment, wanted: list[str] | None
) -> Iterator[Chunk]:
    """Decode some images at a time; the headers of all are looked at first."""
    import numpy as np

    from nncli.data.image_rows import image_rows

    for name in wanted or ():
        if name != "file":
            raise UsageError(
                f"predict: expected 'file' as --columns of images, or '', got {name!r}."
            )
    rows = image_rows(paths, experiment.network.shapes[0])
    step = _rows_at_once(experiment, IMAGES)
    for start in range(0, len(rows), step):
        index = np.arange(start, min(start + step, len(rows)))
        names = rows.names[start : start + step] if wanted != [] else None
        yield Chunk(experiment.prepare(rows, index), names=names)


def _texts(
    file: str, delimiter: str | None, experiment: Experiment, wanted: list[str] | None
) -> Iterator[Chunk]:
    """Read texts: a column of a table, or each line of a file of text."""
    from nncli.cli.console import read_stdin
    from nncli.data.babi import Babi
    from nncli.data.texts import lines_of, read_text
    from nncli.data.token_table import rows_of_texts
    from nncli.tables.chunks import table_chunks
    from nncli.tables.raw import RawColumn
    from nncli.tables.reading import Reading

    dataset = experiment.config.dataset
    vocabulary, steps = experiment.vocabulary, int(experiment.network.shapes[0][0])
    if vocabulary is None or experiment.network.shapes[-1][0] == steps:
        raise UsageError(
            "predict: expected a network that classifies texts, got one that scores "
            "the next token. Let it write: nncli generate."
        )
    cut = bool(getattr(dataset, "cut", False))
    column = getattr(dataset, "text", None)
    if column is None or Path(file).suffix == ".txt":
        text = read_stdin() if file == "-" else read_text(Path(file))
        if isinstance(dataset, Babi):
            shape = experiment.network.shapes[0]
            source = "stdin" if file == "-" else file
            rows = dataset.unanswered(text, vocabulary, shape, source)
            yield Chunk(experiment.prepare(rows))
            return
        rows = rows_of_texts(lines_of(text), vocabulary, steps, file, cut=cut)
        yield Chunk(experiment.prepare(rows))
        return
    path, source = (None, "stdin") if file == "-" else (Path(file), file)
    like, reading = [RawColumn(column, "category")], Reading(delimiter)
    for frame, _ in table_chunks(path, reading, like, CHUNK, {}):
        texts = ["" if each is None else str(each) for each in frame[column].to_list()]
        rows = rows_of_texts(texts, vocabulary, steps, source, cut=cut)
        yield Chunk(experiment.prepare(rows), _kept(frame, wanted, source))


def _table(
    path: Path | None,
    delimiter: str | None,
    experiment: Experiment,
    wanted: list[str] | None,
    *,
    typed: bool,
) -> Iterator[Chunk]:
    from nncli.data.csv import Csv
    from nncli.data.table import Table
    from nncli.tables.chunks import table_chunks
    from nncli.tables.reading import Reading

    dataset = experiment.config.dataset
    known = dataset.reading if isinstance(dataset, Csv) else Reading()
    reading = Reading(
        delimiter, None, known.decimal, known.missing_values, known.header
    )
    encoder = experiment.encoder
    like = () if encoder is None else encoder.wanted
    formats = {} if encoder is None else encoder.formats
    source = "stdin" if path is None else str(path)
    read = (
        (
            _kept(_with_numbers(frame, table) if typed else frame, wanted, source),
            _inputs(frame, table, experiment, source),
        )
        for frame, table in table_chunks(path, reading, like, CHUNK, formats)
    )
    for frame, x in _even(read, _rows_at_once(experiment, CHUNK)):
        yield Chunk(experiment.prepare(Table(x)), frame)


def _even(read: Iterable[tuple[Any, Array]], size: int) -> Iterator[tuple[Any, Array]]:
    """Cut frames, and the inputs beside them, to a number of rows each."""
    import numpy as np

    frames: list[Any] = []
    inputs: list[Array] = []
    for frame, x in read:
        frames.append(frame)
        inputs.append(x)
        if sum(map(len, inputs)) < size:
            continue
        joined, whole = _joined(frames), np.concatenate(inputs)
        done = len(whole) // size * size
        for start in range(0, done, size):
            yield _cut(joined, start, size), whole[start : start + size]
        frames, inputs = [_cut(joined, done, size)], [whole[done:]]
    if sum(map(len, inputs)):
        yield _joined(frames), np.concatenate(inputs)


def _joined(frames: list[Any]) -> Any:
    first, *others = frames
    for frame in others if first is not None else ():
        first = first.vstack(frame)
    return first


def _cut(frame: Any, start: int, rows: int) -> Any:
    return None if frame is None else frame.slice(start, rows)


def _rows_at_once(experiment: Experiment, about: int) -> int:
    """Return a number of rows that makes batches of the sizes that eval's have.

    A row's bits may differ with the number of rows that it is computed with.
    """
    from nncli.network.network import AT_ONCE

    size = experiment.network.rows_within(AT_ONCE)
    return max(1, about // size) * size


def _with_numbers(frame: Any, table: Any) -> Any:
    """Return a frame whose numbers are numbers, where they were read from texts."""
    from nncli.tables.library import polars

    library = polars("predict")
    numbers = [
        library.Series(column.name, table.values[:, place], nan_to_null=True)
        for place, column in enumerate(table.columns)
        if column.kind == "number" and frame[column.name].dtype == library.String
    ]
    return frame.with_columns(*numbers)


def _kept(frame: Any, wanted: list[str] | None, source: str) -> Any:
    from nncli.core.text import nearest

    if wanted is None:
        return frame
    if not wanted:
        return None
    for name in wanted:
        if name not in frame.columns:
            raise UsageError(
                f"{source}: expected a column {name!r}. "
                f"{nearest(name, list(frame.columns))}"
            )
    return frame.select(wanted)


def _inputs(frame: Any, table: Any, experiment: Experiment, source: str) -> Array:
    """Return columns as the network's inputs: by name, or of one of arrays by place."""
    from nncli.data.columns import rows_of
    from nncli.data.frames import as_rows
    from nncli.data.rows import finite
    from nncli.tables.frames import raw_of
    from nncli.tables.raw import RawColumn

    if experiment.encoder is not None:
        rows = rows_of(table, experiment.encoder)
        return rows.read("x", slice(0, len(rows)))
    numbers = [RawColumn(name, "number") for name in frame.columns]
    raw = raw_of(frame, numbers, source=source)
    x = as_rows(raw.values, experiment.network.shapes[0], source)
    return finite(x, "inputs")


def _arrays(path: Path, experiment: Experiment) -> Rows:
    from nncli.core.errors import DataError
    from nncli.core.npy import read_npy, read_npz
    from nncli.core.text import nearest
    from nncli.data.columns import rows_of
    from nncli.data.frames import as_rows
    from nncli.data.rows import finite
    from nncli.data.table import Table
    from nncli.tables.frames import raw_of

    if path.suffix == ".npy":
        values = read_npy(path)
    else:
        arrays = read_npz(path)
        name = getattr(experiment.config.dataset, "x", "x")
        if name not in arrays:
            raise DataError(
                f"{path}: expected an array {name!r}. {nearest(name, list(arrays))}"
            )
        values = arrays[name]
    if experiment.encoder is not None:
        encoder = experiment.encoder
        return rows_of(raw_of(values, encoder.wanted, source=str(path)), encoder)
    return Table(
        finite(as_rows(values, experiment.network.shapes[0], str(path)), "inputs")
    )
