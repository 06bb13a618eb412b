"""``nncli predict``: what a trained network says of new rows."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import typer

from nncli.cli.console import (
    AllowPlugins,
    Json,
    RunsDir,
    Threads,
    Trained,
    say,
    say_json,
)
from nncli.core.errors import UsageError

if TYPE_CHECKING:
    from nncli.core.arrays import Array
    from nncli.data.base import Rows
    from nncli.experiment.experiment import Experiment

EPILOG = """\b
Examples:
  nncli predict titanic-1 new.csv --proba
  nncli predict titanic-1 new.csv --columns id,name -o predicted.csv
  nncli predict runs/digits-1 images.npz -o predicted.npz
  cat new.csv | nncli predict titanic-1 - -o predicted.parquet
"""

CHUNK = 50_000
"""Rows that are read and written together, about."""

TYPED = (".parquet", ".jsonl", ".ndjson")
"""Files whose cells have types."""


def predict(
    path: Trained,
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE|-",
            help="Rows: CSV, TSV (.gz), Parquet, Arrow, JSON lines, .npz (array x) or "
            ".npy; - reads CSV or JSON lines from stdin.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            help="Write a .csv, .tsv, .parquet, .jsonl or .npz, not to stdout.",
            show_default=False,
        ),
    ] = None,
    proba: Annotated[
        bool, typer.Option("--proba", help="Add the probability of each class.")
    ] = False,
    columns: Annotated[
        str | None,
        typer.Option(
            metavar="A,B",
            help="Which columns of the file to write beside; '' for none.",
            show_default="all",
        ),
    ] = None,
    delimiter: Annotated[
        str | None,
        typer.Option(
            help="What stands between two cells of a CSV.", show_default="found"
        ),
    ] = None,
    runs_dir: RunsDir = Path("runs"),
    threads: Threads = None,
    allow_plugins: AllowPlugins = False,
    json: Json = False,
) -> None:
    """Predict new rows with a trained network.

    Columns are found by their names, in any order; others are handed on. The data that
    it was trained on need not be there.
    """
    from nncli.cli.predictions import Sink, check_output, sink_of
    from nncli.experiment.predict import prediction_columns, predictions
    from nncli.runs.checkpoint import load_checkpoint
    from nncli.runs.sources import find_checkpoint, plugins_of
    from nncli.training.session import restore_without_data
    from nncli.training.threads import threads_of, using

    check_output(output)
    if delimiter is not None and len(delimiter) != 1:
        raise UsageError(f"predict: expected one character, got {delimiter!r}.")
    source = find_checkpoint(path, runs_dir)
    restored = restore_without_data(
        load_checkpoint(source),
        str(source),
        allow_plugins=allow_plugins,
        copies=plugins_of(source),
    )
    experiment = restored.experiment
    wanted = None if columns is None else [c for c in columns.split(",") if c]
    typed = output is not None and output.suffix in TYPED
    chunks = _chunks(file, delimiter, experiment, wanted, typed=typed)
    gathered: dict[str, list[Any]] = {}
    sink: Sink | None = None
    with _output(output) as opened, using(threads or threads_of(experiment)):
        for frame, rows in chunks:
            found = prediction_columns(
                predictions(experiment, rows),
                experiment.labels,
                experiment.target_names,
                proba=proba,
            )
            if json and output is None:
                for name, values in found.items():
                    gathered.setdefault(name, []).extend(values.tolist())
                continue
            sink = sink or sink_of(output, opened)
            sink.write(frame, found)
        if sink is not None:
            sink.finish()
    if json and output is None:
        say_json(gathered)
    elif output is not None:
        count = sink.rows if sink else 0
        if json:
            say_json({"rows": count, "output": str(output)})
        else:
            say(f"{count:,} row{'s' if count != 1 else ''} predicted: {output}")


@contextlib.contextmanager
def _output(path: Path | None) -> Iterator[BinaryIO]:
    from nncli.core.errors import RunError
    from nncli.runs.atomic import replacing

    if path is None:
        yield sys.stdout.buffer
        sys.stdout.flush()
        return
    try:
        with replacing(path) as file:
            yield file
    except OSError as error:
        raise RunError(
            f"{path}: expected a place to write to, got: {error.strerror}."
        ) from None


def _chunks(
    file: str,
    delimiter: str | None,
    experiment: Experiment,
    wanted: list[str] | None,
    *,
    typed: bool,
) -> Iterator[tuple[Any, Rows]]:
    """Read rows as the network takes them, and the columns to write beside them."""
    suffix = Path(file).suffix
    if suffix in (".npy", ".npz"):
        yield None, _arrays(Path(file), experiment)
        return
    if experiment.vocabulary is not None:
        yield from _texts(file, delimiter, experiment, wanted)
        return
    from nncli.data.base import Table
    from nncli.data.csv import Csv
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
    path = None if file == "-" else Path(file)
    source = "stdin" if path is None else str(path)
    read = (
        (
            _kept(_with_numbers(frame, table) if typed else frame, wanted, source),
            _inputs(frame, table, experiment, source),
        )
        for frame, table in table_chunks(path, reading, like, CHUNK, formats)
    )
    for frame, x in _even(read, _rows_at_once(experiment)):
        yield frame, Table(x)


def _texts(
    file: str, delimiter: str | None, experiment: Experiment, wanted: list[str] | None
) -> Iterator[tuple[Any, Rows]]:
    """Read texts: a column of a table, or each line of a file of text."""
    from nncli.data.texts import read_text
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
        text = sys.stdin.read() if file == "-" else read_text(Path(file))
        lines = text.splitlines()
        yield None, rows_of_texts(lines, vocabulary, steps, file, cut=cut)
        return
    path, source = (None, "stdin") if file == "-" else (Path(file), file)
    like = [RawColumn(column, "category")]
    reading = Reading(delimiter)
    for frame, _ in table_chunks(path, reading, like, CHUNK, {}):
        texts = ["" if each is None else str(each) for each in frame[column].to_list()]
        rows = rows_of_texts(texts, vocabulary, steps, source, cut=cut)
        yield _kept(frame, wanted, source), rows


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


def _rows_at_once(experiment: Experiment) -> int:
    """Return a number of rows that makes batches of the sizes that eval's have.

    A row's bits may differ with the number of rows that it is computed with.
    """
    from nncli.network.network import AT_ONCE

    size = experiment.network.rows_within(AT_ONCE)
    return max(1, CHUNK // size) * size


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
    from nncli.data.base import Table
    from nncli.data.columns import rows_of
    from nncli.data.frames import as_rows
    from nncli.data.rows import finite
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
