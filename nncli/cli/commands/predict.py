"""``nncli predict``: what a trained network says of new rows."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, BinaryIO

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

EPILOG = """\b
Examples:
  nncli predict titanic-1 new.csv --proba
  nncli predict titanic-1 new.csv --columns id,name -o predicted.csv
  nncli predict runs/digits-1 images.npz -o predicted.npz
  nncli predict runs/flowers-1 new/ other.png --proba
  cat new.csv | nncli predict titanic-1 - -o predicted.parquet
"""

TYPED = (".parquet", ".jsonl", ".ndjson")
"""Files whose cells have types."""


def predict(
    path: Trained,
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE|FOLDER|-",
            help="Rows: CSV, TSV (.gz), Parquet, Arrow, JSON lines, .npz (array x) or "
            ".npy; - reads CSV or JSON lines from stdin. Or images (PNG, JPEG, WebP), "
            "and folders of them.",
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
        bool,
        typer.Option("--proba", help="Add the probabilities of classes or labels."),
    ] = False,
    columns: Annotated[
        str | None,
        typer.Option(
            metavar="A,B",
            help="Which columns of the file to write beside; '' for none. Of images, "
            "that is their file.",
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
    import numpy as np

    from nncli.cli.inputs import chunks
    from nncli.cli.predictions import Sink, sink_of
    from nncli.experiment.predict import part_predictions, prediction_columns
    from nncli.runs.sources import find_checkpoint
    from nncli.training.session import restore_network
    from nncli.training.threads import threads_of, using

    kind = sink_of(output)
    if delimiter is not None and len(delimiter) != 1:
        raise UsageError(f"predict: expected one character, got {delimiter!r}.")
    source = find_checkpoint(path, runs_dir)
    experiment = restore_network(source, allow_plugins=allow_plugins).experiment
    wanted = None if columns is None else [c for c in columns.split(",") if c]
    typed = output is not None and output.suffix in TYPED
    read = chunks(files, experiment, delimiter=delimiter, wanted=wanted, typed=typed)
    gathered: dict[str, list[Any]] = {}
    sink: Sink | None = None
    with _output(output) as opened, using(threads or threads_of(experiment)):
        for part, frame, names in read:
            found = prediction_columns(
                part_predictions(experiment, part),
                experiment.labels,
                experiment.target_names,
                proba=proba,
                yes_or_no=experiment.yes_or_no,
            )
            if names is not None:
                found = {"file": np.array(names), **found}
            if json and output is None:
                for name, values in found.items():
                    gathered.setdefault(name, []).extend(values.tolist())
                continue
            sink = sink or kind(opened)
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
    from nncli.core.atomic import replacing
    from nncli.core.files import writable

    if path is None:
        yield sys.stdout.buffer
        sys.stdout.flush()
        return
    with writable(path), replacing(path) as file:
        yield file
